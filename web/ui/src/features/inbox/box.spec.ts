import { describe, expect, it } from 'vitest'
import type { TaskBox, TaskRow } from '@/api/types'
import { append, belongs, compare, emptyBox, fold, type BoxState } from './box'

const at = (minutes: number) => new Date(Date.UTC(2026, 10, 25, 8, minutes)).toISOString()
const task = (id: number, change: Partial<TaskRow> = {}): TaskRow => ({
  id: String(id), element: 'call', title: `Call back ${id}`, flow: { key: 'outbound_task', name: { zh: '外呼任务', en: 'Outbound' }, version: 1 }, instance: '1', business_key: 'ticket:T1', source: null, repeats: 1, ticket: null, customer: null, vip: false, priority: 3,
  created_at: at(0), due_at: at(60), remind_at: null, overdue_at: null, assignee: null, candidates: [], state: 'open', mine: false, claimable: true, can: ['claim'], undo_until: null, ended_at: null, ended_by: null, about: null, pos: 0, ...change,
})
const mine = (id: number, change: Partial<TaskRow> = {}) => task(id, { mine: true, claimable: false, assignee: { number: '1023', name: '张*丽' }, can: ['complete', 'return'], ...change })
const box = (name: TaskBox, rows: TaskRow[], change: Partial<BoxState> = {}): BoxState => ({ ...emptyBox(name), rows, ...change })
const ids = (state: BoxState) => state.rows.map((row) => row.id)

describe('the boxes of the task center', () => {
  it('shows the task due first on top, tasks without due time last', () => {
    const rows = [task(1, { due_at: null }), task(2), task(3), task(4, { due_at: at(5) })]
    expect(rows.sort((a, b) => compare('mine', a, b)).map((row) => row.id)).toEqual(['4', '2', '3', '1'])
  })

  it('moves a claimed task from the pool of everybody else', () => {
    const claimed = task(1, { claimable: false, assignee: { number: '1031', name: '李*' } })
    expect(ids(fold(box('pool', [task(1), task(2)]), 'TaskChanged', claimed).state)).toEqual(['2'])
  })

  it('takes a task away at once when it goes to somebody else', () => {
    const { state, reread } = fold(box('mine', [mine(1), mine(2)]), 'TaskGone', { id: '1', by: { number: '2001', name: '赵*' }, code: 'reassigned' })
    expect(ids(state)).toEqual(['2'])
    expect(reread).toBe(false)
  })

  it('leaves a completed task out while it can still be undone, and puts it back when it is', () => {
    const waiting = mine(1, { undo_until: at(1) })
    const left = fold(box('mine', [mine(1)]), 'TaskChanged', waiting).state
    expect(ids(left)).toEqual([])
    expect(ids(fold(left, 'TaskChanged', mine(1)).state)).toEqual(['1'])
  })

  it('does not insert a row behind the pages that were read', () => {
    const state = box('pool', [task(1, { due_at: at(10) })], { next: 'more' })
    expect(ids(fold(state, 'TaskChanged', task(2, { due_at: at(50) })).state)).toEqual(['1'])
    expect(ids(fold(state, 'TaskChanged', task(3, { due_at: at(5) })).state)).toEqual(['3', '1'])
    expect(ids(append(state, { results: [task(1), task(2)], next: null }))).toEqual(['1', '2'])
  })

  it('asks the server where a row alone does not tell', () => {
    expect(fold(box('started', []), 'TaskChanged', task(7)).reread).toBe(true)
    expect(fold(box('mine', [], { filtered: true }), 'TaskChanged', mine(7))).toMatchObject({ reread: true, state: { rows: [] } })
    expect(fold(box('done', []), 'TaskGone', { id: '7', by: null, code: 'task_done' }).reread).toBe(true)
  })

  it('takes over new counters and ignores events it does not know', () => {
    const state = box('mine', [mine(1)])
    expect(fold(state, 'CountsChanged', { counts: { mine: 4, pool: 2, started: 0, done: 0, overdue: 1 } }).state.counts.mine).toBe(4)
    expect(fold(state, 'SomethingNew', {}).state).toBe(state)
  })
})

/** A server with tasks for one agent: it changes them at random and tells what it changed. */
class Server {
  tasks = new Map<string, TaskRow>()
  private last = 0
  constructor(private readonly random: () => number) {}

  private pick<T>(list: T[]): T {
    return list[Math.floor(this.random() * list.length)]
  }
  snapshot(name: TaskBox): TaskRow[] {
    return [...this.tasks.values()].filter((row) => belongs(name, row)).sort((a, b) => compare(name, a, b))
  }
  act(): { event: string; data: unknown }[] {
    const rows = [...this.tasks.values()]
    const what = rows.length ? this.pick(['new', 'claim', 'lose', 'complete', 'undo', 'due', 'release'] as const) : 'new'
    const row = rows.length ? this.pick(rows) : null
    const minutes = Math.floor(this.random() * 120)
    let next: TaskRow
    if (what === 'new' || !row) next = task(++this.last, { due_at: this.random() < 0.2 ? null : at(minutes), priority: this.pick([1, 2, 3, 4] as const) })
    else if (what === 'claim') next = mine(Number(row.id), { due_at: row.due_at, priority: row.priority })
    else if (what === 'complete') next = { ...row, undo_until: at(90) }
    else if (what === 'undo') next = { ...row, undo_until: null }
    else if (what === 'due') next = { ...row, due_at: at(minutes) }
    else if (what === 'release') next = task(Number(row.id), { due_at: row.due_at, priority: row.priority })
    else {
      this.tasks.delete(row.id)
      return [{ event: 'TaskGone', data: { id: row.id, by: null, code: this.pick(['task_done', 'reassigned', 'task_taken']) } }]
    }
    this.tasks.set(next.id, next)
    return [{ event: 'TaskChanged', data: next }]
  }
}

const generator = (seed: number) => () => {
  // mulberry32: small, and the same on every machine
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

describe('snapshot and events', () => {
  it.each(['mine', 'pool'] as const)('give the same %s box as a fresh snapshot, whatever happens in between', (name) => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = generator(seed)
      const server = new Server(random)
      for (let i = 0; i < 12; i++) server.act()
      let state = box(name, server.snapshot(name))
      for (let i = 0; i < 40; i++) {
        for (const { event, data } of server.act()) {
          const folded = fold(state, event, data)
          expect(folded.reread).toBe(false)
          state = folded.state
        }
        expect(ids(state), `seed ${seed}, step ${i}`).toEqual(server.snapshot(name).map((row) => row.id))
      }
      expect(state.rows).toEqual(server.snapshot(name))
    }
  })
})
