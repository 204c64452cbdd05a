import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { addMessages, i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from '@/design/element'
import en from '../locales/en.json'
import zh from '../locales/zh-CN.json'
import WhoseTicket from './WhoseTicket.vue'

addMessages({ 'zh-CN': { inbox: zh, errors: zh.errors }, en: { inbox: en, errors: en.errors } })

let people: { id: string; name: string; card_no: string; vip: boolean }[]
let answer: () => Response
let sent: unknown[]

beforeEach(() => {
  document.cookie = 'csrftoken=t'
  toasts.length = 0
  sent = []
  people = [{ id: '1', name: '王*明', card_no: 'HZ-1', vip: false }, { id: '2', name: '李*', card_no: 'HZ-2', vip: true }]
  answer = () => new Response('{}', { status: 200 })
  vi.stubGlobal('fetch', async (_: string, init?: RequestInit) => {
    if (init?.method !== 'POST') return new Response(JSON.stringify(people), { status: 200 })
    sent.push(JSON.parse(String(init.body)))
    people = []
    return answer()
  })
})
afterEach(() => vi.unstubAllGlobals())

async function shown() {
  const wrapper = mount(WhoseTicket, { props: { number: 'T20261125-0001' }, global: { plugins: [i18n, useElement] } })
  await flushPromises()
  return wrapper
}

describe('whose ticket it is', () => {
  it('is chosen among those with the number, and the question goes away', async () => {
    const wrapper = await shown()
    expect(wrapper.findAll('button').map((one) => one.text())).toEqual(['王*明 HZ-1', '李* HZ-2'])
    await wrapper.findAll('button')[1]!.trigger('click')
    await flushPromises()
    expect(sent).toEqual([{ customer: 2 }])
    expect(wrapper.emitted('chosen')).toHaveLength(1)
    expect(wrapper.find('[data-testid=whose-ticket]').exists()).toBe(false)
  })

  it('says when somebody was quicker', async () => {
    answer = () => new Response(JSON.stringify({ code: 'ticket_has_customer' }), { status: 409 })
    const wrapper = await shown()
    await wrapper.findAll('button')[0]!.trigger('click')
    await flushPromises()
    expect(wrapper.emitted('chosen')).toBeUndefined()
    expect(toasts.at(-1)?.text).toContain('已有人选定了客户')
  })

  it('is not asked when there is nothing to choose', async () => {
    people = []
    expect((await shown()).find('[data-testid=whose-ticket]').exists()).toBe(false)
  })
})
