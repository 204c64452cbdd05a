import 'fake-indexeddb/auto'
import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { TicketDetail } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from '@/design/element'
import en from '../tickets/locales/en.json'
import zh from '../tickets/locales/zh-CN.json'
import MergeDialog from './MergeDialog.vue'
import UrgeDialog from './UrgeDialog.vue'

addMessages({ 'zh-CN': { tickets: zh }, en: { tickets: en } })

const HISTORY = [
  { at: '2026-11-25T09:00:00Z', kind: 'ticket', title: 'complaint', state: 'open', duration_ms: null, ref: 'T20261125-0007' },
  { at: '2026-11-25T08:00:00Z', kind: 'ticket', title: 'complaint', state: 'satisfied', duration_ms: null, ref: 'T20261125-0003' },
  { at: '2026-11-25T07:00:00Z', kind: 'ticket', title: 'consult', state: 'open', duration_ms: null, ref: 'T20261125-0002' },
  { at: '2026-11-25T06:00:00Z', kind: 'ticket', title: 'complaint', state: 'open', duration_ms: null, ref: 'T20261125-0042' },
]
const ticket = { number: 'T20261125-0042', kind: 'complaint', purpose: null, customer: { id: '7' } } as unknown as TicketDetail

let asked: { url: string; body: unknown }[]
let answer: () => Response

beforeEach(() => {
  document.cookie = 'csrftoken=t'
  document.body.innerHTML = ''
  toasts.length = 0
  asked = []
  answer = () => new Response(null, { status: 202 })
  vi.stubGlobal('fetch', async (url: string, init: { method: string; body?: string }) => {
    if (init.method === 'GET') return new Response(JSON.stringify(HISTORY))
    asked.push({ url, body: init.body ? JSON.parse(init.body) : null })
    return answer()
  })
})
afterEach(() => vi.unstubAllGlobals())

const seen = (what: string) => document.querySelector<HTMLElement>(`[data-testid=${what}]`)
const words = () => document.querySelector('.el-dialog')?.textContent ?? ''
const refusal = (code: string, facts: object) => () => new Response(JSON.stringify({ code, ...facts }), { status: 409 })
const shared = { global: { plugins: [i18n, useElement], stubs: { transition: false } }, attachTo: document.body }

async function merging() {
  const shown = vi.fn()
  const wrapper = mount(MergeDialog, { props: { modelValue: false, ticket, title: '投诉', 'onUpdate:modelValue': shown }, ...shared })
  await wrapper.setProps({ modelValue: true })
  await flushPromises()
  return { wrapper, shown }
}

describe('merging two tickets of one case', () => {
  it("proposes the customer's other open tickets of the kind and sends the one chosen", async () => {
    const { wrapper, shown } = await merging()
    expect([...document.querySelectorAll('[data-testid^=merge-into-]')].map((one) => one.textContent)).toEqual(['T20261125-0007'])
    seen('merge-into-T20261125-0007')!.click()
    await flushPromises()
    seen('merge-submit')!.click()
    await flushPromises()
    expect(asked).toEqual([{ url: '/api/tickets/T20261125-0042/merge', body: { into: 'T20261125-0007' } }])
    expect(toasts.map((one) => one.text)).toEqual(['已并入 T20261125-0007'])
    expect(shown).toHaveBeenCalledWith(false)
    expect(wrapper.emitted('done')).toHaveLength(1)
  })

  it('sends nothing without a number', async () => {
    await merging()
    seen('merge-submit')!.click()
    await flushPromises()
    expect(asked).toEqual([])
    expect(words()).toContain('必填')
  })

  it('says why they cannot be one case and keeps the number', async () => {
    answer = refusal('cannot_merge', { why: 'other_customer' })
    const { wrapper } = await merging()
    seen('merge-into-T20261125-0007')!.click()
    await flushPromises()
    seen('merge-submit')!.click()
    await flushPromises()
    expect(words()).toContain('客户不同, 不能合并')
    expect(seen('field-into')).toHaveProperty('value', 'T20261125-0007')
    expect(wrapper.emitted('done')).toBeUndefined()
  })
})

describe('urging', () => {
  async function urging() {
    const wrapper = mount(UrgeDialog, { props: { modelValue: false, number: 'T20261125-0042', title: '投诉', can: true, state: '处理中', urges: 1 }, ...shared })
    await wrapper.setProps({ modelValue: true })
    await vi.waitFor(() => expect(document.activeElement).toBe(seen('urge-submit')))
    return wrapper
  }

  it('says which urge it is, and tells the flow once', async () => {
    await urging()
    expect(words()).toContain('第 2 次催办')
    seen('urge-submit')!.click()
    seen('urge-submit')!.click()
    await flushPromises()
    expect(asked.map((one) => one.url)).toEqual(['/api/tickets/T20261125-0042/urge'])
    expect(toasts.map((one) => one.text)).toEqual(['已催办'])
  })

  it('says the state of a case that takes no urges any more', async () => {
    answer = refusal('ticket_not_waiting', {})
    await urging()
    seen('urge-submit')!.click()
    await flushPromises()
    expect(words()).toContain('流程已不受理催办。当前状态: 处理中')
    expect(seen('urge-submit')).toBeNull()
  })
})
