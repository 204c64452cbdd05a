import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { ReconciliationRow } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { yuan } from '@/composables/money'
import { useElement } from '@/design/element'
import ReconciliationPart from './components/ReconciliationPart.vue'
import feature from './index'
import { totalOf } from './payment'

addMessages(feature.locales)

const row = (clinic: string, more: Partial<ReconciliationRow> = {}): ReconciliationRow => ({ clinic, paid_fen: 10_000, refunded_fen: 0, desk_fen: 500, fund_fen: 0, provider_paid_fen: 10_000, provider_refunded_fen: 0, difference_fen: 0, ...more })

describe('amounts', () => {
  it('are yuan with two decimals, a minus before the sign, and nothing for none', () => {
    expect([yuan(123_450), yuan(5), yuan(-5_000), yuan(0), yuan(null)]).toEqual(['¥1,234.50', '¥0.05', '-¥50.00', '¥0.00', ''])
  })
})

describe('the sum of a day', () => {
  it('adds each column', () => expect(totalOf([row('a'), row('b', { paid_fen: 1, difference_fen: -3 })])).toMatchObject({ paid_fen: 10_001, desk_fen: 1_000, difference_fen: -3 }))
  it('does not know what the provider has not told for one clinic', () => expect(totalOf([row('a'), row('b', { provider_paid_fen: null })]).provider_paid_fen).toBeNull())
})

describe('the reconciliation', () => {
  let answer: object
  beforeEach(() => {
    setActivePinia(createPinia())
    vi.stubGlobal('fetch', async (url: string) => new Response(JSON.stringify(url.startsWith('/api/clinics') ? [{ key: 'luohu', name: '罗湖分院', name_en: 'Luohu', region: null, category: 'branch', address: null }] : answer)))
  })
  afterEach(() => vi.unstubAllGlobals())
  async function shown() {
    const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: { template: '<i />' } }] })
    const wrapper = mount(ReconciliationPart, { props: { today: '2026-11-25' }, global: { plugins: [i18n, useElement, router] } })
    await flushPromises()
    return wrapper
  }

  it('makes the clinic stand out whose money differs, and what only the provider knows', async () => {
    answer = { day: '2026-11-25', fetched_at: '2026-11-25T18:00:00Z', agrees: false, rows: [row('donghu'), row('luohu', { provider_paid_fen: 9_000, difference_fen: 1_000 })], strangers: [{ kind: 'paid', amount_fen: 700, id: 'ch-9' }] }
    const wrapper = await shown()
    expect(wrapper.get('[data-testid=reconciliation-verdict]').text()).toBe('有差额')
    expect(wrapper.get('[data-testid=reconciliation-luohu]').classes()).toContain('bad')
    expect(wrapper.get('[data-testid=reconciliation-luohu]').text()).toContain('罗湖分院')
    expect(wrapper.get('[data-testid=reconciliation-luohu]').findAll('.c-danger').map((one) => one.text())).toEqual(['¥90.00', '¥10.00'])
    expect(wrapper.get('[data-testid=reconciliation-donghu]').classes()).not.toContain('bad')
    expect(wrapper.get('[data-testid=reconciliation-strangers]').text()).toContain('¥7.00')
  })

  it('says that the statement is not there yet instead of zero', async () => {
    answer = { day: '2026-11-25', fetched_at: null, agrees: null, rows: [row('luohu', { provider_paid_fen: null, provider_refunded_fen: null, difference_fen: null })], strangers: [] }
    const wrapper = await shown()
    expect(wrapper.get('[data-testid=reconciliation-verdict]').text()).toBe('支付方账单未到')
    expect(wrapper.get('[data-testid=reconciliation-luohu]').text()).toContain('未知')
  })
})
