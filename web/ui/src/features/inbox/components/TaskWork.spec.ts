import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { createRouter, createMemoryHistory } from 'vue-router'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TaskDetail } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { useElement } from '@/design/element'
import { wipeDrafts } from '@/design/form/drafts'
import inbox from '..'
import { useInbox } from '../store'
import TaskWork from './TaskWork.vue'

// All words of the room: the task's page also speaks of its ticket.
addMessages(inbox.locales)

const wu = { number: '1024', name: '吴志强' }
const zhang = { number: '1023', name: '张晓丽' }
const task = (facts: Partial<TaskDetail> = {}): TaskDetail => ({
  id: '7', element: 'O4_call', title: '执行外呼', flow: { key: 'outbound_task', name: { zh: '外呼任务', en: 'Outbound' }, version: 1 }, business_key: 'ticket:T1', repeats: 1, ticket: null, customer: null, vip: false, priority: 3, created_at: '2026-11-25T01:00:00Z',
  due_at: null, remind_at: null, overdue_at: null, assignee: wu, candidates: [], state: 'open', mine: true, claimable: false, can: ['complete'], undo_until: null, ended_at: null, ended_by: null, about: null, pos: 1,
  form: { key: 'outbound_task.call', schema: { type: 'object', required: ['note'], properties: { note: { title: '备注', type: 'string' } } } },
  data: {}, draft: null, former_draft: null, submission: null, instance: '', viewers: [], brief: [], source: null, ...facts,
})
let server: TaskDetail | null

beforeEach(() => {
  document.cookie = 'csrftoken=t'
  vi.stubGlobal('fetch', async (url: string) => {
    if (!url.includes('/api/tasks/7') || !server) return new Response(JSON.stringify({ code: 'not_found' }), { status: 404 })
    return new Response(JSON.stringify(server), { status: 200 })
  })
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await wipeDrafts()
})

async function shown(facts: Partial<TaskDetail> = {}) {
  server = task(facts)
  const pinia = createPinia()
  setActivePinia(pinia)
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)', component: { template: '<i />' } }] })
  const wrapper = mount(TaskWork, { props: { id: '7' }, global: { plugins: [pinia, i18n, useElement, router] }, attachTo: document.body })
  await flushPromises()
  /** The list was read again; what happened meanwhile is in the snapshot and is told by no event any more. */
  const listIsRead = async () => {
    useInbox().read++
    await flushPromises()
  }
  return { wrapper, listIsRead, offers: (act: string) => wrapper.find(`[data-testid=task-${act}]`).exists() }
}

describe('the task on the screen, when a snapshot swallowed the event', () => {
  it('gives way when somebody else has the task by then', async () => {
    const { wrapper, listIsRead, offers } = await shown()
    expect(offers('complete')).toBe(true)
    server = task({ assignee: zhang, mine: false, can: [], pos: 2 })
    await listIsRead()
    expect(offers('complete')).toBe(false)
    expect(wrapper.text()).toContain('1023')
  })

  it('keeps what was typed, beside who has it now', async () => {
    const { wrapper, listIsRead, offers } = await shown()
    await wrapper.find('[data-testid=field-note]').setValue('改约周三上午')
    server = task({ assignee: zhang, mine: false, can: [], pos: 2 })
    await listIsRead()
    expect(offers('complete')).toBe(false)
    expect(wrapper.find('[data-testid=conflict]').text()).toContain('改约周三上午')
  })

  it('gives way when the task may not even be seen any more', async () => {
    const { listIsRead, offers } = await shown()
    server = null
    await listIsRead()
    expect(offers('complete')).toBe(false)
  })

  it('offers the form once the claim is through', async () => {
    const { listIsRead, offers } = await shown({ assignee: null, mine: false, claimable: true, can: ['claim'] })
    expect(offers('claim')).toBe(true)
    server = task({ pos: 2 })
    await listIsRead()
    expect(offers('complete')).toBe(true)
  })

  it('leaves a form alone that is being filled in and is still mine', async () => {
    const { wrapper, listIsRead, offers } = await shown()
    await wrapper.find('[data-testid=field-note]').setValue('改约')
    server = task({ pos: 2, due_at: '2026-11-25T09:00:00Z' })
    await listIsRead()
    expect(offers('complete')).toBe(true)
    expect((wrapper.find('[data-testid=field-note]').element as HTMLInputElement).value).toBe('改约')
  })
})

describe('colleagues who look at the same task', () => {
  it('are named with number and since when, in one line that is read out politely', async () => {
    const { wrapper } = await shown({ viewers: [{ ...zhang, since: new Date(2026, 10, 25, 14, 2).toISOString() }] })
    const line = wrapper.find('[data-testid=task-viewers]')
    expect(line.text()).toMatch(/1023 张晓丽 \(.*14:02 起\) 正在看本任务/)
    expect(line.element.closest('[aria-live=polite]')).not.toBeNull()
  })

  it('are not mentioned when nobody looks', async () => {
    const { wrapper } = await shown()
    expect(wrapper.find('[data-testid=task-viewers]').exists()).toBe(false)
  })
})

describe('what earlier steps left for who does the task', () => {
  it('stands above the form, in the language of the reader', async () => {
    const brief = [
      { name: 'entry_point', title: { zh: '切入点', en: 'Entry point' }, value: { zh: '复诊提醒', en: '复诊提醒' } },
      { name: 'questionnaire', title: { zh: '问卷', en: 'Questionnaire' }, value: { zh: '复诊回访', en: 'Follow-up visit' } },
    ]
    const { wrapper } = await shown({ brief })
    expect(wrapper.find('[data-testid=brief-entry_point]').text()).toBe('切入点复诊提醒')
    expect(wrapper.find('[data-testid=brief-questionnaire]').text()).toBe('问卷复诊回访')
  })
})
