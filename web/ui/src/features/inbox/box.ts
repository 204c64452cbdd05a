import type { Person, TaskBox, TaskCounts, TaskRow } from '@/api/types'

/** What one box shows: the rows read so far in the server's order, and whether there are more. */
export interface BoxState {
  box: TaskBox
  rows: TaskRow[]
  next: string | null
  counts: TaskCounts
  /** A search is set: only the server knows which rows it finds. */
  filtered: boolean
}
export interface Gone { id: string; by: Person | null; code: string }
/** `reread`: the event concerns rows that only a fresh snapshot can place. */
export interface Folded { state: BoxState; reread: boolean }

export const noCounts = (): TaskCounts => ({ mine: 0, pool: 0, started: 0, done: 0, overdue: 0 })
export const emptyBox = (box: TaskBox): BoxState => ({ box, rows: [], next: null, counts: noCounts(), filtered: false })

const time = (instant: string | null) => (instant ? Date.parse(instant) : Number.POSITIVE_INFINITY)

/** The server's order: open boxes by due time (none last), then age; finished ones latest first. */
export function compare(box: TaskBox, a: TaskRow, b: TaskRow): number {
  const byId = a.id.localeCompare(b.id, undefined, { numeric: true })
  if (box === 'done') return (time(b.ended_at) - time(a.ended_at) || 0) || -byId
  return (time(a.due_at) === time(b.due_at) ? 0 : time(a.due_at) - time(b.due_at)) || byId
}

/** Whether a row stands in the box; null where a row alone does not tell. */
export function belongs(box: TaskBox, row: TaskRow): boolean | null {
  const open = row.state === 'open' && row.undo_until === null
  if (box === 'mine') return open && row.mine
  if (box === 'pool') return open && row.claimable
  return null
}

const without = (rows: TaskRow[], id: string) => rows.filter((row) => row.id !== id)

function put(state: BoxState, row: TaskRow): TaskRow[] {
  const rows = without(state.rows, row.id)
  const last = rows.at(-1)
  // Behind the rows read so far: it comes with the next page.
  if (state.next !== null && last && compare(state.box, row, last) > 0) return rows
  return [...rows, row].sort((a, b) => compare(state.box, a, b))
}

/** Folds one event of the topic `inbox` into a box. Pure; a fresh snapshot after the same events shows the same (proved by a test). */
export function fold(state: BoxState, event: string, data: unknown): Folded {
  const still: Folded = { state, reread: false }
  if (event === 'CountsChanged') {
    const counts = (data as { counts?: TaskCounts }).counts ?? (data as TaskCounts)
    return { state: { ...state, counts: { ...state.counts, ...counts } }, reread: false }
  }
  if (event === 'TaskChanged') {
    const row = data as TaskRow
    const known = state.rows.some((one) => one.id === row.id)
    const inside = belongs(state.box, row)
    if (inside === false) return known ? { state: { ...state, rows: without(state.rows, row.id) }, reread: false } : still
    if (inside && (known || !state.filtered)) return { state: { ...state, rows: put(state, row) }, reread: false }
    if (!known) return { state, reread: true }
    return { state: { ...state, rows: state.rows.map((one) => (one.id === row.id ? row : one)) }, reread: true }
  }
  if (event === 'TaskGone') {
    const { id } = data as Gone
    if (state.box === 'mine' || state.box === 'pool') return { state: { ...state, rows: without(state.rows, id) }, reread: false }
    return { state, reread: true }
  }
  return still
}

/** A further page; rows that moved while it was read stand once. */
export function append(state: BoxState, page: { results: TaskRow[]; next: string | null }): BoxState {
  const fresh = new Set(page.results.map((row) => row.id))
  return { ...state, rows: [...state.rows.filter((row) => !fresh.has(row.id)), ...page.results], next: page.next }
}
