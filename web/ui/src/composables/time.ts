import { useI18n } from 'vue-i18n'
import { now } from './clock'

const pad = (value: number) => String(value).padStart(2, '0')

/** mm:ss, from one hour on hh:mm:ss. */
export function running(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h ? `${pad(h)}:${pad(m)}:${pad(s)}` : `${pad(m)}:${pad(s)}`
}

/** Length of something over: mm:ss, from one hour on hh:mm with the word. */
export const sinceMs = (instant: string | null | undefined, at: number): number => (instant ? Math.max(0, at - Date.parse(instant)) : 0)

export const clock = (date: Date, seconds = false): string => `${pad(date.getHours())}:${pad(date.getMinutes())}${seconds ? `:${pad(date.getSeconds())}` : ''}`

const dayNumber = (date: Date) => Math.floor((date.getTime() - date.getTimezoneOffset() * 60_000) / 86_400_000)

export function useTime() {
  const { t } = useI18n()

  /** Today 14:24, tomorrow or yesterday with the word, this week with the weekday, else 09-21 (with the year when it differs). */
  function shortTime(instant: string | null | undefined): string {
    if (!instant) return ''
    const date = new Date(instant)
    if (Number.isNaN(date.getTime())) return instant
    const today = new Date(now.value)
    const days = dayNumber(date) - dayNumber(today)
    if (days === 0) return clock(date)
    if (days === 1) return t('time.tomorrow', { time: clock(date) })
    if (days === -1) return t('time.yesterday', { time: clock(date) })
    if (Math.abs(days) < 7) return `${t(`time.weekday.${date.getDay()}`)} ${clock(date)}`
    const day = `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
    return date.getFullYear() === today.getFullYear() ? day : `${date.getFullYear()}-${day}`
  }

  /** Exact local time for titles and tables: 2026-11-25 14:24:05. */
  function fullTime(instant: string | null | undefined): string {
    if (!instant) return ''
    const date = new Date(instant)
    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(date, true)}`
  }

  /** Talk time and the like: 4:10; from one hour on 1:02:10. */
  function duration(ms: number | null | undefined): string {
    return ms == null ? '' : running(ms).replace(/^0/, '')
  }

  return { shortTime, fullTime, duration }
}
