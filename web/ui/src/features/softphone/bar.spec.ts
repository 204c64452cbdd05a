import { describe, expect, it } from 'vitest'
import type { CallView, PhoneState } from '@/api/types'
import { barOf, faceOf, type Face } from './bar'

const T0 = Date.UTC(2026, 10, 25, 9, 0, 0)
const at = (seconds: number) => new Date(T0 + seconds * 1000).toISOString()
const phone = (facts: Partial<PhoneState> = {}): PhoneState => ({
  state: 'ready', reason: null, since: at(0), planned_until: null, wrap_up_until: null, wrap_up_extended: false, after_call: null, signed_in: [], skills: [],
  reasons: [{ key: 'meeting', kind: 'not_ready', title: { zh: '会议', en: 'Meeting' }, minutes: 30 }, { key: 'lunch', kind: 'rest', title: { zh: '午餐', en: 'Lunch' }, minutes: 30 }],
  ...facts,
})
const call = (facts: Partial<CallView> = {}): CallView => ({
  id: 'c1', direction: 'in', state: 'ringing', muted: false, number: '138****1234', area: null, queue: null, called: '400', started_at: at(0), answered_at: null, held_since: null, state_since: at(0),
  ended_at: null, verified: false, card: null, candidates: [], open_tasks: [], tickets: [], purpose: null, history: null, reason: null, ...facts,
})
const bar = (p: Partial<PhoneState>, c: Partial<CallView> | null, now = 0) => barOf(phone(p), c && call(c), T0 + now * 1000)

describe('phone bar', () => {
  it.each<[Face, Partial<PhoneState>, Partial<CallView> | null, string[]]>([
    ['out', { state: 'null' }, null, []],
    ['idle', { state: 'ready' }, null, ['dial']],
    ['busy', { state: 'not_ready', reason: 'meeting' }, null, ['dial']],
    ['rest', { state: 'not_ready', reason: 'lunch' }, null, ['dial']],
    ['ring', { state: 'busy' }, { state: 'ringing' }, ['answer', 'hang']],
    ['dial', { state: 'busy' }, { state: 'ringing', direction: 'out' }, ['hang']],
    ['talk', { state: 'busy' }, { state: 'talking' }, ['hang', 'hold', 'mute', 'unmute', 'wrap']],
    ['hold', { state: 'busy' }, { state: 'held' }, ['hang', 'retrieve']],
    ['wrap', { state: 'acw' }, null, ['dial', 'wrap']],
  ])('%s: exactly its buttons are live', (face, p, c, live) => {
    expect(faceOf(phone(p), c && call(c))).toBe(face)
    expect([...bar(p, c).live].sort()).toEqual([...live].sort())
  })

  it('puts resume in the place of hold, and unmute in the place of mute', () => {
    expect(bar({ state: 'busy' }, { state: 'held' }).holdVerb).toBe('retrieve')
    expect(bar({ state: 'busy' }, { state: 'talking', muted: true }).muteVerb).toBe('unmute')
  })

  it('counts talking from the answer and holding from the hold, by the instants of the server', () => {
    expect(bar({ state: 'busy' }, { state: 'talking', answered_at: at(5), state_since: at(100) }, 197).ms).toBe(192_000)
    expect(bar({ state: 'busy' }, { state: 'held', answered_at: at(5), held_since: at(100) }, 147).ms).toBe(47_000)
  })

  it('counts wrap-up down to zero and not below', () => {
    expect(bar({ state: 'acw', wrap_up_until: at(30) }, null, 6).ms).toBe(24_000)
    expect(bar({ state: 'acw', wrap_up_until: at(30) }, null, 31).ms).toBe(0)
  })

  it('lets wrap-up be extended once', () => {
    expect(bar({ state: 'acw', wrap_up_until: at(60), wrap_up_extended: true }, null).live.has('wrap')).toBe(false)
  })

  it('lets wrap-up be extended only by who may', () => {
    const wrapping = { ...phone(), state: 'acw' as const, wrap_up_until: at(60) }
    expect(barOf(wrapping, null, T0, true).live.has('wrap')).toBe(true)
    expect(barOf(wrapping, null, T0, false).live.has('wrap')).toBe(false)
  })

  it('shows signed out while nothing is known yet, without a time', () => {
    expect(barOf(null, null, T0)).toMatchObject({ face: 'out', ms: null })
  })

  it('never shows a negative time when the clocks differ', () => {
    expect(bar({ state: 'ready', since: at(10) }, null, 0).ms).toBe(0)
  })
})
