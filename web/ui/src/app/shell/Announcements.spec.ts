import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Announcement } from '@/api/types'
import { useElement } from '@/design/element'
import { i18n } from '../i18n'
import Announcements from './Announcements.vue'

const said = (id: number, facts: Partial<Announcement> = {}) => ({ id: String(id), level: 'normal', title: `公告 ${id}`, title_en: '', body: `正文 ${id}`, published_at: `2026-11-2${id}T01:00:00Z`, ...facts }) as unknown as Announcement

async function shown(all: Announcement[], folded = false) {
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify(all)))
  const wrapper = mount(Announcements, { props: { folded }, global: { plugins: [i18n, useElement], stubs: { transition: false, teleport: true } } })
  await flushPromises()
  return { wrapper, lines: () => wrapper.findAll('ol > li').map((line) => line.find('.cut').text()) }
}
afterEach(() => vi.unstubAllGlobals())

describe('announcements in the frame (A-38)', () => {
  it('are three lines, the urgent one first, then the newest; the rest is behind one button', async () => {
    const { wrapper, lines } = await shown([said(1, { level: 'urgent' }), said(2), said(3), said(4), said(5)])
    expect(lines()).toEqual(['公告 1', '公告 5', '公告 4'])
    await wrapper.find('button').trigger('click')
    await flushPromises()
    expect(wrapper.findAll('.list > li')).toHaveLength(5)
    wrapper.unmount()
  })

  it('are one line during a call, and as many lines as there are when fewer', async () => {
    expect((await shown([said(1), said(2)], true)).lines()).toEqual(['公告 2'])
    expect((await shown([said(1), said(2)])).lines()).toEqual(['公告 2', '公告 1'])
  })
})
