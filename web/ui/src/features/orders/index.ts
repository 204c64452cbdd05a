import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const ROLES = ['agent', 'team_leader', 'supervisor', 'manager', 'director', 'clinic', 'pharmacy']
const allow = ({ user }: Session) => user.permissions.includes('payments.view') || user.roles.some((role) => ROLES.includes(role))

const { errors, ...words } = zh
const { errors: errorsEn, ...wordsEn } = en

export default defineFeature({
  routes: [
    { path: '/orders', component: () => import('./views/Orders.vue'), meta: { title: 'orders.title', allow } },
    { path: '/orders/:number', component: () => import('./views/Order.vue'), props: true, meta: { title: 'orders.one', allow } },
  ],
  menu: [{ group: 'support', path: '/orders', title: 'orders.title', pinyin: 'dd', order: 40, allow }],
  locales: { 'zh-CN': { orders: words, errors }, en: { orders: wordsEn, errors: errorsEn } },
})
