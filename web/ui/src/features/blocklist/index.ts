import { defineFeature } from '@/app/features'
import type { Session } from '@/api/types'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = ({ user }: Session) => user.roles.some((role) => ['agent', 'team_leader', 'supervisor', 'manager', 'director'].includes(role))

export default defineFeature({
  routes: [{ path: '/block-list', component: () => import('./views/BlockList.vue'), meta: { title: 'blocklist.title', allow } }],
  menu: [{ group: 'calls', path: '/block-list', title: 'blocklist.title', pinyin: 'hmd', order: 80, allow }],
  locales: { 'zh-CN': { blocklist: zh }, en: { blocklist: en } },
})
