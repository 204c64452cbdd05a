import { flushPromises, mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FormTask } from '@/api/types'
import { i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from './element'
import { wipeDrafts } from './form/drafts'
import TaskForm from './TaskForm.vue'

const task = (facts: Partial<FormTask> = {}): FormTask => ({
  id: '7', element: 'C1', title: '登记', flow: { key: 'consult', name: { zh: '咨询', en: 'Inquiry' }, version: 1 }, business_key: 'ticket:T1', repeats: 1, ticket: 'T1', customer: null, vip: false, priority: 3, created_at: '2026-11-25T01:00:00Z',
  due_at: null, remind_at: null, overdue_at: null, assignee: null, candidates: [], state: 'open', mine: true, claimable: false, can: ['complete'], undo_until: null, ended_at: null, ended_by: null, about: null, pos: 1,
  form: { key: 'consult.register', schema: { type: 'object', required: ['content'], properties: { content: { title: '内容', type: 'string' }, note: { title: '备注', type: 'string' } } } },
  data: {}, draft: null, former_draft: null, submission: null, instance: '1', viewers: [], brief: [], source: null, ...facts,
})
let sent: { method: string; url: string; body: Record<string, unknown>; key: string }[]
let answers: Record<string, () => Response>
const answer = (status: number, body: object) => () => new Response(JSON.stringify(body), { status })

beforeEach(() => {
  sent = []
  answers = {}
  toasts.splice(0)
  document.cookie = 'csrftoken=t'
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    sent.push({ method: init.method!, url, body: JSON.parse(String(init.body ?? '{}')), key: (init.headers as Record<string, string>)['Idempotency-Key'] })
    const found = Object.entries(answers).find(([part]) => url.includes(part))
    if (!found) throw new TypeError('no network')
    return found[1]()
  })
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await wipeDrafts()
})

async function shown(facts: Partial<FormTask> = {}) {
  const wrapper = mount(TaskForm, { props: { task: task(facts) }, global: { plugins: [createPinia(), i18n, useElement] }, attachTo: document.body })
  await flushPromises()
  const type = (name: string, text: string) => wrapper.find(`[data-testid=field-${name}]`).setValue(text)
  const complete = async () => {
    const result = await (wrapper.vm as unknown as { complete: () => Promise<unknown> }).complete()
    await flushPromises()
    return result
  }
  return { wrapper, type, complete }
}

describe('the form of a task', () => {
  it('names its ticket once', async () => {
    for (const title of ['登记', '登记 T1']) expect((await shown({ title })).wrapper.find('[data-testid=schema-form]').attributes('aria-label')).toBe('登记 T1')
  })

  it('marks what is missing and sends nothing', async () => {
    const { wrapper, complete } = await shown()
    expect(await complete()).toBeNull()
    expect(wrapper.find('[data-field=content]').text()).toContain('必填')
    expect(sent).toEqual([])
  })

  it('names each field the server refuses and keeps every letter', async () => {
    answers['/complete'] = answer(422, { code: 'invalid_form', fields: { note: [{ code: 'maxLength' }] } })
    const { wrapper, type, complete } = await shown()
    await type('content', 'parking')
    await type('note', 'long')
    await complete()
    expect(wrapper.find('[data-field=note]').text()).toContain('太长')
    expect((wrapper.find('[data-testid=field-content]').element as HTMLInputElement).value).toBe('parking')
  })

  it('hands in once with one key, and offers a way back until the time the server gave', async () => {
    answers['/complete'] = answer(200, { task: task(), undo_until: new Date(Date.now() + 9_000).toISOString(), next: [] })
    const { wrapper, type, complete } = await shown()
    await type('content', ' parking ')
    await complete()
    expect(sent.filter((one) => one.url.endsWith('/complete')).map((one) => one.body)).toEqual([{ data: { content: 'parking' } }])
    expect(wrapper.emitted('completed')).toHaveLength(1)
    expect(toasts[0].act?.key).toBe('Z')
    answers['/undo'] = answer(200, {})
    toasts[0].act!.run()
    await flushPromises()
    expect(wrapper.emitted('undone')).toHaveLength(1)
    // Opened again, the form holds what was handed in, and is handed in as a new act.
    wrapper.unmount()
    const again = await shown()
    expect((again.wrapper.find('[data-testid=field-content]').element as HTMLInputElement).value).toBe(' parking ')
    await again.complete()
    const keys = sent.filter((one) => one.url.endsWith('/complete')).map((one) => one.key)
    expect(new Set(keys).size).toBe(2)
  })

  it('uses the same key again when the answer was lost, so the task is completed once', async () => {
    const { type, complete } = await shown()
    await type('content', 'parking')
    await complete()
    answers['/complete'] = answer(200, { task: task(), undo_until: null, next: [] })
    await complete()
    const keys = sent.filter((one) => one.url.endsWith('/complete')).map((one) => one.key)
    expect(keys).toHaveLength(2)
    expect(keys[0]).toBe(keys[1])
  })

  it('says who was quicker and keeps the typed text in view', async () => {
    answers['/complete'] = answer(409, { code: 'task_taken', by: { number: '1031', name: '李*' } })
    const { wrapper, type, complete } = await shown()
    await type('content', 'my words')
    await complete()
    const conflict = wrapper.find('[data-testid=conflict]')
    expect(conflict.text()).toContain('1031 李*')
    expect(conflict.text()).toContain('my words')
  })

  it('starts from the draft of the server, also from the one of the former owner', async () => {
    const draft = { data: { content: 'half a sentence' }, at: '2026-11-25T01:05:00Z', by: { number: '1009', name: '陈*' } }
    const { wrapper } = await shown({ former_draft: draft })
    expect((wrapper.find('[data-testid=field-content]').element as HTMLInputElement).value).toBe('half a sentence')
  })

  it('keeps the draft at the server and says when', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    answers['/draft'] = answer(200, { at: '2026-11-25T01:05:00Z' })
    const { wrapper, type } = await shown()
    await type('content', 'half')
    await vi.advanceTimersByTimeAsync(10_000)
    vi.useRealTimers()
    await flushPromises()
    expect(sent.find((one) => one.url.endsWith('/draft'))).toMatchObject({ method: 'PUT', body: { data: { content: 'half' } } })
    expect(wrapper.find('[data-testid=draft-note]').text()).toContain('草稿已存')
  })

  it('shows a task that is not mine as it is, without a way to hand it in', async () => {
    const { wrapper, complete } = await shown({ can: [], data: { content: 'x' } })
    expect(wrapper.find<HTMLInputElement>('[data-testid=field-content]').element.disabled).toBe(true)
    expect(await complete()).toBeNull()
    expect(sent).toEqual([])
  })
})
