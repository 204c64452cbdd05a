import { describe, expect, it } from 'vitest'
import type { TimelineRow } from '@/api/types'
import { taskToShow } from './ticket'
import { timelineItems } from './timeline'

const row = (change: Partial<TimelineRow>): TimelineRow => ({ at: '2026-11-25T08:00:00Z', actor: null, auto: false, rule: null, action: 'completed', element: null, text: null, ...change })
const words = { at: (at: string) => at.slice(11, 16), full: (at: string) => at, action: (name: string) => `<${name}>`, element: (id: string | null) => id ?? '', automatic: 'auto', due: (name: string) => `when due: ${name}` }

describe('the timeline of a ticket', () => {
  it('says who did what, oldest first, and the rule behind an automatic act', () => {
    const items = timelineItems([row({ at: '2026-11-25T09:00:00Z', auto: true, action: 'overdue', element: 'call', rule: 'due after 4 h' }), row({ actor: { number: '1023', name: '张*丽' }, element: 'plan' })], null, words)
    expect(items.map((item) => [item.at, item.who, item.text, item.more, item.kind])).toEqual([
      ['08:00', '1023 张*丽', '<completed> · plan', undefined, 'user'],
      ['09:00', 'auto', '<overdue> · call', 'due after 4 h', 'timer'],
    ])
    expect(items.some((item) => item.next)).toBe(false)
  })

  it('puts what the flow will do by itself behind it, marked as still to come', () => {
    const items = timelineItems([row({})], { timers: [{ element: 'remind', due_at: '2026-11-25T10:30:00Z' }, { element: 'due', due_at: '2026-11-25T10:00:00Z' }] }, words)
    expect(items.slice(1)).toMatchObject([{ at: '10:00', next: true, kind: 'timer', text: 'when due: due' }, { at: '10:30', next: true, text: 'when due: remind' }])
  })
})

describe('the task a ticket page shows', () => {
  const task = (id: number, change: object) => ({ id, mine: false, claimable: false, ...change }) as never
  it('is the own one, then one to claim, then any open one', () => {
    expect(taskToShow({ task: '4', tasks: [task(9, {})] })).toBe('4')
    expect(taskToShow({ task: null, tasks: [task(1, {}), task(2, { claimable: true })] })).toBe('2')
    expect(taskToShow({ task: null, tasks: [task(1, {})] })).toBe('1')
    expect(taskToShow({ task: null })).toBe(null)
  })
})
