import { flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Session } from '@/api/types'
import { features } from '../collected'
import { addMessages, i18n } from '../i18n'
import { useSession } from '../session'
import SideMenu from './SideMenu.vue'

/** The page as it is after a (re)load: nothing is remembered but what the browser stores. */
async function loaded() {
  const pinia = createPinia()
  setActivePinia(pinia)
  const user = { id: 1, number: '1023', name: '张丽', roles: ['agent'], permissions: [], groups: [], locale: null }
  useSession().$patch({ session: { user, agent: { extension: '8023', groups: [] } } as unknown as Session })
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:all(.*)', component: { render: () => null } }] })
  await router.push('/inbox')
  const wrapper = mount(SideMenu, { global: { plugins: [pinia, i18n, router] } })
  await flushPromises()
  return wrapper
}

for (const feature of features) addMessages(feature.locales)

beforeEach(() => {
  localStorage.clear()
  vi.stubGlobal('fetch', async () => new Response('[]'))
})
afterEach(() => vi.unstubAllGlobals())

describe('the menu at the left', () => {
  it('collapses to its icons and is still so after a reload, until it is opened again', async () => {
    const first = await loaded()
    expect(first.classes()).not.toContain('fold')
    expect(first.text()).toContain('任务中心')
    await first.find('.foldbtn').trigger('click')
    expect([first.classes().includes('fold'), first.text()]).toEqual([true, ''])
    first.unmount()

    const again = await loaded()
    expect([again.classes().includes('fold'), again.text()]).toEqual([true, ''])
    expect(again.findAll('button.g').map((button) => button.attributes('aria-label'))).toContain('任务中心')
    await again.find('.foldbtn').trigger('click')
    again.unmount()

    const last = await loaded()
    expect([last.classes().includes('fold'), last.text().includes('任务中心')]).toEqual([false, true])
    last.unmount()
  })
})
