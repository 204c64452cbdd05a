import type { Instant, Load as LoadRow } from '@/api/types'

/** Open tasks of one person; state and group only where the server says. */
export type Load = Pick<LoadRow, 'number' | 'name' | 'open' | 'overdue'> & Partial<LoadRow>
/** What the person would hold after the act. */
export interface Share extends Load { plus: number; minus: number }

interface Owned { assignee: { number: string; name: string } | null }

/** Load counted from the tasks that are listed, where the server gives no figures. */
export function loadOf(tasks: Owned[]): Load[] {
  const loads = new Map<string, Load>()
  for (const { assignee } of tasks) {
    if (!assignee) continue
    const load = loads.get(assignee.number) ?? { number: assignee.number, name: assignee.name, open: 0, overdue: 0 }
    loads.set(assignee.number, { ...load, open: load.open + 1, overdue: load.overdue + 1 })
  }
  return [...loads.values()].sort((a, b) => a.number.localeCompare(b.number))
}

/** Whom to give which task so that everybody ends up as equal as can be; ties go to the smaller number. */
export function spread(ids: string[], people: Load[], owners: Map<string, string | null>): Map<string, string> {
  const plan = new Map<string, string>()
  const held = new Map(people.map((one) => [one.number, one.open]))
  for (const id of ids) {
    const owner = owners.get(id)
    // Giving a task back to the person who let it go overdue helps nobody.
    const free = people.filter((one) => one.number !== owner)
    const least = free.reduce<Load | null>((best, one) => (best && (held.get(best.number) ?? 0) <= (held.get(one.number) ?? 0) ? best : one), null)
    if (!least) continue
    plan.set(id, least.number)
    held.set(least.number, (held.get(least.number) ?? 0) + 1)
  }
  return plan
}

/** The load of each person before the act and what it adds and takes. */
export function shares(people: Load[], plan: Map<string, string>, owners: Map<string, string | null>): Share[] {
  const plus = new Map<string, number>()
  const minus = new Map<string, number>()
  for (const [id, to] of plan) {
    plus.set(to, (plus.get(to) ?? 0) + 1)
    const owner = owners.get(id)
    if (owner) minus.set(owner, (minus.get(owner) ?? 0) + 1)
  }
  return people.map((one) => ({ ...one, plus: plus.get(one.number) ?? 0, minus: minus.get(one.number) ?? 0 }))
}

/** The server takes this many tasks in one request. */
const MOST = 200
export const portions = (ids: string[]): string[][] => Array.from({ length: Math.ceil(ids.length / MOST) }, (_, part) => ids.slice(part * MOST, (part + 1) * MOST))

/** Those who are in every one of the lists. */
export const ableToAll = (lists: Load[][]): Load[] => (lists[0] ?? []).filter(({ number }) => lists.every((list) => list.some((one) => one.number === number)))

/** A plan as the calls that carry it out: one per receiver and portion. */
export function batches(plan: Map<string, string>): { assignee: string; ids: string[] }[] {
  const byReceiver = new Map<string, string[]>()
  for (const [id, to] of plan) byReceiver.set(to, [...(byReceiver.get(to) ?? []), id])
  return [...byReceiver].flatMap(([assignee, ids]) => portions(ids).map((part) => ({ assignee, ids: part })))
}

/** New deadline, `minutes` from `nowMs`, on the full minute. */
export const deadline = (nowMs: number, minutes: number): Instant => new Date(Math.ceil((nowMs + minutes * 60_000) / 60_000) * 60_000).toISOString()
