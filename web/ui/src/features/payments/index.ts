import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = ({ user }: Session) => user.permissions.includes('payments.view')

export default defineFeature({
  routes: [
    { path: '/payments', component: () => import('./views/Payments.vue'), meta: { title: 'payments.title', allow } },
    // Who sees no list may still see what he asked for himself: the server decides.
    { path: '/payments/:number', component: () => import('./views/Payment.vue'), props: true, meta: { title: 'payments.one' } },
  ],
  menu: [{ group: 'support', path: '/payments', title: 'payments.title', pinyin: 'sf', order: 50, allow }],
  locales: { 'zh-CN': { payments: zh }, en: { payments: en } },
})
