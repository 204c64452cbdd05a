import { describe, expect, it } from 'vitest'
import type { CallView, Phone, PhoneState } from '@/api/types'
import { fold, fromSnapshot, noPhone, type PhoneFacts } from './phone'
import { TopicLog, type LiveEvent } from './topic'

const at = (s: number) => new Date(Date.UTC(2026, 10, 25, 9, 0, s)).toISOString()
const phoneAt = (s: number, state: PhoneState['state']): PhoneState => ({
  state, reason: null, since: at(s), planned_until: null, wrap_up_until: null, wrap_up_extended: false, after_call: null, signed_in: ['booking'], skills: [], reasons: [],
})
const callAt = (id: number, s: number, state: CallView['state']): CallView => ({
  id: `c${id}`, direction: 'in', state, muted: false, number: '138****1234', area: null, queue: null, called: '4001', started_at: at(id), answered_at: id % 2 ? at(id) : null, held_since: null,
  state_since: at(s), ended_at: null, verified: false, card: null, candidates: [], open_tasks: [], tickets: [], purpose: null, history: null, reason: null,
})

/** A server that keeps the truth, numbers its events and answers snapshots. */
class Server {
  epoch = 'e1'
  n = 0
  phone = phoneAt(0, 'ready')
  calls = new Map<string, CallView>()
  private second = 0

  snapshot(): Phone {
    return structuredClone({ ...this.phone, calls: [...this.calls.values()], live: { phone: `${this.epoch}:${this.n}` } })
  }
  private told(event: string, data: unknown): LiveEvent {
    return structuredClone({ topic: 'phone', epoch: this.epoch, n: ++this.n, event, data })
  }
  /** Ended calls are shown until their wrap-up is over. */
  private clear(): void {
    const wrapping = ['busy', 'acw'].includes(this.phone.state)
    for (const call of this.calls.values()) if (call.state === 'ended' && (!wrapping || !call.answered_at)) this.calls.delete(call.id)
  }
  act(random: (n: number) => number): LiveEvent {
    this.second++
    if (random(10) === 0) {
      this.epoch = `e${this.second}`
      this.n = 0
    }
    if (random(3) === 0) {
      this.phone = phoneAt(this.second, (['ready', 'busy', 'acw', 'not_ready'] as const)[random(4)])
      this.clear()
      return this.told('PhoneChanged', this.phone)
    }
    const id = random(4)
    const state = (['ringing', 'talking', 'held', 'ended'] as const)[random(4)]
    const call = callAt(id, this.second, state)
    this.calls.set(call.id, call)
    this.clear()
    return this.told(state === 'ended' ? 'CallEnded' : 'CallChanged', call)
  }
}

describe('the own phone', () => {
  it('shows after any snapshot, lost, doubled and late events exactly what a fresh fetch shows', () => {
    let seed = 20261125
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
    for (let run = 0; run < 300; run++) {
      const server = new Server()
      let facts: PhoneFacts = noPhone()
      let wanted = true
      const log = new TopicLog((event) => (facts = fold(facts, event.event, event.data)), () => (wanted = true))
      const read = () => {
        wanted = false
        const snapshot = server.snapshot()
        const [epoch, n] = (snapshot.live as Record<string, string>).phone.split(':')
        // Events may come while the answer is on its way.
        const late = random(2) ? [server.act(random)] : []
        for (const event of late) log.receive(event)
        facts = fromSnapshot(snapshot)
        log.snapshot({ epoch, n: Number(n) })
      }
      for (let step = 0; step < 40; step++) {
        if (wanted && random(2)) read()
        const event = server.act(random)
        if (random(6) === 0) continue // lost on the way
        log.receive(event)
        if (random(6) === 0) log.receive(event)
      }
      // The heartbeat finds what was lost last.
      log.heartbeat({ epoch: server.epoch, n: server.n })
      for (let guard = 0; wanted && guard < 10; guard++) {
        read()
        log.heartbeat({ epoch: server.epoch, n: server.n })
      }
      expect(facts).toEqual(fromSnapshot(server.snapshot()))
    }
  })

  it('keeps an ended call for its wrap-up, lets go of one that rang in vain, and ignores events it does not know', () => {
    const facts = fold(fromSnapshot({ ...phoneAt(0, 'busy'), calls: [callAt(1, 1, 'talking')], live: {} }), 'CallEnded', callAt(1, 9, 'ended'))
    expect(facts.calls[0].state).toBe('ended')
    expect(fold(facts, 'PhoneChanged', phoneAt(30, 'acw')).calls).toHaveLength(1)
    expect(fold(facts, 'PhoneChanged', phoneAt(60, 'ready')).calls).toEqual([])
    expect(fold(fromSnapshot({ ...phoneAt(0, 'busy'), calls: [callAt(2, 1, 'ringing')], live: {} }), 'CallEnded', callAt(2, 9, 'ended')).calls).toEqual([])
    expect(fold(facts, 'SomethingNew', {})).toBe(facts)
  })
})
