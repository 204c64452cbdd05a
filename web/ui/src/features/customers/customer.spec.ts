import { describe, expect, it } from 'vitest'
import type { Customer, HistoryRow } from '@/api/types'
import { changesOf, historyOf, isHistory, schemaOf, TABS, valuesOf } from './customer'

const customer = { id: '7', name: '王*', sex: 'male', allergies: ['青霉素'], identity: 'return_visit', address: '海珠区***', nickname: null, version: 3, masked: ['name', 'address'] } as Customer

describe('changing a customer', () => {
  it('never sends back the mask of a hidden field', () => {
    const values = valuesOf(customer)
    expect(values).toEqual({ sex: 'male', identity: 'return_visit', allergies: '青霉素' })
    expect(schemaOf(customer, (key) => key).properties?.address?.['x-ui']).toMatchObject({ placeholder: '海珠区***' })
    expect(changesOf(values, values)).toEqual({})
  })

  it('sends what was changed, what was typed anew and what was emptied', () => {
    const values = { ...valuesOf(customer), birth_date: '1980-01-01' }
    expect(changesOf(values, { sex: 'female', identity: 'return_visit', address: 'New street 1' })).toEqual({ sex: 'female', allergies: '', birth_date: null, address: 'New street 1' })
  })
})

describe('the history of a customer', () => {
  const rows = ['call', 'order', 'ticket', 'appointment', 'message'].map((kind) => ({ kind }) as HistoryRow)

  it('shows all of it, or only the kind of the part', () => {
    expect(historyOf(rows, 'history')).toHaveLength(5)
    expect(historyOf(rows, 'calls').map((row) => row.kind)).toEqual(['call'])
    expect(historyOf(rows, 'appointments').map((row) => row.kind)).toEqual(['appointment'])
  })

  it('is four of the parts beside the record', () => expect(TABS.filter(isHistory)).toEqual(['history', 'calls', 'tickets', 'appointments']))
})
