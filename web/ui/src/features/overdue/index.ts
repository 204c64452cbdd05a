import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import Live from './components/live'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'
import { useOverdue } from './store'

const allow = (session: Session) => session.user.permissions.includes('tasks.reassign')

export default defineFeature({
  routes: [{ path: '/overdue', component: () => import('./views/Overdue.vue'), meta: { title: 'overdue.title', allow } }],
  menu: [{ group: 'tasks', path: '/overdue', title: 'overdue.title', pinyin: 'cscp', order: 50, allow, counter: () => ({ value: useOverdue().count, hot: true }) }],
  locales: { 'zh-CN': { overdue: zh }, en: { overdue: en } },
  frame: { background: Live },
})
