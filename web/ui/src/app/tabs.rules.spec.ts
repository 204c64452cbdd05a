import { describe, expect, it } from 'vitest'
import { change, close, LIMIT, noTabs, open, proposal, replace, type Tabs } from './tabs.rules'

const opened = (tabs: Tabs, key: string, call = false): Tabs => {
  const result = open(tabs, { key, title: key, call })
  if (result.kind !== 'opened') throw new Error(`no place for ${key}`)
  return result.tabs
}
const five = () => ['/a', '/b', '/c', '/d', '/e'].reduce((tabs, key) => opened(tabs, key), noTabs())
const keys = (tabs: Tabs) => tabs.open.map((tab) => tab.key)

describe('five tabs', () => {
  it('refuses the sixth page and proposes the clean one not used for the longest time', () => {
    const tabs = change(opened(five(), '/a'), '/b', { dirty: true })
    expect(open(tabs, { key: '/f', title: 'f' })).toEqual({ kind: 'full', proposal: '/c' })
  })

  it('goes to the open tab instead of opening the page twice', () => {
    const tabs = opened(five(), '/b')
    expect(tabs.open).toHaveLength(LIMIT)
    expect(tabs.active).toBe('/b')
  })

  it('gives the place of the chosen tab to the wanted page', () => {
    const result = replace(five(), '/d', { key: '/f', title: 'f' })
    expect(result.kind === 'opened' && keys(result.tabs)).toEqual(['/a', '/b', '/c', '/e', '/f'])
  })

  it('lets a ringing call in at any time, in the place of the oldest clean tab', () => {
    const tabs = opened(change(five(), '/a', { dirty: true }), '/desk', true)
    expect(keys(tabs)).toEqual(['/desk', '/a', '/c', '/d', '/e'])
    expect(tabs.parked).toEqual([])
  })

  it('parks typing when every tab has some, and brings it back when a place is free', () => {
    const dirty = keys(five()).reduce((tabs, key) => change(tabs, key, { dirty: true }), five())
    expect(proposal(dirty)).toBeUndefined()
    const ringing = opened(dirty, '/desk', true)
    expect(ringing.open).toHaveLength(LIMIT)
    expect(ringing.parked.map((tab) => tab.key)).toEqual(['/a'])
    const back = close(ringing, '/c')
    expect(keys(back)).toContain('/a')
    expect(back.open.find((tab) => tab.key === '/a')?.dirty).toBe(true)
  })

  it('never exceeds the limit and never loses typing, whatever happens', () => {
    let seed = 7
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n
    for (let run = 0; run < 200; run++) {
      let tabs = noTabs()
      const typed = new Set<string>()
      for (let step = 0; step < 60; step++) {
        const key = `/${random(9)}`
        const act = random(5)
        if (act === 0) {
          const result = open(tabs, { key, title: key })
          if (result.kind === 'opened') tabs = result.tabs
        } else if (act === 1) tabs = opened(tabs, '/desk', true)
        else if (act === 2 && tabs.open.some((tab) => tab.key === key)) {
          tabs = change(tabs, key, { dirty: true })
          typed.add(key)
        } else if (act === 3 && !typed.has(key)) tabs = close(tabs, key)
        expect(tabs.open.length).toBeLessThanOrEqual(LIMIT)
        const held = [...tabs.open, ...tabs.parked].map((tab) => tab.key)
        expect(new Set(held).size).toBe(held.length)
        for (const one of typed) expect(held).toContain(one)
      }
    }
  })
})
