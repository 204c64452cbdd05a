import type { Session } from '@/api/types'
import { defineFeature } from '@/app/features'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

const ROLES = ['agent', 'team_leader', 'supervisor', 'manager', 'director', 'clinic', 'doctor']
const allow = ({ user }: Session) => user.roles.some((role) => ROLES.includes(role))
const keepsSchedules = ({ user }: Session) => user.permissions.includes('appointments.schedule')

const { errors, form, ...words } = zh
const { errors: errorsEn, form: formEn, ...wordsEn } = en

export default defineFeature({
  routes: [
    { path: '/appointments', component: () => import('./views/Appointments.vue'), meta: { title: 'appointments.title', allow } },
    { path: '/schedules', component: () => import('./views/Schedules.vue'), meta: { title: 'appointments.schedules', allow: keepsSchedules } },
  ],
  menu: [
    { group: 'support', path: '/appointments', title: 'appointments.title', pinyin: 'yy', order: 20, allow },
    { group: 'support', path: '/schedules', title: 'appointments.schedules', pinyin: 'pb', order: 30, allow: keepsSchedules },
  ],
  locales: { 'zh-CN': { appointments: words, errors, form }, en: { appointments: wordsEn, errors: errorsEn, form: formEn } },
})
