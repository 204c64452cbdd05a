import type { components } from './schema'

/**
 * Short names for the shapes of the HTTP API. They are made from the OpenAPI description (`npm run types`): a shape that looks wrong
 * here is wrong in a serializer, and is put right there. Written by hand is only what OpenAPI cannot say, each time with the reason.
 */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name]

// --- people, places, names
export type Bilingual = Schema<'BilingualName'>
export type Person = Schema<'PersonOut'>
export type Named = Schema<'Named'>
export type Area = Schema<'AreaOut'>
export type Session = Schema<'SessionOut'>
export type Reason = Schema<'ReasonOut'>

// --- notices
export type Announcement = Schema<'AnnouncementOut'>
export type Notification = Schema<'NotificationOut'>
export type NotificationPage = Schema<'NotificationPage'>

// --- customers
export type Card = Schema<'CardOut'>
export type Customer = Schema<'CustomerOut'>
export type HistoryRow = Schema<'HistoryRowOut'>
export type Revealed = Schema<'RevealOut'>
export type OwnerChange = Schema<'OwnershipChangeOut'>
export type BlockRow = Schema<'BlockRow'>

// --- calls
export type CallView = Schema<'CallViewOut'>
export type Phone = Schema<'PhoneOut'>
export type Sent = Schema<'Sent'>
export type Command = Schema<'CommandOut'>
export type Purpose = Schema<'PurposeOut'>
export type QueueAnswer = Schema<'QueueOut'>
export type QueueRow = Schema<'QueueRowOut'>
export type MissedRow = Schema<'MissedOut'>
export type Floor = Schema<'FloorOut'>
export type FloorAgent = Schema<'FloorAgent'>
export type Demo = Schema<'DemoOut'>

// --- tickets and tasks
export type TicketRow = Schema<'TicketRow'>
export type MayBe = Schema<'MayBeOut'>
export type TaskRow = Schema<'TaskRow'>
export type TaskCounts = Schema<'TaskCounts'>
export type TaskBox = keyof TaskCounts
export type TaskPage = Schema<'TaskPage'>
export type TimelineRow = Schema<'TimelineEntry'>
export type Draft = Schema<'TypedData'>
export type DraftSaved = Schema<'DraftSaved'>
export type Completed = Schema<'TaskCompleted'>
export type Reassigned = Schema<'ReassignResults'>
export type Load = Schema<'LoadRow'>

// --- flows
export type Started = Schema<'StartedOut'>
export type Flow = Schema<'FlowRow'>
export type InstanceRow = Schema<'InstanceRow'>
export type InstanceView = Schema<'InstanceView'>
export type Incident = Schema<'IncidentRow'>
export type MessageRow = Schema<'MessageRow'>

// --- clinics, appointments, orders, money, members
export type Clinic = Schema<'ClinicOut'>
export type Doctor = Schema<'ClinicDoctorOut'>
export type Appointment = Schema<'AppointmentRow'>
export type ScheduleRow = Schema<'ScheduleRow'>
export type Suspended = Schema<'SuspendedOut'>
export type Order = Schema<'OrderRow'>
export type OrderDetail = Schema<'OrderDetail'>
export type Payment = Schema<'PaymentRow'>
export type PaymentDetail = Schema<'PaymentDetail'>
export type Refund = Schema<'RefundRow'>
export type Reconciliation = Schema<'ReconciliationOut'>
export type ReconciliationRow = Schema<'ReconciliationRow'>
export type Membership = Schema<'MembershipOut'>
export type LedgerEntry = Schema<'EntryOut'>

// --- reports
export type Report = Schema<'ReportOut'>
export type ReportParam = Schema<'ParamOut'>
export type ReportTable = Schema<'TableOut'>

// --- by hand

/** OpenAPI calls it a string with a format: an instant in ISO-8601, UTC. */
export type Instant = string
/** Positions of a snapshot, topic → "epoch:n". Which topics it holds depends on the reader, so OpenAPI knows only strings. */
export type LivePairs = Record<string, string>
/** OpenAPI 3.0 has no generic shapes: every list with a cursor is one of these. */
export interface Page<T> { results: T[]; next: string | null }
/** Values of a form. Their keys are those of its schema, which the flow brings along. */
export type FormData = Record<string, unknown>
/** Made here from the phone: events carry it without the calls and the live pairs. */
export type PhoneState = Omit<Phone, 'calls' | 'live'>

/** The part of JSON Schema 2020-12 that forms use, with our hints. A schema is data to OpenAPI, an object like any other. */
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
/** A generated shape whose `schema` is known to be one. */
type Formed<T extends { schema: unknown }> = Omit<T, 'schema'> & { schema: JsonSchema }
export type TicketAnswers = Formed<Schema<'TaskAnswers'>>
export type TicketDetail = Omit<Schema<'TicketDetail'>, 'answers'> & { answers: TicketAnswers[] }
export type FreeRow = Schema<'FreeRow'>
export type SuggestionRow = Schema<'SuggestionRow'>
export type TaskDetail = Omit<Schema<'TaskDetail'>, 'form'> & { form: Formed<Schema<'TaskForm'>> | null }
/** Made here (`withForm`): a step without a form is shown as an empty one. */
export type FormTask = TaskDetail & { form: Formed<Schema<'TaskForm'>> }

/** The body of a refusal, which OpenAPI describes per status and not as a shape: what is wrong with which field. */
export type FieldErrors = Record<string, { code: string; message?: string }[]>
