import type { Draft, FormData, Instant, JsonSchema, Named, Person, TaskDetail, TaskRow, TicketDetail, TicketRow } from '@/api/types'

/** A row of the ticket list as the server gives it; members beyond the shared row may be missing in older answers. */
export interface ListedTicket extends TicketRow {
  state?: string
  source?: string | null
  customer_name?: string | null
  caller?: string | null
  vip?: boolean
  group?: Named | null
  closed_at?: Instant | null
  repeats?: number
}
export interface TicketCall { id: string; role: string; direction: string; at: Instant; talk_ms: number | null; outcome: string | null }
/** What was handed in at a finished step. */
export interface Answer { task: string; element: string; title: string; schema: JsonSchema; data: FormData; by: Person | null; at: Instant }
export interface TicketPage extends TicketDetail {
  state?: string
  source?: string | null
  summary?: string | null
  caller?: string | null
  vip?: boolean
  closed_at?: Instant | null
  calls?: TicketCall[]
  tasks?: TaskRow[]
  answers?: Answer[]
}

/** A step without a form is completed with nothing filled in. */
export const withForm = (task: TaskDetail): TaskDetail => (task.form ? task : { ...task, form: { key: '', schema: { type: 'object', properties: {} } } })

export const asDraft = (answer: Answer): Draft => ({ data: answer.data, at: answer.at, by: answer.by })

/** The task to show on the page: the reader's own, else one that can be claimed, else any open one. */
export function taskToShow(ticket: Pick<TicketPage, 'task' | 'tasks'>): string | null {
  if (ticket.task) return String(ticket.task)
  const tasks = ticket.tasks ?? []
  const found = tasks.find((task) => task.mine) ?? tasks.find((task) => task.claimable) ?? tasks[0]
  return found ? String(found.id) : null
}
