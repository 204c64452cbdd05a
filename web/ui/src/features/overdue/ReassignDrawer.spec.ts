import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TaskRow } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { useElement } from '@/design/element'
import ReassignDrawer from './components/ReassignDrawer.vue'
import en from './locales/en.json'
import zh from './locales/zh-CN.json'

addMessages({ 'zh-CN': { overdue: zh }, en: { overdue: en } })

const task = (id: string) => ({ id, title: `任务 ${id}`, assignee: { number: '1023', name: '张晓丽' } }) as TaskRow
let asked: string[]
let sent: Record<string, unknown>[]

beforeEach(() => {
  asked = []
  sent = []
  document.cookie = 'csrftoken=t'
  vi.stubGlobal('fetch', async (url: string, init?: RequestInit) => {
    asked.push(url)
    if (url.includes('/api/tasks/load')) return new Response(JSON.stringify([{ number: '2001', name: '李娜', group: null, open: 3, overdue: 0, state: null }]), { status: 200 })
    sent.push(JSON.parse(String(init?.body)))
    return new Response(JSON.stringify({ results: [{ id: '7', ok: true, task: '9' }, { id: '8', ok: false, code: 'cannot_take', why: 'not_a_candidate' }] }), { status: 200 })
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

async function opened() {
  const wrapper = mount(ReassignDrawer, { props: { tasks: [task('7'), task('8')], modelValue: false }, global: { plugins: [i18n, useElement] }, attachTo: document.body })
  await wrapper.setProps({ modelValue: true })
  await flushPromises()
  return wrapper
}
const at = (id: string) => document.querySelector(`[data-testid=${id}]`) as HTMLElement

describe('the drawer that gives tasks to somebody else', () => {
  it('offers exactly those who can do all of the chosen tasks', async () => {
    await opened()
    expect(asked.map((url) => decodeURIComponent(url))).toEqual([expect.stringContaining('/api/tasks/load?tasks=7,8')])
    expect(at('reassign-load').textContent).toContain('2001 李娜')
  })

  it('sends the reason and the note apart and says per task why it was refused', async () => {
    await opened()
    at('reassign-spread').querySelector('input')!.click()
    await flushPromises()
    const note = at('field-note') as HTMLInputElement
    note.value = '中午前不在'
    note.dispatchEvent(new Event('input'))
    await flushPromises()
    at('reassign-submit').click()
    await flushPromises()
    expect(sent).toEqual([expect.objectContaining({ ids: ['7', '8'], assignee: '2001', reason: 'overloaded', note: '中午前不在' })])
    expect(at('reassign-failed').textContent).toContain('任务 8此人不能处理本任务')
  })
})
