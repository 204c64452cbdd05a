import { describe, expect, it } from 'vitest'
import type { TimelineRow } from '@/api/types'
import { taskToShow } from './ticket'
import { timelineItems } from './timeline'

const row = (change: Partial<TimelineRow>): TimelineRow => ({ at: '2026-11-25T08:00:00Z', actor: null, auto: false, rule: null, action: 'completed', element: null, name: null, text: null, facts: {}, ...change })
const words = { at: (at: string) => at.slice(11, 16), full: (at: string) => at, action: (name: string) => `<${name}>`, name: (one: TimelineRow) => one.element ?? '', rule: (rule: { en: string }) => rule.en, reason: (text: string) => `(${text})`, to: (who: string) => `to ${who}`, automatic: 'auto' }

describe('the timeline of a ticket', () => {
  it('says who did what, oldest first, and the rule behind an automatic act', () => {
    const items = timelineItems([row({ at: '2026-11-25T09:00:00Z', auto: true, action: 'overdue', element: 'call', rule: { zh: '回拨 v3', en: 'Call back v3' } }), row({ actor: { number: '1023', name: '张*丽' }, element: 'plan' })], words)
    expect(items.map((item) => [item.at, item.who, item.text, item.more, item.kind])).toEqual([
      ['08:00', '1023 张*丽', '<completed> · plan', undefined, 'user'],
      ['09:00', 'auto', '<overdue> · call', 'Call back v3', 'timer'],
    ])
    expect(items.some((item) => item.next)).toBe(false)
  })

  it('leaves out what an ending step took down with it', () => {
    expect(timelineItems([row({ auto: true, action: 'cancelled', element: 'remind' }), row({ action: 'cancelled', actor: { number: '2001', name: '赵*' } })], words)).toHaveLength(1)
  })

  it('names who got the task and why', () => {
    const [item] = timelineItems([row({ action: 'reassigned', actor: { number: '2001', name: '赵*' }, text: 'absent', facts: { to: '1031', to_name: '李*' } })], words)
    expect(item).toMatchObject({ text: '<reassigned> · to 1031 李*', more: '(absent)' })
  })

  it('says the reason and what was noted beside it apart', () => {
    const [item] = timelineItems([row({ action: 'reassigned', actor: { number: '2001', name: '赵*' }, text: 'until noon', facts: { to: '1031', reason: 'absent' } })], words)
    expect(item.more).toBe('(absent) · (until noon)')
  })

  it('puts what the flow will do by itself behind everything, marked as still to come', () => {
    const items = timelineItems([row({ at: '2026-11-25T07:00:00Z', action: 'will_fire', auto: true, element: 'due', rule: { zh: '回拨 v3', en: 'Call back v3' } }), row({})], words)
    expect(items.map((item) => [item.text, item.next ?? false, item.kind])).toEqual([['<completed>', false, 'user'], ['<will_fire> · due', true, 'timer']])
  })
})

describe('the task a ticket page shows', () => {
  const task = (id: string, change: object) => ({ id, mine: false, claimable: false, ...change }) as never
  it('is the own one, then one to claim, then any open one', () => {
    expect(taskToShow({ task: '4', tasks: [task('9', {})] })).toBe('4')
    expect(taskToShow({ task: null, tasks: [task('1', {}), task('2', { claimable: true })] })).toBe('2')
    expect(taskToShow({ task: null, tasks: [task('1', {})] })).toBe('1')
    expect(taskToShow({ task: null, tasks: [] })).toBe(null)
  })
})
