/** Shapes of the HTTP API, by hand until the OpenAPI description is generated. Instants are ISO-8601 in UTC. */

export type Bilingual = { zh: string; en: string }
export type Instant = string
/** Position of a snapshot: topic -> "epoch:n"; a list with one topic may carry the pair alone. */
export type LivePairs = Record<string, string> | string

export interface Page<T> { results: T[]; next: string | null; live?: LivePairs }
export interface Person { number: string; name: string }
export interface Named { key: string; name: Bilingual }

export interface Session {
  user: {
    id: string
    number: string
    name: string
    roles: string[]
    permissions: string[]
    groups: (Named & { leads: boolean })[]
    locale: string | null
  }
  agent: { extension: string; groups: Named[]; skills: Named[] } | null
  centre: { title: string; demo: boolean; simulator: boolean }
  /** Key for drafts on this machine, base64; without it they stay in memory. */
  draft_key?: string | null
}

export interface Announcement { id: string; title: string; title_en?: string | null; body: string; level: 'urgent' | 'normal'; published_at: Instant }
export interface Notification { id: string; kind: string; text: string; params: Record<string, string>; ref: string | null; at: Instant; read: boolean }

export type AgentState = 'null' | 'not_ready' | 'ready' | 'busy' | 'acw'
export interface Reason { key: string; kind: 'not_ready' | 'rest'; title: Bilingual; minutes: number | null }
export interface Area { province: string; city: string; carrier: string }

export interface Card {
  id: string
  name: string
  sex: string
  age: number | null
  number: string
  other_number: string | null
  area: Area | null
  identity: string
  level: string | null
  vip: boolean
  importance: { text: string; colour: string } | null
  owner: Person | null
  card_no: string | null
  allergies: string[]
  points: number | null
  balance_fen: number | null
  last_visit: Instant | string | null
  blocked: boolean
  do_not_call: boolean
}

export interface HistoryRow {
  at: Instant
  kind: 'call' | 'ticket' | 'message'
  title: string
  state: string
  duration_ms: number | null
  ref: string | null
  direction?: 'in' | 'out'
}

export type CallLegState = 'ringing' | 'talking' | 'held' | 'ended'
export interface CallView {
  id: string
  direction: 'in' | 'out' | 'internal'
  state: CallLegState
  muted: boolean
  number: string
  area: Area | null
  queue: Named | null
  called: string
  started_at: Instant
  answered_at: Instant | null
  held_since: Instant | null
  state_since: Instant
  ended_at: Instant | null
  verified: boolean
  card: Card | null
  candidates: Card[]
  open_tasks: TaskRow[]
  tickets: TicketRow[]
  purpose: { key: string; subtype: string | null } | null
  history: HistoryRow[] | null
  reason: string | null
}

/** What the phone topic knows about the agent besides the calls. */
export interface PhoneState {
  state: AgentState
  reason: string | null
  since: Instant
  planned_until: Instant | null
  wrap_up_until: Instant | null
  wrap_up_extended: boolean
  /** Asked for during a call: taken when it ends. */
  after_call?: { state: string; reason: string | null } | null
  signed_in: string[]
  skills: string[]
  reasons: Reason[]
}
export interface Phone extends PhoneState { calls: CallView[]; live: LivePairs }
export interface Command { id: string; state: 'sent' | 'done' | 'refused' | 'silent'; code: string | null; reason: string | null }

export interface QueueRow { call: string; number: string; area: Area | null; queue: Named; priority: number; waiting_since: Instant; vip: boolean }
export interface MissedRow { call: string; number: string; area: Area | null; at: Instant; queue: Named | null; times: number; ticket: string | null; task: string | null; state: string }

export interface Purpose {
  key: string
  title: Bilingual
  shortcut: number
  flow: string | null
  enabled: boolean
  why_not: string | null
  subtypes: { key: string; title: Bilingual }[]
}

