import { describe, expect, it } from 'vitest'
import type { FloorAgent } from '@/api/types'
import { fold, levelOf, shapeOf, sorted, type Floor } from './floor'

const NOW = Date.UTC(2026, 10, 25, 14, 0, 0)
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString()
const agent = (number: string, change: Partial<FloorAgent> = {}): FloorAgent => ({ number, name: number, group: { key: 'booking', name: { zh: '预约', en: 'Booking' } }, state: 'ready', reason: null, since: ago(60), planned_until: null, wrap_up_until: null, call: null, ...change })
const call = (state: NonNullable<FloorAgent['call']>['state'], seconds: number) => ({ id: 'c', number: '138****1234', customer: null, direction: 'in', state, since: ago(seconds) })
const floor = (agents: FloorAgent[]): Floor => ({ figures: { waiting: 1, talking: 0 } as Floor['figures'], agents, queue: [] })

describe('the floor', () => {
  it('puts exceptions on top, then who is in a state the longest, signed out last', () => {
    const list = [
      agent('1', { since: ago(200) }), agent('2', { state: 'busy', call: call('talking', 700) }), agent('3', { state: 'acw', since: ago(40) }), agent('4', { state: 'null', since: ago(9000) }), agent('5', { since: ago(900) }),
    ]
    expect(sorted(list, NOW).map((one) => one.number)).toEqual(['2', '3', '5', '1', '4'])
    expect(levelOf(list[1], NOW)).toBe('over')
    expect(levelOf(list[2], NOW)).toBe('soon')
  })

  it('says what an agent does by the call first, then by the state', () => {
    expect(shapeOf(agent('1', { state: 'busy', call: call('ringing', 1) }))).toBe('ring')
    expect(shapeOf(agent('1', { state: 'busy', call: call('held', 1) }))).toBe('hold')
    expect(shapeOf(agent('1', { state: 'not_ready', reason: 'meeting' }))).toBe('busy')
    expect(shapeOf(agent('1', { state: 'not_ready', reason: 'lunch' }))).toBe('rest')
    expect(shapeOf(agent('1', { state: 'null' }))).toBe('out')
  })

  it('shows after events what a fresh snapshot shows', () => {
    const before = floor([agent('1'), agent('2')])
    const moved = agent('1', { state: 'acw', since: ago(0) })
    const one = fold(before, 'AgentChanged', moved).floor
    const two = fold(one, 'FiguresChanged', { figures: { waiting: 3 } }).floor
    const three = fold(two, 'AgentChanged', { agent: agent('3') }).floor
    expect(three).toEqual({ figures: { waiting: 3, talking: 0 }, agents: [moved, agent('2'), agent('3')], queue: [] })
  })

  it('reads again when an event does not carry enough', () => {
    expect(fold(floor([]), 'AgentChanged', { id: 4 }).reread).toBe(true)
    expect(fold(floor([]), 'FiguresChanged', {}).reread).toBe(true)
    expect(fold(floor([]), 'SomethingNew', {}).reread).toBe(true)
  })
})
