import type { Draft, TicketAnswers, TicketDetail } from '@/api/types'

export const asDraft = (answer: TicketAnswers): Draft => ({ data: answer.data, at: answer.at, by: answer.by })

/** The task to show on the page: the reader's own, else one that can be claimed, else any open one. */
export function taskToShow(ticket: Pick<TicketDetail, 'task' | 'tasks'>): string | null {
  if (ticket.task) return ticket.task
  const { tasks } = ticket
  const found = tasks.find((task) => task.mine) ?? tasks.find((task) => task.claimable) ?? tasks[0]
  return found?.id ?? null
}
