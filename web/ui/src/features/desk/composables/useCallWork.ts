import { computed, onScopeDispose, ref, watch, type Ref } from 'vue'
import { api, ApiError } from '@/api/client'
import type { CallView, Card, Completed, FormTask, InstanceView, Person, TaskDetail, TaskRow, TicketDetail } from '@/api/types'
import { say } from '@/app/i18n'
import { useErrorText } from '@/composables/errors'
import { useResource } from '@/composables/resource'
import { toast } from '@/composables/toast'
import { withForm } from '@/design/form/fields'
import { live } from '@/live/socket'
import { merge, openWork, ownTickets, workOfTask, workOfTicket, type Work } from '../work'

export interface Caller { customer: Card | null; relation: string; identity: string }

/** The tickets and tasks worked on in one call: opening, choosing, and the task and flow of the chosen one. */
export function useCallWork(call: Ref<CallView | null>, taken: (error: ApiError) => void) {
  const { errorText } = useErrorText()
  const known = ref(new Map<string, Work[]>())
  const chosenKey = ref<string | null>(null)
  const opening = ref<string | null>(null)

  const works = computed<Work[]>(() => {
    if (!call.value) return []
    return merge(known.value.get(call.value.id) ?? [], ownTickets(call.value).map((ticket) => workOfTicket(ticket, say)))
  })
  const chosen = computed<Work | null>(() => works.value.find((work) => work.key === chosenKey.value) ?? null)
  const open = computed(() => openWork(works.value))

  const task = useResource<FormTask | null>(async (signal) => {
    const id = chosen.value?.task
    return id ? withForm(await api.get<TaskDetail>(`/api/tasks/${id}`, {}, { signal })) : null
  }, { immediate: false })
  const instance = useResource<{ view: InstanceView; xml: string } | null>(async (signal) => {
    const id = task.data.value?.instance ?? chosen.value?.instance
    if (!id) return null
    const view = await api.get<InstanceView>(`/api/instances/${id}`, {}, { signal })
    return { view, xml: await api.text(view.xml_url) }
  }, { immediate: false })

  function put(work: Work) {
    if (!call.value) return
    const list = known.value.get(call.value.id) ?? []
    const rest = list.filter((one) => one.key !== work.key)
    known.value = new Map(known.value).set(call.value.id, [...rest, work])
  }

  async function choose(work: Work) {
    chosenKey.value = work.key
    if (!work.task && work.ticket) {
      const detail = await api.get<TicketDetail>(`/api/tickets/${work.ticket}`).catch(() => null)
      if (detail) put({ ...work, task: detail.task, instance: detail.instance, done: detail.task === null })
    }
  }

  /** The purpose is the router: it opens a ticket, its flow starts, and its first form is shown. */
  const openTicket = (purpose: string, caller: Caller) => {
    const customer = caller.customer ? { customer: caller.customer.id } : {}
    return start(purpose, '/api/tickets', { purpose, call: call.value?.id, relation: caller.relation, identity: caller.identity, ...customer })
  }
  /** Applies to put the number of this call on the blacklist. */
  const openBlock = () => start('blacklist', '/api/tickets/block-wish', { call: call.value?.id })
  /** Plans a call back to this customer. */
  const openOutbound = (customer: Card) => start('outbound_task', '/api/tickets/outbound', { customer: customer.id })

  async function start(what: string, path: string, body: object): Promise<void> {
    if (!call.value || opening.value) return
    opening.value = what
    try {
      const ticket = await api.post<TicketDetail>(path, body)
      const work = workOfTicket(ticket, say)
      put(work)
      chosenKey.value = work.key
    } catch (error) {
      toast(errorText(error), { kind: 'danger' })
    } finally {
      opening.value = null
    }
  }

  /** An older task of this caller is dealt with in this call, also when it was a colleague's. */
  async function take(row: TaskRow): Promise<void> {
    try {
      if (!row.mine) await api.post(`/api/tasks/${row.id}/claim`, row.claimable ? undefined : { call: call.value?.id })
      const work = workOfTask(row)
      put(work)
      chosenKey.value = work.key
    } catch (error) {
      toast(errorText(error), { kind: 'danger' })
    }
  }

  function completed(answer: Completed) {
    if (!chosen.value) return
    const mine = answer.next.find((next) => next.mine && next.ticket !== null && next.ticket === chosen.value?.ticket && next.id !== chosen.value?.task)
    put({ ...chosen.value, task: mine?.id ?? chosen.value.task, done: !mine })
    const next = open.value[0]
    if (!mine && next) void choose(next)
    void instance.reload()
  }
  function undone() {
    if (chosen.value) put({ ...chosen.value, done: false })
    void task.reload()
  }
  function gone() {
    if (chosen.value) put({ ...chosen.value, done: true })
  }

  /** The flow went on to a further form for the same person: show it in its place, unless something else is being typed. */
  function goOn(row: TaskRow) {
    const work = works.value.find((one) => one.ticket !== null && one.ticket === row.ticket && one.done)
    if (work && row.mine && row.state === 'open' && !row.undo_until && row.id !== work.task) put({ ...work, task: row.id, done: false })
  }

  // The own inbox says at once when a task went to somebody else; what was typed stays in view.
  const unsubscribe = live.subscribe('inbox', {
    subscribed: () => undefined,
    heartbeat: () => undefined,
    event: ({ event, data }) => {
      if (event === 'TaskChanged') return goOn(data as TaskRow)
      const { id, code, by } = (data ?? {}) as { id?: string; code?: string; by?: Person | null }
      const current = task.data.value
      if (event !== 'TaskGone' || !current || id !== current.id || chosen.value?.done) return
      if (code === 'reassigned' || code === 'task_taken' || code === 'taken_in_call') taken(new ApiError(409, code, {}, null, { by }))
    },
  })
  // The strip of the flow follows the flow.
  let leave: (() => void) | null = null
  watch(() => instance.data.value?.view.id, (id) => {
    leave?.()
    leave = id ? live.subscribe(`instance:${id}`, { subscribed: () => undefined, heartbeat: () => undefined, event: () => void instance.reload() }) : null
  })
  onScopeDispose(() => {
    unsubscribe()
    leave?.()
  })

  watch(() => call.value?.id, () => {
    const first = open.value[0] ?? works.value.find((one) => !one.done) ?? works.value[0]
    chosenKey.value = null
    task.data.value = null
    instance.data.value = null
    if (first) void choose(first)
  }, { immediate: true })
  // After a reload the tickets of the call come with it.
  watch(() => works.value.length, () => {
    if (!chosenKey.value && open.value[0]) void choose(open.value[0])
  })
  watch(() => chosen.value?.task, (id) => {
    task.data.value = null
    instance.data.value = null
    if (id) void task.reload().then(() => instance.reload())
    else if (chosen.value?.instance) void instance.reload()
  })

  return { works, chosen, open, task, instance, opening, choose, openTicket, openBlock, openOutbound, take, completed, undone, gone }
}
