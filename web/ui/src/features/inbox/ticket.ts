import type { Draft, HistoryRow, TicketAnswers, TicketDetail } from '@/api/types'

export const asDraft = (answer: TicketAnswers): Draft => ({ data: answer.data, at: answer.at, by: answer.by })

/** Kinds of tickets that the list is filtered by, in the order of the desk. */
export const KINDS = ['appointment', 'complaint', 'purchase', 'outbound_task', 'blacklist', 'consult', 'refund'] as const

/** The task to show on the page: the reader's own, else one that can be claimed, else any open one. */
export function taskToShow(ticket: Pick<TicketDetail, 'task' | 'tasks'>): string | null {
  if (ticket.task) return ticket.task
  const { tasks } = ticket
  const found = tasks.find((task) => task.mine) ?? tasks.find((task) => task.claimable) ?? tasks[0]
  return found?.id ?? null
}

/** Tickets of the customer's history that may be the same case: open, of the same kind, and another one. */
export const sameCase = (ticket: Pick<TicketDetail, 'number' | 'kind' | 'purpose'>, history: HistoryRow[]): HistoryRow[] =>
  history.filter((row) => row.kind === 'ticket' && row.state === 'open' && row.ref && row.ref !== ticket.number && row.title === (ticket.purpose ?? ticket.kind))
