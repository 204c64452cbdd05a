import 'fake-indexeddb/auto'
import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Order, OrderDetail } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from '@/design/element'
import ActDialog from './components/ActDialog.vue'
import feature from './index'
import { stepsOf } from './order'

addMessages(feature.locales)

describe('the steps of an order', () => {
  it('are those taken, in their order', () => {
    const order = { placed_at: '2026-11-25T01:00:00Z', paid_at: '2026-11-25T01:05:00Z', dispensed_at: null, ready_at: '2026-11-25T03:00:00Z', handed_at: null, done_at: null } as OrderDetail
    expect(stepsOf(order).map((step) => step.key)).toEqual(['placed', 'paid', 'ready'])
  })
})

describe('telling the flow of an order', () => {
  let asked: { url: string; body: unknown }[]
  let answer: () => Response
  beforeEach(() => {
    document.cookie = 'csrftoken=t'
    document.body.innerHTML = ''
    toasts.length = 0
    asked = []
    answer = () => new Response('{}', { status: 202 })
    vi.stubGlobal('fetch', async (url: string, init: { body?: string }) => {
      asked.push({ url, body: init.body ? JSON.parse(init.body) : null })
      return answer()
    })
  })
  afterEach(() => vi.unstubAllGlobals())
  const seen = (what: string) => document.querySelector<HTMLElement>(`[data-testid=order-${what}]`)
  async function opened(act: 'return' | 'delivered') {
    const wrapper = mount(ActDialog, { props: { modelValue: false, order: { number: 'D20261125-0001', state: 'done' } as Order, act }, global: { plugins: [i18n, useElement], stubs: { transition: false } }, attachTo: document.body })
    await wrapper.setProps({ modelValue: true })
    await flushPromises()
    return wrapper
  }

  it('asks why it is given back before anything is sent', async () => {
    const wrapper = await opened('return')
    seen('submit')!.click()
    await flushPromises()
    expect(asked).toEqual([])
    document.querySelector<HTMLElement>('[data-field=reason] input')!.click()
    await flushPromises()
    seen('submit')!.click()
    await flushPromises()
    expect(asked).toEqual([{ url: '/api/orders/D20261125-0001/return', body: { reason: 'quality' } }])
    expect(wrapper.emitted('done')).toHaveLength(1)
  })

  it('says in which state an order is that moved on meanwhile', async () => {
    answer = () => new Response(JSON.stringify({ code: 'order_not_waiting', state: 'refunded' }), { status: 409 })
    await opened('delivered')
    seen('submit')!.click()
    await flushPromises()
    expect(document.querySelector('.el-dialog')?.textContent).toContain('当前: 已退款')
    expect(seen('submit')).toBeNull()
  })
})
