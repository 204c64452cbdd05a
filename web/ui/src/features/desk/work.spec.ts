import { describe, expect, it } from 'vitest'
import type { CallView, Purpose, TicketDetail, TicketRow } from '@/api/types'
import { finished, merge, openWork, ownTickets, purposeKeys, shownCall, workOfTicket } from './work'

const call = (id: string, state: CallView['state'], ended: string | null = null): CallView => ({
  id, state, ended_at: ended, direction: 'in', muted: false, number: '', area: null, queue: null, called: '', started_at: '', answered_at: null, held_since: null, state_since: '',
  verified: false, card: null, candidates: [], open_tasks: [], tickets: [], purpose: null, history: null, reason: null,
})
const ticket = (number: string): TicketRow => ({
  number, kind: 'consult', kind_title: { zh: '咨询', en: 'Inquiry' }, purpose: null, source: null, status: 'open', state: 'open', outcome: null, customer_name: null, caller: null, vip: false,
  owner: null, group: null, opened_at: '', due_at: null, closed_at: null, repeats: 1, instance: null,
})
const opened = (number: string, task: string): TicketDetail => ({
  ...ticket(number), task, summary: null, opened_by: null, customer: null, call: null, calls: [], tasks: [], timeline: [], answers: [], can: [], returns: 0, urges: 0, former: null, merged_into: null,
})
const say = (text: TicketRow['kind_title']) => text.zh

describe('work in a call', () => {
  it('shows the living call before an ended one, and the ended one until it is put away', () => {
    const calls = [call('a', 'ended', '2026-01-01'), call('b', 'ended', '2026-01-02'), call('c', 'talking')]
    expect(shownCall(calls, calls[2], new Set())?.id).toBe('c')
    expect(shownCall(calls.slice(0, 2), null, new Set())?.id).toBe('b')
    expect(shownCall(calls.slice(0, 2), null, new Set(['a', 'b']))).toBeNull()
  })

  it('keeps a call in view after its wrap-up while a form of it is open', () => {
    const kept = call('a', 'ended', '2026-01-01')
    expect(shownCall([], null, new Set(), kept)?.id).toBe('a')
    expect(shownCall([], null, new Set(['a']), kept)).toBeNull()
    expect(shownCall([], call('b', 'ringing'), new Set(), kept)?.id).toBe('b')
  })

  it('tells tickets of this call from older cases of the caller', () => {
    const now = { ...call('a', 'talking'), started_at: '2026-11-25T09:00:00Z', tickets: [{ ...ticket('T2'), opened_at: '2026-11-25T09:01:00.5Z' }, { ...ticket('T1'), opened_at: '2026-11-24T09:00:00Z' }] }
    expect(ownTickets(now).map((one) => one.number)).toEqual(['T2'])
  })

  it('keeps what the page knows when the row of the call comes again', () => {
    const mine = merge([], [workOfTicket(opened('T1', 'task1'), say)]).map((work) => ({ ...work, done: true }))
    const again = merge(mine, [workOfTicket(ticket('T1'), say), workOfTicket(opened('T2', 'task2'), say)])
    expect(again.map((work) => [work.key, work.task, work.done])).toEqual([['ticket:T1', 'task1', true], ['ticket:T2', 'task2', false]])
    expect(openWork(again).map((work) => work.key)).toEqual(['ticket:T2'])
  })

  it('is finished when the call ended and no form of it is open', () => {
    const open = merge([], [workOfTicket(opened('T1', 'task1'), say)])
    expect(finished(call('a', 'ended'), open, null)).toBe(false)
    expect(finished(call('a', 'ended'), [], null)).toBe(true)
    expect(finished(call('a', 'talking'), [], null)).toBe(false)
  })

  it('gives the keys 1 to 5 to purposes in their order, and none to the others', () => {
    const purpose = (key: string, shortcut: number): Purpose => ({ key, shortcut, title: { zh: key, en: key }, flow: key, enabled: true, why_not: null, subtypes: [] })
    expect(purposeKeys([purpose('other', 5), purpose('blacklist', 0), purpose('appointment', 1)]).map((one) => one.key)).toEqual(['appointment', 'other'])
  })
})
