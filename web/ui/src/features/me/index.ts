import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

export default defineFeature({
  routes: [{ path: '/me', component: () => import('./views/Me.vue'), meta: { title: 'me.title' } }],
  menu: [{ group: 'me', path: '/me', title: 'me.title', pinyin: 'wdgk', order: 10 }],
  locales: { 'zh-CN': { me: zh }, en: { me: en } },
})