export interface TicketRow {
  number: string
  kind: string
  kind_title: Bilingual | string
  /** open or closed; `state` is the word the flow gave it. */
  status: string
  state?: string
  purpose?: string | null
  source?: string | null
  outcome: string | null
  customer_name?: string | null
  caller?: string | null
  vip?: boolean
  owner: Person | null
  group?: Named | null
  opened_at: Instant
  due_at: Instant | null
  closed_at?: Instant | null
  repeats?: number
  instance?: string | null
  task?: string | null
}
export interface TimelineRow {
  at: Instant
  actor: Person | null
  auto: boolean
  /** The flow and its version that acted by itself. */
  rule: Bilingual | null
  action: string
  element: string | null
  name?: Bilingual | null
  text: string | null
  facts?: Record<string, unknown>
}
export interface TicketCall { id: string; role: string; direction: string; at: Instant; talk_ms: number | null; outcome: string | null }
export interface TicketAnswers { task: string; element: string; title: string; schema: JsonSchema; data: FormData; by: Person | null; at: Instant }
export interface TicketDetail extends TicketRow {
  customer: Card | null
  call: string | null
  repeats: number
  summary?: string | null
  opened_by: Person | null
  instance: string | null
  /** The open task of the reader. */
  task: string | null
  tasks?: TaskRow[]
  calls?: TicketCall[]
  answers?: TicketAnswers[]
  timeline: TimelineRow[]
  /** What the reader may do with the case itself. */
  can?: 'withdraw'[]
}

export type TaskAct = 'claim' | 'return' | 'delegate' | 'complete' | 'undo' | 'reassign' | 'take_over'
export interface TaskRow {
  id: string
  element: string
  title: string
  flow: { key: string; name: Bilingual | string; version: number }
  ticket: string | null
  customer: string | null
  vip: boolean
  priority: 1 | 2 | 3 | 4
  created_at: Instant
  due_at: Instant | null
  remind_at: Instant | null
  overdue_at: Instant | null
  assignee: Person | null
  candidates: { kind: string; key: string; name: Bilingual }[]
  state: 'open' | 'done' | 'cancelled'
  mine: boolean
  claimable: boolean
  can: TaskAct[]
  undo_until: Instant | null
  ended_at: Instant | null
  ended_by: Person | null
  about: string | null
  pos: number
}
export type FormData = Record<string, unknown>
export interface Draft { data: FormData; at: Instant; by: Person | null }
export interface TaskDetail extends TaskRow {
  form: { key: string; schema: JsonSchema }
  data: FormData
  draft: Draft | null
  former_draft: Draft | null
  submission: Draft | null
  instance: string
  viewers: (Person & { since: Instant })[]
  source: Record<string, unknown> | null
}
export interface Completed { task: TaskRow; undo_until: Instant | null; next: TaskRow[] }
export type TaskBox = 'mine' | 'pool' | 'started' | 'done' | 'overdue'
export type TaskCounts = Record<TaskBox, number>

export interface Incident { id: string; element: string; code: string; message: string; at: Instant; state: string; instance?: string }
export interface InstanceView {
  id: string
  flow: { key: string; name?: Bilingual | string } | string
  version: number
  business_key: string
  status: string
  ends: string[]
  xml_url: string
  tokens: { element: string; name: string; since: Instant; who: string | Person | null }[]
  done: string[]
  flows_taken: string[]
  timers: { element: string; due_at: Instant }[]
  awaited: { element: string; name: string }[]
  incidents: Incident[]
  names: Record<string, Bilingual>
}

/** The part of JSON Schema 2020-12 that forms use, with our hints. */
export interface JsonSchema {
  type?: string | string[]
  title?: string
  description?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  enum?: unknown[]
  const?: unknown
  oneOf?: JsonSchema[]
  anyOf?: JsonSchema[]
  allOf?: JsonSchema[]
  if?: JsonSchema
  then?: JsonSchema
  else?: JsonSchema
  not?: JsonSchema
  format?: string
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  default?: unknown
  readOnly?: boolean
  'x-ui'?: Record<string, unknown>
  'x-i18n'?: Record<string, unknown>
  'x-flow'?: boolean
  'x-personal'?: boolean
  [key: string]: unknown
}

export type FieldErrors = Record<string, { code: string; message?: string }[]>
