import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FormData, JsonSchema } from '@/api/types'
import { i18n } from '@/app/i18n'
import { useElement } from '@/design/element'
import { fieldsOf, outdated } from './fields'
import SchemaForm from './SchemaForm.vue'

const place = (widget: string, depends: string[] = []): JsonSchema => ({ type: 'string', title: widget, minLength: 1, 'x-ui': { widget, depends } })
const booking: JsonSchema = {
  type: 'object',
  required: ['clinic', 'doctor', 'date', 'hour'],
  properties: {
    clinic: place('clinic'), department: place('department', ['clinic']), doctor: place('doctor', ['clinic', 'department']),
    date: { ...place('slot', ['clinic', 'department', 'doctor']), title: '预约时间' }, hour: { ...place('slot', ['clinic', 'department', 'doctor']), type: 'integer', minLength: undefined },
    remark: { type: 'string', title: '备注' },
  },
}
const row = (hour: number, free: number) => ({
  date: '2026-11-27', hour, free, total: 4, prepay: hour === 11, fee_fen: 30000, kind: 'same_doctor_later',
  doctor: { key: 'wang', name: '王医生', name_en: 'Dr Wang', title: null }, clinic: { key: 'haizhu', name: '海珠', name_en: null }, department: { key: 'gyn', name: '妇科', name_en: null },
})
let asked: string[]
let free: ReturnType<typeof row>[]
beforeEach(() => {
  asked = []
  free = [row(10, 2), row(11, 0)]
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url.replace(/^.*\/api/, '/api'))
    const answer = url.includes('/free') || url.includes('/suggestions') ? free : url.includes('/doctors') ? [{ key: 'wang', name: '王晨', name_en: 'Wang Chen', title: '主任医师' }] : []
    return new Response(JSON.stringify(answer), { status: 200 })
  })
})
let last: { unmount: () => void } | null = null
afterEach(() => last?.unmount())
vi.setConfig({ testTimeout: 20_000 }) // these mount whole select boxes

async function shown(schema: JsonSchema, given: FormData) {
  const wrapper = mount(SchemaForm, { props: { schema, modelValue: given, ticket: 'T1', 'onUpdate:modelValue': (to: FormData) => wrapper.setProps({ modelValue: to }) }, global: { plugins: [i18n, useElement] }, attachTo: document.body })
  last = wrapper
  await flushPromises()
  const picker = () => wrapper.findAllComponents({ name: 'PlacePicker' })[0]
  return { wrapper, picker, values: () => wrapper.props('modelValue'), choose: (key: string | undefined) => picker().findComponent({ name: 'ElSelect' }).vm.$emit('update:modelValue', key) }
}

