import type { Customer, FormData, HistoryRow, JsonSchema } from '@/api/types'

export const IDENTITIES: Customer['identity'][] = ['potential', 'first_visit', 'return_visit', 'partner_doctor', 'staff', 'industry', 'government_media', 'other']
export const POPULATIONS: NonNullable<Customer['population']>[] = ['child', 'teenager', 'adult', 'elderly']
export const SEXES = ['male', 'female']
/** Reasons for seeing what is masked; each look is written down with its reason. */
export const REVEAL_REASONS = ['call_back', 'verify', 'delivery', 'complaint', 'other']

/** Parts of the page beside the record. The first four are the history: all of it, or one kind. */
export const HISTORY_TABS = ['history', 'calls', 'tickets', 'appointments'] as const
export const TABS = [...HISTORY_TABS, 'orders', 'member', 'owners'] as const
export type Tab = (typeof TABS)[number]
type HistoryTab = (typeof HISTORY_TABS)[number]
const KIND: Record<Exclude<HistoryTab, 'history'>, HistoryRow['kind']> = { calls: 'call', tickets: 'ticket', appointments: 'appointment' }

export const isHistory = (tab: Tab): tab is HistoryTab => (HISTORY_TABS as readonly string[]).includes(tab)
export const historyOf = (rows: HistoryRow[], tab: HistoryTab): HistoryRow[] => (tab === 'history' ? rows : rows.filter((row) => row.kind === KIND[tab]))

const EDITABLE = ['name', 'nickname', 'sex', 'birth_date', 'identity', 'population', 'occupation', 'province', 'city', 'address', 'wechat', 'email', 'allergies', 'preferences', 'history_note'] as const

type Say = (key: string) => string
const choices = (group: string, keys: string[], say: Say) => keys.map((key) => ({ const: key, title: say(`${group}.${key}`) }))

/** Form of the record. A masked field starts empty and shows its mask: it is sent only when something new is typed. */
export function schemaOf(customer: Customer, say: Say): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  for (const name of EDITABLE) {
    const masked = customer.masked.includes(name)
    const part: JsonSchema = { type: 'string', title: say(`field.${name}`), maxLength: name === 'history_note' || name === 'preferences' ? 400 : 120, 'x-ui': { widget: 'text', placeholder: masked ? String(customer[name] ?? '') : '' } }
    if (name === 'sex') Object.assign(part, { oneOf: choices('sex', SEXES, say), 'x-ui': { widget: 'radio' } })
    if (name === 'identity') Object.assign(part, { oneOf: choices('identity', IDENTITIES, say), 'x-ui': { widget: 'select' } })
    if (name === 'population') Object.assign(part, { oneOf: choices('population', POPULATIONS, say), 'x-ui': { widget: 'select' } })
    if (name === 'birth_date') Object.assign(part, { format: 'date', 'x-ui': { widget: 'date' } })
    if (name === 'history_note') part['x-ui'] = { widget: 'textarea', rows: 2 }
    properties[name] = part
  }
  return { type: 'object', properties }
}

export function valuesOf(customer: Customer): FormData {
  const values: FormData = {}
  for (const name of EDITABLE) {
    if (customer.masked.includes(name)) continue
    const value = name === 'allergies' ? customer.allergies.join(', ') : customer[name]
    if (value !== null && value !== undefined && value !== '') values[name] = value
  }
  return values
}

/** Only what was changed is sent; a field that was emptied is sent empty. */
export function changesOf(before: FormData, after: FormData): FormData {
  const changes: FormData = {}
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [from, to] = [before[name] ?? '', after[name] ?? '']
    if (from !== to) changes[name] = name === 'birth_date' && to === '' ? null : to
  }
  return changes
}
