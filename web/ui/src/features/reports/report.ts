import type { Bilingual, FormData, JsonSchema, ReportParam } from '@/api/types'
import type { Query } from '@/api/client'

interface Words { say: (text: Bilingual) => string; code: (key: string) => string; from: (title: string) => string; to: (title: string) => string }

/** The filters of a report as a form: a period is two dates, a choice a select, everything else text. */
export function filterSchema(params: ReportParam[], words: Words): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  for (const param of params) {
    const title = words.say(param.title)
    if (param.kind === 'period') {
      properties[`${param.name}_from`] = { type: 'string', format: 'date', title: words.from(title), 'x-ui': { widget: 'date' } }
      properties[`${param.name}_to`] = { type: 'string', format: 'date', title: words.to(title), 'x-ui': { widget: 'date' } }
    } else if (param.kind === 'choice') {
      properties[param.name] = { type: 'string', title, oneOf: param.choices.map((one) => ({ const: one, title: words.code(one) })), 'x-ui': { widget: 'select' } }
    } else {
      properties[param.name] = { type: 'string', title, maxLength: 80, 'x-ui': { widget: 'text' } }
    }
  }
  return { type: 'object', properties }
}

const day = (date: Date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, '0')}-${String(date.getDate()).padStart(2, '0')}`

/** What the filters start with: a period covers its default number of days up to today. */
export function startValues(params: ReportParam[], nowMs: number): FormData {
  const values: FormData = {}
  for (const param of params) {
    if (param.kind === 'period') {
      const days = typeof param.default === 'number' ? param.default : 1
      const first = new Date(nowMs)
      first.setDate(first.getDate() - (days - 1))
      values[`${param.name}_from`] = day(first)
      values[`${param.name}_to`] = day(new Date(nowMs))
    } else if (param.default !== null && param.default !== undefined) {
      values[param.name] = param.default
    }
  }
  return values
}

export const asQuery = (values: FormData): Query => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== '').map(([name, value]) => [name, String(value)]))

export function exportAddress(name: string, type: 'csv' | 'xlsx', lang: 'zh' | 'en', values: FormData): string {
  const query = new URLSearchParams({ ...(asQuery(values) as Record<string, string>), type, lang })
  return `/api/reports/${encodeURIComponent(name)}/export?${query.toString()}`
}
