import { defineFeature } from '@/app/features'
import { usePhone } from '@/live/phone'
import type { Session } from '@/api/types'
import ScreenPop from './components/ScreenPop.vue'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const allow = (session: Session) => session.agent !== null

export default defineFeature({
  routes: [{ path: '/desk', component: () => import('./views/Desk.vue'), meta: { title: 'desk.title', call: true, allow } }],
  menu: [{ group: 'calls', path: '/desk', title: 'desk.title', pinyin: 'dqld', order: 10, allow, counter: () => ({ value: usePhone().liveCalls.length }) }],
  frame: { background: ScreenPop },
  locales: { 'zh-CN': { desk: zh }, en: { desk: en } },
})
