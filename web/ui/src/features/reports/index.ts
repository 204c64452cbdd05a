import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = (session: Session) => session.user.permissions.includes('reports.view')

export default defineFeature({
  routes: [{ path: '/reports', component: () => import('./views/Reports.vue'), meta: { title: 'reports.title', allow } }],
  menu: [{ group: 'reports', path: '/reports', title: 'reports.title', pinyin: 'bb', order: 10, allow }],
  locales: { 'zh-CN': { reports: zh }, en: { reports: en } },
})