describe('clinic, doctor, day and hour', () => {
  it('narrows each list by what is chosen before it', () => {
    const source = (data: FormData, name: string) => fieldsOf(booking, data, 'zh-CN').find((field) => field.name === name)?.source?.path
    expect(source({}, 'doctor')).toBe('/api/clinics/doctors')
    expect(source({ clinic: 'haizhu', department: 'gyn' }, 'doctor')).toBe('/api/clinics/doctors?clinic=haizhu&department=gyn')
  })

  it('lets go of what a changed clinic made impossible, and of nothing else', () => {
    expect(outdated(booking, ['clinic']).sort()).toEqual(['date', 'department', 'doctor', 'hour'])
    expect(outdated(booking, ['doctor']).sort()).toEqual(['date', 'hour'])
    expect(outdated(booking, ['remark'])).toEqual([])
  })

  it('calls a doctor by the name, the title beside it', async () => {
    const form = await shown(booking, { clinic: 'haizhu', doctor: 'wang' })
    expect(form.wrapper.find('[data-field=doctor]').text()).toContain('王晨 · 主任医师')
  })

  it('takes day and hour in one choice, also a full one', async () => {
    const form = await shown(booking, { clinic: 'haizhu', doctor: 'wang', remark: '靠窗' })
    expect(asked).toContain('/api/appointments/free?days=14&clinic=haizhu&doctor=wang')
    form.choose('2026-11-27|11|wang|haizhu')
    await flushPromises()
    expect(form.values()).toMatchObject({ clinic: 'haizhu', department: 'gyn', doctor: 'wang', date: '2026-11-27', hour: 11, remark: '靠窗' })
    expect(form.wrapper.findAll('[data-field]').map((one) => one.attributes('data-field'))).not.toContain('hour')
    expect((form.wrapper.vm as unknown as { submit: () => FormData }).submit()).toMatchObject({ date: '2026-11-27', hour: 11 })
  })

  it('says at the one choice what is missing of it', async () => {
    const form = await shown(booking, { clinic: 'haizhu', doctor: 'wang' })
    expect((form.wrapper.vm as unknown as { submit: () => FormData | null }).submit()).toBeNull()
    await flushPromises()
    expect(form.wrapper.find('[data-field=date]').classes()).toContain('wrong')
  })

  it('asks for no hours before a clinic or a doctor is known', async () => {
    await shown(booking, {})
    expect(asked.filter((path) => path.includes('/free'))).toEqual([])
  })

  it('counts anew whenever the list is opened', async () => {
    const form = await shown(booking, { clinic: 'haizhu', doctor: 'wang' })
    const before = asked.length
    form.picker().findComponent({ name: 'ElSelect' }).vm.$emit('visible-change', true)
    await flushPromises()
    expect(asked.length).toBe(before + 1)
  })

  it('fills the whole wish from a recommendation made for this case', async () => {
    const schema: JsonSchema = { ...booking, properties: { suggestion: { type: 'string', title: '可约号源', 'x-ui': { widget: 'suggestion', fills: ['clinic', 'department', 'doctor', 'date', 'hour'] } }, ...booking.properties } }
    const form = await shown(schema, {})
    expect(asked).toContain('/api/appointments/suggestions?ticket=T1')
    form.choose('2026-11-27|10|wang|haizhu')
    await flushPromises()
    expect(form.values()).toMatchObject({ clinic: 'haizhu', department: 'gyn', doctor: 'wang', date: '2026-11-27', hour: 10 })
  })

  it('shows no suggestion as taken while the form still holds the wish that was full', async () => {
    const schema: JsonSchema = { ...booking, properties: { suggestion: { type: 'string', title: '可约号源', 'x-ui': { widget: 'suggestion', fills: ['clinic', 'department', 'doctor', 'date', 'hour'] } }, ...booking.properties } }
    const form = await shown(schema, { clinic: 'haizhu', doctor: 'wang', date: '2026-11-26', hour: 9 })
    expect(form.picker().findComponent({ name: 'ElSelect' }).props('modelValue')).toBeUndefined()
  })
})

describe('lines of an order', () => {
  const order: JsonSchema = { type: 'object', required: ['lines'], properties: { clinic: place('clinic'), lines: { type: 'array', title: '产品', minItems: 1, items: { type: 'object' }, 'x-ui': { widget: 'lines', depends: ['clinic'] } } } }
  it('adds, changes and removes a product and its quantity', async () => {
    const form = await shown(order, { clinic: 'haizhu' })
    expect(asked).toContain('/api/clinics/products?clinic=haizhu')
    const lines = () => form.wrapper.findComponent({ name: 'LinesField' })
    lines().findAllComponents({ name: 'ElSelect' })[0].vm.$emit('update:modelValue', 'ginseng')
    await flushPromises()
    await lines().find('.linkbtn').trigger('click')
    await flushPromises()
    lines().findAllComponents({ name: 'ElSelect' })[1].vm.$emit('update:modelValue', 'donkey-glue')
    await flushPromises()
    lines().findAllComponents({ name: 'ElInputNumber' })[1].vm.$emit('update:modelValue', 3)
    await flushPromises()
    expect(form.values().lines).toEqual([{ product: 'ginseng', quantity: 1 }, { product: 'donkey-glue', quantity: 3 }])
    await lines().findAll('.icon')[0].trigger('click')
    await flushPromises()
    expect(form.values().lines).toEqual([{ product: 'donkey-glue', quantity: 3 }])
  })
})
