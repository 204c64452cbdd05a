import { computed } from 'vue'
import { api } from '@/api/client'
import type { Clinic } from '@/api/types'
import { say } from '@/app/i18n'
import { useResource } from './resource'

/** The name of a clinic, department, doctor or product in the language of the page. */
export const nameOf = (one: { name: string; name_en?: string | null } | null | undefined): string => (one ? say({ zh: one.name, en: one.name_en ?? '' }) : '')

/** All clinics, for filters and for naming a key. */
export function useClinics() {
  const list = useResource<Clinic[]>((signal) => api.get<Clinic[]>('/api/clinics', {}, { signal }))
  const clinics = computed(() => list.data.value ?? [])
  const clinicName = (key: string | null | undefined): string => (key ? nameOf(clinics.value.find((one) => one.key === key)) || key : '')
  return { clinics, clinicName }
}

const pad = (value: number) => String(value).padStart(2, '0')
/** 10:00-11:00 */
export const hours = (from: number | null, to = (from ?? 0) + 1): string => (from === null ? '' : `${pad(from)}:00-${pad(to)}:00`)

/** YYYY-MM-DD of the day `days` after `day`. */
export function dayAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() + days)
  return date.toISOString().slice(0, 10)
}
/** The local day of an instant. */
export const dayOf = (ms: number): string => {
  const date = new Date(ms)
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
}
