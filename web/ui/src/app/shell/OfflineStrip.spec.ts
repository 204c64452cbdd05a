import { mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { heardServer } from '@/api/client'
import { health, type Part } from '@/live/health'
import { live } from '@/live/socket'
import { i18n, setLocale } from '../i18n'
import OfflineStrip from './OfflineStrip.vue'
import StatusBar from './StatusBar.vue'

const pinia = createPinia()
let shown: ReturnType<typeof mount>[] = []
function part(component: typeof OfflineStrip | typeof StatusBar) {
  const wrapper = mount(component, { global: { plugins: [pinia, i18n] } })
  shown.push(wrapper)
  return wrapper
}
async function misses(missing: Part[], since: number | null = Date.now()) {
  Object.assign(health.status, { missing, since })
  await nextTick()
}

beforeEach(() => {
  live.status.state = 'open'
})
afterEach(async () => {
  for (const wrapper of shown) wrapper.unmount()
  shown = []
  await misses([], null)
  Object.assign(live.status, { state: 'idle', lostAt: null })
  heardServer(true)
  setLocale('zh-CN')
  vi.useRealTimers()
})

describe('the strip that says what is missing', () => {
  it('is not there while nothing is', () => {
    expect(part(OfflineStrip).text()).toBe('')
  })

  it.each([
    ['database', '数据库暂时不可用', '输入存在本机', 'Database unavailable', 'typing is kept'],
    ['cti', '电话系统断开', '手工开单', 'Telephony disconnected', 'by hand'],
    ['jobs', '后台任务暂停', '办理照常', 'Background jobs paused', 'Tasks work'],
    ['broker', '消息服务断开', '办理照常', 'Message broker away', 'Tasks work'],
  ] as const)('names %s, says what still works and since when, in both languages, and so does the status bar', async (name, zh, works, en, worksEn) => {
    const [strip, bar] = [part(OfflineStrip), part(StatusBar)]
    await misses([name], Date.now() - 65_000)
    for (const text of [zh, works, '01:05']) expect(strip.text()).toContain(text)
    expect(bar.find('[data-testid=line]').text()).toBe(zh)
    setLocale('en')
    await nextTick()
    for (const text of [en, worksEn]) expect(strip.text()).toContain(text)
    expect(bar.find('[data-testid=line]').text()).toBe(en)
  })

  it('names all of them, and goes by itself', async () => {
    const [strip, bar] = [part(OfflineStrip), part(StatusBar)]
    await misses(['cti', 'jobs'])
    expect(strip.text()).toContain('电话系统断开, 后台任务暂停')
    await misses([], null)
    expect(strip.text()).toBe('')
    expect(bar.find('[data-testid=line]').text()).toContain('已连接')
  })

  it('speaks of the line first: without it nothing else is known', async () => {
    const strip = part(OfflineStrip)
    await misses(['database'])
    live.status.lostAt = Date.now()
    await nextTick()
    expect(strip.find('[data-testid=offline]').text()).toContain('已断线')
    expect(strip.find('[data-testid=outage]').exists()).toBe(false)
  })

  it('counts a server that stopped answering from its first silence, though the socket still stands', async () => {
    vi.useFakeTimers()
    const strip = part(OfflineStrip)
    heardServer(false)
    vi.setSystemTime(Date.now() + 20_000)
    heardServer(false)
    await vi.advanceTimersByTimeAsync(300)
    expect(strip.text()).toContain('已断线 00:20')
    expect(part(StatusBar).find('[data-testid=line]').text()).toBe('未连接')
  })
})
