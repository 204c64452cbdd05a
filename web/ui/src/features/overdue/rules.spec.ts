import { describe, expect, it } from 'vitest'
import { ableToAll, batches, deadline, loadOf, portions, shares, spread, type Load } from './rules'

const person = (number: string, open: number): Load => ({ number, name: `agent ${number}`, open, overdue: 0 })
const ids = (n: number) => Array.from({ length: n }, (_, i) => `t${i}`)

describe('reassigning overdue tasks by load', () => {
  it('fills up who has least until all hold the same', () => {
    const people = [person('1018', 9), person('1029', 3), person('1033', 4), person('1041', 6)]
    const plan = spread(ids(6), people, new Map())
    const after = shares(people, plan, new Map()).map((one) => [one.number, one.open + one.plus])
    expect(after).toEqual([['1018', 9], ['1029', 7], ['1033', 6], ['1041', 6]])
  })

  it('never gives a task back to the person who let it go overdue', () => {
    const people = [person('1050', 0), person('1029', 20)]
    const owners = new Map(ids(50).map((id) => [id, '1050']))
    const plan = spread(ids(50), people, owners)
    expect(new Set(plan.values())).toEqual(new Set(['1029']))
    expect(shares(people, plan, owners)).toMatchObject([{ number: '1050', plus: 0, minus: 50 }, { number: '1029', plus: 50, minus: 0 }])
  })

  it('leaves a task alone when nobody else is there', () => {
    expect(spread(['t0'], [person('1050', 1)], new Map([['t0', '1050']])).size).toBe(0)
  })

  it('offers only those who can do every chosen task, asked for in portions', () => {
    expect(portions(ids(401)).map((part) => part.length)).toEqual([200, 200, 1])
    expect(ableToAll([[person('1', 0), person('2', 0)], [person('2', 0), person('3', 0)]]).map((one) => one.number)).toEqual(['2'])
    expect(ableToAll([])).toEqual([])
  })

  it('sends one call per receiver', () => {
    expect(batches(new Map([['a', '1'], ['b', '2'], ['c', '1']]))).toEqual([{ assignee: '1', ids: ['a', 'c'] }, { assignee: '2', ids: ['b'] }])
  })

  it('counts what each person has from the list when the server gives no figures', () => {
    const owned = (number: string) => ({ assignee: { number, name: number } })
    expect(loadOf([owned('2'), owned('1'), owned('2'), { assignee: null }])).toMatchObject([{ number: '1', overdue: 1 }, { number: '2', overdue: 2 }])
  })

  it('sets deadlines on the full minute', () => {
    expect(deadline(Date.UTC(2026, 10, 25, 8, 0, 30), 60)).toBe('2026-11-25T09:01:00.000Z')
  })
})
