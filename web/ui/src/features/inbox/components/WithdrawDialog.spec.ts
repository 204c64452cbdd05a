import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { addMessages, i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from '@/design/element'
import en from '../tickets/locales/en.json'
import zh from '../tickets/locales/zh-CN.json'
import WithdrawDialog from './WithdrawDialog.vue'

addMessages({ 'zh-CN': { tickets: zh }, en: { tickets: en } })

let asked: string[]
let answer: () => Response

beforeEach(() => {
  document.cookie = 'csrftoken=t'
  document.body.innerHTML = ''
  toasts.length = 0
  asked = []
  answer = () => new Response(null, { status: 202 })
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url)
    return answer()
  })
})
afterEach(() => vi.unstubAllGlobals())

const seen = (what: string) => document.querySelector<HTMLElement>(`[data-testid=withdraw-${what}]`)
const words = () => document.querySelector('.el-dialog')?.textContent ?? ''

async function opened() {
  const shown = vi.fn()
  const props = { modelValue: false, number: 'T20261125-0042', title: '黑名单审批', can: true, state: '待审批', 'onUpdate:modelValue': shown }
  const wrapper = mount(WithdrawDialog, { props, global: { plugins: [i18n, useElement], stubs: { transition: false } }, attachTo: document.body })
  await wrapper.setProps({ modelValue: true })
  await vi.waitFor(() => expect(document.activeElement).toBe(seen('submit')))
  return { wrapper, shown }
}

describe("withdrawing a case of one's own", () => {
  it('asks first, naming the case, and does nothing when left', async () => {
    const { shown } = await opened()
    expect(words()).toContain('黑名单审批 T20261125-0042')
    document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', code: 'Escape', bubbles: true }))
    await vi.waitFor(() => expect(shown).toHaveBeenCalledWith(false))
    expect(asked).toEqual([])
  })

  it('acts once the main button is pressed, and says so', async () => {
    const { wrapper, shown } = await opened()
    seen('submit')!.click()
    seen('submit')!.click()
    await flushPromises()
    expect(asked).toEqual(['/api/tickets/T20261125-0042/withdraw'])
    expect(toasts.map((one) => one.text)).toEqual(['已撤回'])
    expect(shown).toHaveBeenCalledWith(false)
    expect(wrapper.emitted('done')).toHaveLength(1)
  })

  it('is not answered by the key that is still held down from opening it', async () => {
    await opened()
    const held = new KeyboardEvent('keydown', { key: 'Enter', repeat: true, cancelable: true, bubbles: true })
    seen('submit')!.dispatchEvent(held)
    expect(held.defaultPrevented).toBe(true)
    const fresh = new KeyboardEvent('keydown', { key: 'Enter', cancelable: true, bubbles: true })
    seen('submit')!.dispatchEvent(fresh)
    expect(fresh.defaultPrevented).toBe(false)
  })

  it('says that it is too late when the leader was quicker, and reads the case again', async () => {
    const { wrapper, shown } = await opened()
    answer = () => new Response(JSON.stringify({ code: 'nothing_to_withdraw' }), { status: 409 })
    seen('submit')!.click()
    await flushPromises()
    await wrapper.setProps({ can: false, state: '生效中' })
    expect(words()).toContain('不能再撤回')
    expect(words()).toContain('生效中')
    expect(seen('submit')).toBeNull()
    expect(document.activeElement).toBe(seen('leave'))
    expect(wrapper.emitted('done')).toHaveLength(1)
    expect(shown).not.toHaveBeenCalledWith(false)
    expect(toasts).toEqual([])
  })

  it('says so without being asked when the decision falls while the question is open', async () => {
    const { wrapper } = await opened()
    await wrapper.setProps({ can: false, state: '已驳回' })
    await flushPromises()
    expect(words()).toContain('已驳回')
    expect(seen('submit')).toBeNull()
    expect(asked).toEqual([])
  })

  it('keeps the question when there was no answer, to be pressed again', async () => {
    const { shown } = await opened()
    answer = () => { throw new TypeError('no network') }
    seen('submit')!.click()
    await flushPromises()
    expect(document.querySelector('.el-dialog [role=alert]')!.textContent).not.toBe('')
    expect(shown).not.toHaveBeenCalledWith(false)
    answer = () => new Response(null, { status: 202 })
    seen('submit')!.click()
    await flushPromises()
    expect(asked).toHaveLength(2)
    expect(shown).toHaveBeenCalledWith(false)
  })
})
