import { createPinia, setActivePinia } from 'pinia'
import { mount } from '@vue/test-utils'
import { beforeEach, describe, expect, it } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useTab, useTabs } from './tabs'

const router = () => createRouter({ history: createMemoryHistory(), routes: ['/a', '/b'].map((path) => ({ path, component: { render: () => null }, meta: { title: path } })) })

describe('tabs and their views', () => {
  beforeEach(() => setActivePinia(createPinia()))

  it('lets two views name their tabs without waking each other for ever', async () => {
    const routes = router()
    const tabs = useTabs()
    const dirty = ref(false)
    let renders = 0
    const view = (name: string) => defineComponent({
      setup() {
        useTab({ title: name, dirty })
        return () => (renders++, h('i', tabs.open.length))
      },
    })
    for (const path of ['/a', '/b']) {
      tabs.enter(routes.resolve(path) as never, false)
      await routes.push(path)
      mount(view(`named ${path}`), { global: { plugins: [routes] } })
    }
    dirty.value = true
    await nextTick()
    await nextTick()
    expect(tabs.open.map((tab) => [tab.title, tab.dirty])).toEqual([['named /a', true], ['named /b', true]])
    expect(renders).toBeLessThan(20)
  })

  it('keeps the sixth page as wanted until a tab is chosen, then opens it there', () => {
    const tabs = useTabs()
    const page = (path: string) => ({ path, fullPath: `${path}?x=1`, meta: { title: path } }) as never
    for (const path of ['/1', '/2', '/3', '/4', '/5']) expect(tabs.enter(page(path), false)).toBe(true)
    expect(tabs.enter(page('/6'), false)).toBe(false)
    expect(tabs.proposed?.key).toBe('/1')
    expect(tabs.giveWay('/2')).toBe('/6?x=1')
    expect(tabs.open.map((tab) => tab.key)).toEqual(['/1', '/3', '/4', '/5', '/6'])
    expect(tabs.wanted).toBeNull()
  })

  it('lets a call in although five pages are open', () => {
    const tabs = useTabs()
    for (const path of ['/1', '/2', '/3', '/4', '/5']) tabs.enter({ path, fullPath: path, meta: {} } as never, false)
    expect(tabs.enter({ path: '/desk', fullPath: '/desk', meta: { call: true } } as never, true)).toBe(true)
    expect(tabs.open).toHaveLength(5)
    expect(tabs.active).toBe('/desk')
  })
})
