import { describe, expect, it } from 'vitest'
import type { ReportParam } from '@/api/types'
import { asQuery, exportAddress, filterSchema, startValues } from './report'

const params: ReportParam[] = [
  { name: 'period', kind: 'period', title: { zh: '日期', en: 'Period' }, choices: [], default: 7 },
  { name: 'outcome', kind: 'choice', title: { zh: '结果', en: 'Outcome' }, choices: ['answered', 'abandoned'], default: null },
  { name: 'queue', kind: 'text', title: { zh: '队列', en: 'Queue' }, choices: [], default: null },
]

describe('filters of a report', () => {
  it('come from its parameters', () => {
    const schema = filterSchema(params, { say: (text) => text.en, code: (key) => `<${key}>`, from: (title) => `${title} from`, to: (title) => `${title} to` })
    expect(Object.entries(schema.properties!).map(([name, part]) => [name, part.title])).toEqual([['period_from', 'Period from'], ['period_to', 'Period to'], ['outcome', 'Outcome'], ['queue', 'Queue']])
    expect(schema.properties?.outcome?.oneOf).toEqual([{ const: 'answered', title: '<answered>' }, { const: 'abandoned', title: '<abandoned>' }])
  })

  it('start with the days the report asks for, across the end of a month', () => {
    expect(startValues(params, new Date(2026, 11, 3, 9).getTime())).toEqual({ period_from: '2026-11-27', period_to: '2026-12-03' })
  })

  it('go into the export as they stand', () => {
    expect(asQuery({ period_from: '2026-12-01', queue: '', outcome: undefined })).toEqual({ period_from: '2026-12-01' })
    expect(exportAddress('call_detail', 'xlsx', 'en', { queue: 'a & b' })).toBe('/api/reports/call_detail/export?queue=a+%26+b&type=xlsx&lang=en')
  })
})
