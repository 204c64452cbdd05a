import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

export default defineFeature({
  routes: [{ path: '/announcements', component: () => import('./views/Announcements.vue'), meta: { title: 'announcements.title' } }],
  menu: [{ group: 'me', path: '/announcements', title: 'announcements.title', pinyin: 'gg', order: 20 }],
  locales: { 'zh-CN': { announcements: zh }, en: { announcements: en } },
})
