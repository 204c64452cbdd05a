import { defineFeature } from '@/app/features'
import CallStatus from './components/CallStatus.vue'
import PhoneBar from './components/PhoneBar.vue'
import Ringer from './components/Ringer.vue'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

export default defineFeature({
  frame: { phoneBar: PhoneBar, statusBar: CallStatus, background: Ringer },
  locales: { 'zh-CN': { softphone: zh }, en: { softphone: en } },
})
