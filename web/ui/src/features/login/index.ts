import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

export default defineFeature({
  routes: [{ path: '/login', component: () => import('./views/Login.vue'), meta: { public: true, bare: true } }],
  locales: { 'zh-CN': { login: zh }, en: { login: en } },
})
