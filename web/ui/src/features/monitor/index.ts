import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = (session: Session) => session.user.permissions.includes('telephony.floor')

export default defineFeature({
  routes: [{ path: '/floor', component: () => import('./views/Floor.vue'), meta: { title: 'monitor.title', allow } }],
  menu: [{ group: 'live', path: '/floor', title: 'monitor.title', pinyin: 'zxjk', order: 10, allow }],
  locales: { 'zh-CN': { monitor: zh }, en: { monitor: en } },
})
