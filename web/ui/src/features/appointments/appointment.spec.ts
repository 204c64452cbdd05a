import 'fake-indexeddb/auto'
import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Doctor, ScheduleRow } from '@/api/types'
import { addMessages, i18n } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from '@/design/element'
import { asRow, byDoctor, daysFrom, overlapOf } from './appointment'
import ScheduleDialog from './components/ScheduleDialog.vue'
import feature from './index'

addMessages(feature.locales)

const named = (key: string) => ({ key, name: key, name_en: null })
const schedule = (id: number, doctor: string, date: string, start_hour: number, more: Partial<ScheduleRow> = {}): ScheduleRow => ({
  id, post: 1, doctor: { ...named(doctor), title: null }, clinic: named('luohu'), department: named('spleen'), date, start_hour, end_hour: start_hour + 3, per_hour: 3, state: 'open', free: 5, taken: 4, ...more,
})
const doctor = (key: string): Doctor => ({ ...named(key), title: null, own_expert: false, posts: [{ id: '1', clinic: named('luohu'), department: named('spleen'), prepay: false, fee_fen: 5000, is_active: true }] })

describe('the week of a clinic', () => {
  it('has a row for each doctor and the schedules of a day in the order of their hours', () => {
    const rows = byDoctor([doctor('guan'), doctor('xie')], [schedule(2, 'guan', '2026-11-26', 14), schedule(1, 'guan', '2026-11-26', 9)])
    expect(rows.map((row) => row.key)).toEqual(['guan', 'xie'])
    expect(rows[0].days.get('2026-11-26')?.map((one) => one.id)).toEqual([1, 2])
    expect(rows[1].days.size).toBe(0)
  })

  it('still shows the schedules of a doctor who works there no more', () => {
    const [row] = byDoctor([], [schedule(1, 'guan', '2026-11-26', 9)])
    expect(row).toMatchObject({ key: 'guan', posts: [] })
  })

  it('counts days over the end of a month', () => expect(daysFrom('2026-11-28').slice(2, 4)).toEqual(['2026-11-30', '2026-12-01']))

  it('names appointments that have no ticket by their place', () => {
    const one = { number: null, doctor: named('guan'), date: '2026-11-26', hour: 9 } as never
    expect(asRow(one, 0).id).not.toBe(asRow(one, 1).id)
  })
})

describe('the refusal of an overlap', () => {
  it('tells where the doctor is at these hours', () => {
    expect(overlapOf({ start_hour: [{ code: 'overlaps', clinic: 'donghu', start_hour: 9, end_hour: 12 } as never] })).toEqual({ clinic: 'donghu', start: 9, end: 12 })
    expect(overlapOf({ date: [{ code: 'past' }] })).toBeNull()
  })
})

describe('the dialog of a schedule', () => {
  let asked: { url: string; method: string; body: unknown }[]
  let answer: () => Response
  beforeEach(() => {
    document.cookie = 'csrftoken=t'
    document.body.innerHTML = ''
    toasts.length = 0
    asked = []
    answer = () => new Response('{"told": 4}')
    vi.stubGlobal('fetch', async (url: string, init: { method: string; body?: string }) => {
      asked.push({ url, method: init.method, body: init.body ? JSON.parse(init.body) : null })
      return answer()
    })
  })
  afterEach(() => vi.unstubAllGlobals())

  const seen = (what: string) => document.querySelector<HTMLElement>(`[data-testid=${what}]`)
  async function opened(one: ScheduleRow | null) {
    const [row] = byDoctor([doctor('guan')], [])
    const wrapper = mount(ScheduleDialog, { props: { modelValue: false, doctor: row, day: '2026-11-26', schedule: one, clinicName: (key: string) => key }, global: { plugins: [i18n, useElement], stubs: { transition: false } }, attachTo: document.body })
    await wrapper.setProps({ modelValue: true })
    await flushPromises()
    return wrapper
  }

  it('marks the field of an overlap and says where and when, with what was typed kept', async () => {
    answer = () => new Response(JSON.stringify({ code: 'schedule_refused', fields: { start_hour: [{ code: 'overlaps', clinic: 'donghu', start_hour: 9, end_hour: 12 }] } }), { status: 422 })
    const wrapper = await opened(null)
    seen('schedule-save')!.click()
    await flushPromises()
    expect(asked).toEqual([{ url: '/api/appointments/schedules', method: 'POST', body: { post: 1, date: '2026-11-26', start_hour: 9, end_hour: 12, per_hour: 3 } }])
    expect(seen('schedule-failed')?.textContent).toBe('医生此时已有排班: donghu 09:00-12:00')
    expect(document.querySelector('[data-field=start_hour]')?.textContent).toContain('与已有排班重叠')
    expect(wrapper.emitted('done')).toBeUndefined()
  })

  it('suspends only with a reason, and says how many patients are told', async () => {
    const wrapper = await opened(schedule(7, 'guan', '2026-11-26', 9))
    seen('schedule-suspend')!.click()
    await flushPromises()
    seen('schedule-save')!.click()
    await flushPromises()
    expect(asked).toEqual([])
    document.querySelector<HTMLElement>('[data-field=reason] input')!.click()
    await flushPromises()
    seen('schedule-save')!.click()
    await flushPromises()
    expect(asked).toEqual([{ url: '/api/appointments/schedules/7/suspend', method: 'POST', body: { reason: 'illness' } }])
    expect(toasts.map((one) => one.text)).toEqual(['已停诊, 4 位患者的流程已收到'])
    expect(wrapper.emitted('done')).toHaveLength(1)
  })

  it('opens a suspended one again', async () => {
    await opened(schedule(7, 'guan', '2026-11-26', 9, { state: 'suspended', free: 0 }))
    expect(seen('schedule-save')).toBeNull()
    seen('schedule-reopen')!.click()
    await flushPromises()
    expect(asked).toEqual([{ url: '/api/appointments/schedules/7', method: 'PATCH', body: { state: 'open' } }])
  })
})
