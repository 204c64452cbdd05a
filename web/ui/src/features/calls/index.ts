import { defineFeature } from '@/app/features'
import { useQueue } from '@/live/queue'
import type { Session } from '@/api/types'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = (session: Session) => session.agent !== null || session.user.roles.some((role) => ['team_leader', 'supervisor'].includes(role))

export default defineFeature({
  routes: [
    { path: '/calls/missed', component: () => import('./views/Missed.vue'), meta: { title: 'calls.missed', allow } },
    { path: '/calls/queue', component: () => import('./views/Queue.vue'), meta: { title: 'calls.queue', allow } },
  ],
  menu: [
    { group: 'calls', path: '/calls/missed', title: 'calls.missed', pinyin: 'wjld', order: 20, allow, counter: () => ({ value: useQueue().open.length, hot: true }) },
    { group: 'calls', path: '/calls/queue', title: 'calls.queue', pinyin: 'pddh', order: 30, allow, counter: () => ({ value: useQueue().waiting.length }) },
  ],
  locales: { 'zh-CN': { calls: zh }, en: { calls: en } },
})
