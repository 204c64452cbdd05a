import type { Appointment, Doctor, FieldErrors, ScheduleRow } from '@/api/types'
import { dayAfter } from '@/composables/clinics'
import type { Shape } from '@/design/Glyph.vue'
import type { Tone } from '@/design/StatusTag.vue'

export const LOOK: Record<Appointment['state'], { tone: Tone; shape: Shape }> = {
  asked: { tone: 'info', shape: 'todo' }, held: { tone: 'warn', shape: 'clock' }, booked: { tone: 'primary', shape: 'now' }, waiting: { tone: 'warn', shape: 'hold' },
  checked_in: { tone: 'ok', shape: 'done' }, no_show: { tone: 'danger', shape: 'out' }, cancelled: { tone: 'info', shape: 'bad' }, failed: { tone: 'danger', shape: 'bad' },
}
/** What the filter offers, and the states each choice means; none means all. */
export const FILTERS = { all: '', expected: 'asked,held,booked', waiting: 'waiting', seen: 'checked_in', off: 'no_show,cancelled,failed' } as const
export type Filter = keyof typeof FILTERS

export type Act = 'no_show' | 'cancel' | 'reschedule'
export const REASONS: Record<'cancel' | 'reschedule' | 'suspend', string[]> = {
  cancel: ['time', 'well', 'elsewhere', 'price', 'clinic', 'other'],
  reschedule: ['time', 'clinic', 'other'],
  suspend: ['illness', 'leave', 'meeting', 'other'],
}

/** A row of the table; appointments without a ticket have no number, so the place names them. */
export type Row = Appointment & { id: string }
export const asRow = (one: Appointment, at: number): Row => ({ ...one, id: one.number ?? `${one.doctor?.key ?? ''} ${one.date ?? one.created_at} ${one.hour ?? ''} ${at}` })

export const WEEK = 7
/** The days of one view, from its first. */
export const daysFrom = (first: string): string[] => Array.from({ length: WEEK }, (_, i) => dayAfter(first, i))

export interface DoctorRow { key: string; doctor: Pick<Doctor, 'key' | 'name' | 'name_en' | 'title'>; posts: Doctor['posts']; days: Map<string, ScheduleRow[]> }

/** One row a doctor: those who work at the clinic, and those who only have schedules left there. */
export function byDoctor(doctors: Doctor[], schedules: ScheduleRow[]): DoctorRow[] {
  const rows = new Map<string, DoctorRow>(doctors.map((one) => [one.key, { key: one.key, doctor: one, posts: one.posts.filter((post) => post.is_active), days: new Map() }]))
  for (const schedule of schedules) {
    const key = schedule.doctor.key
    const row = rows.get(key) ?? { key, doctor: schedule.doctor, posts: [], days: new Map() }
    rows.set(key, row)
    row.days.set(schedule.date, [...(row.days.get(schedule.date) ?? []), schedule].sort((a, b) => a.start_hour - b.start_hour))
  }
  return [...rows.values()]
}

export interface Overlap { clinic: string; start: number; end: number }
/** Where the doctor is at these hours already, as the refusal of an overlapping schedule tells. */
export function overlapOf(fields: FieldErrors): Overlap | null {
  for (const problem of Object.values(fields).flat() as Record<string, unknown>[]) {
    if (problem.code === 'overlaps' && typeof problem.clinic === 'string') return { clinic: problem.clinic, start: Number(problem.start_hour), end: Number(problem.end_hour) }
  }
  return null
}
