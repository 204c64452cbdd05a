import { createI18n } from 'vue-i18n'
import type { Bilingual } from '@/api/types'
import en from '@/locales/en'
import zh from '@/locales/zh-CN'

export type Locale = 'zh-CN' | 'en'
const KEPT = 'zuoxi.locale'

const kept = (): Locale => (localStorage.getItem(KEPT) === 'en' ? 'en' : 'zh-CN')

export const i18n = createI18n({
  legacy: false,
  locale: kept(),
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zh, en },
})

export const locale = i18n.global.locale

export function setLocale(to: Locale): void {
  locale.value = to
  localStorage.setItem(KEPT, to)
  document.documentElement.lang = to
}

export const addMessages = (messages: Record<Locale, object>): void => {
  for (const [name, part] of Object.entries(messages)) i18n.global.mergeLocaleMessage(name, part)
}

/** Text that comes from the server in both languages, or as one string. */
export const say = (text: Bilingual | string | null | undefined): string =>
  !text || typeof text === 'string' ? (text ?? '') : (locale.value === 'en' ? text.en || text.zh : text.zh || text.en)
