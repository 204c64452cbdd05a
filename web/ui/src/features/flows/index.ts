import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const has = (...codes: string[]) => ({ user }: Session) => codes.some((code) => user.permissions.includes(code))
// Whoever may open tickets may start a flow without a call; whoever tends flows sees them too.
const allow = has('tickets.open', 'workflow.deploy', 'workflow.incidents')
const mayMend = has('workflow.incidents')

const { errors, ...words } = zh
const { errors: errorsEn, ...wordsEn } = en

export default defineFeature({
  routes: [
    { path: '/flows', component: () => import('./views/Flows.vue'), meta: { title: 'flows.title', allow } },
    { path: '/flows/incidents', component: () => import('./views/Incidents.vue'), meta: { title: 'flows.incidents', allow: mayMend } },
    { path: '/instances/:id', component: () => import('./views/Instance.vue'), props: true, meta: { title: 'flows.instance', allow } },
  ],
  menu: [
    { group: 'studio', path: '/flows', title: 'flows.title', pinyin: 'lc', order: 10, allow },
    { group: 'studio', path: '/flows/incidents', title: 'flows.incidents', pinyin: 'sjcl', order: 20, allow: mayMend },
  ],
  locales: { 'zh-CN': { flows: words, errors }, en: { flows: wordsEn, errors: errorsEn } },
})
