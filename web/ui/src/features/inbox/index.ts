import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import ticketsEn from './tickets/locales/en.json'
import ticketsZh from './tickets/locales/zh-CN.json'
import zh from './locales/zh-CN.json'
import Live from './components/live'
import { useInbox } from './store'

const { errors, ...words } = zh
const { errors: errorsEn, ...wordsEn } = en

// Tickets live here too: a ticket page shows its current task with the parts of the inbox.
export default defineFeature({
  routes: [
    { path: '/inbox', component: () => import('./views/Inbox.vue'), meta: { title: 'inbox.title' } },
    { path: '/tickets', component: () => import('./views/Tickets.vue'), meta: { title: 'tickets.title' } },
    { path: '/tickets/:number', component: () => import('./views/Ticket.vue'), props: true, meta: { title: 'tickets.one' } },
  ],
  menu: [
    { group: 'tasks', path: '/inbox', title: 'inbox.menu.mine', pinyin: 'wddb', order: 10, counter: () => ({ value: useInbox().counts.mine }) },
    { group: 'tasks', path: '/inbox?box=pool', title: 'inbox.menu.pool', pinyin: 'znkl', order: 20, counter: () => ({ value: useInbox().counts.pool }) },
    { group: 'tasks', path: '/tickets', title: 'tickets.title', pinyin: 'gd', order: 60 },
  ],
  locales: { 'zh-CN': { inbox: words, tickets: ticketsZh, errors }, en: { inbox: wordsEn, tickets: ticketsEn, errors: errorsEn } },
  frame: { background: Live },
})
