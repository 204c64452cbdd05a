import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

// Technical and finance roles have no business with people's records.
const allow = ({ user }: Session) => user.roles.some((role) => ['agent', 'team_leader', 'supervisor', 'manager', 'director', 'clinic', 'pharmacy'].includes(role))

const { errors, ...words } = zh
const { errors: errorsEn, ...wordsEn } = en

export default defineFeature({
  routes: [
    { path: '/customers', component: () => import('./views/Customers.vue'), meta: { title: 'customers.title', allow } },
    { path: '/customers/:id', component: () => import('./views/Customer.vue'), props: true, meta: { title: 'customers.one', allow } },
  ],
  menu: [{ group: 'support', path: '/customers', title: 'customers.title', pinyin: 'kh', order: 10, allow }],
  locales: { 'zh-CN': { customers: words, errors }, en: { customers: wordsEn, errors: errorsEn } },
})
