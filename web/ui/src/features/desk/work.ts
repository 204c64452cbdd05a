import type { CallView, PhoneState, Purpose, TaskRow, TicketDetail, TicketRow } from '@/api/types'

/** One piece of work in a call: a ticket opened in it, or an older task of this caller that is dealt with now. */
export interface Work {
  key: string
  kind: 'ticket' | 'task'
  ticket: string | null
  task: string | null
  title: string
  instance: string | null
  done: boolean
}

/**
 * The call to show: one that lives, else the one that just ended; `kept` = one whose wrap-up is over while a form of it is still open.
 * None that was put away.
 */
export function shownCall(calls: CallView[], live: CallView | null, putAway: ReadonlySet<string>, kept: CallView | null = null): CallView | null {
  if (live) return live
  const ended = calls.filter((call) => call.state === 'ended' && !putAway.has(call.id))
  const latest = ended.sort((a, b) => (b.ended_at ?? '').localeCompare(a.ended_at ?? ''))[0]
  return latest ?? (kept && !putAway.has(kept.id) ? kept : null)
}

/** Tickets opened in this call; the others of the row are older cases of the same caller. */
export const ownTickets = (call: CallView): TicketRow[] => call.tickets.filter((ticket) => Date.parse(ticket.opened_at) >= Date.parse(call.started_at))

const titleOf = (kind: TicketRow['kind_title'], say: (text: TicketRow['kind_title']) => string) => say(kind)

export const workOfTicket = (ticket: TicketRow | TicketDetail, say: (text: TicketRow['kind_title']) => string): Work => ({
  key: `ticket:${ticket.number}`,
  kind: 'ticket',
  ticket: ticket.number,
  task: 'task' in ticket ? ticket.task : null,
  title: titleOf(ticket.kind_title, say),
  instance: ticket.instance,
  done: ticket.status === 'closed',
})

export const workOfTask = (task: TaskRow): Work => ({ key: `task:${task.id}`, kind: 'task', ticket: task.ticket, task: task.id, title: task.title, instance: null, done: false })

/** Adds or renews; what this page knows about a piece of work (its task, that it is done) stands above the row of the call. */
export function merge(known: Work[], rows: Work[]): Work[] {
  const next = [...known]
  for (const row of rows) {
    const at = next.findIndex((work) => work.key === row.key)
    if (at < 0) next.push(row)
    else next[at] = { ...row, task: next[at].task ?? row.task, instance: next[at].instance ?? row.instance, done: next[at].done || row.done }
  }
  return next
}

export const openWork = (works: Work[]): Work[] => works.filter((work) => !work.done && work.task !== null)

/** May the call be put away? Nothing of it is unfinished. */
export const finished = (call: CallView, works: Work[], phone: PhoneState | null): boolean =>
  call.state === 'ended' && openWork(works).length === 0 && phone?.state !== 'busy'

/** What the keys 1 to 5 stand for. */
export const purposeKeys = (purposes: Purpose[]): Purpose[] =>
  purposes.filter((purpose) => purpose.shortcut >= 1 && purpose.shortcut <= 5).sort((a, b) => a.shortcut - b.shortcut)
