import type { Bilingual, Instant } from '@/api/types'

export interface Flow { key: string; name: Bilingual | string; version: number; startable: boolean; description: Bilingual | string | null }
export interface InstanceRow { id: string; business_key: string; status: string; started_at: Instant; ended_at: Instant | null; version: number; ticket?: string | null; is_stuck?: boolean; at?: { element: string; name: Bilingual | string }[] }
/** An incident, tolerant of which of two names the server uses. */
export interface IncidentRow {
  id: string
  element: string | null
  code?: string
  topic?: string
  cause?: string
  message?: string
  at?: Instant
  opened_at?: Instant
  state: string
  instance?: string | null
  subject?: string
  flow?: { key: string; name: Bilingual | string } | null
  business_key?: string | null
  ticket?: string | null
  can?: string[]
}
export interface MessageRow { id: string; name: string; business_key?: string | null; subject?: string | null; keys?: Record<string, string>; state: string; at?: Instant; received_at?: Instant; expires_at?: Instant | null }

export const listOf = <T>(answer: T[] | { results: T[] }): T[] => (Array.isArray(answer) ? answer : answer.results)
export const instanceOf = (row: IncidentRow): string | null => (row.instance ? String(row.instance) : /^instance:(.+)$/.exec(row.subject ?? '')?.[1] ?? null)
