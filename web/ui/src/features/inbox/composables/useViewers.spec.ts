import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, shallowRef, type EffectScope } from 'vue'
import type { TaskDetail } from '@/api/types'
import type { LiveSocket, TopicListener } from '@/live/socket'
import { useViewers } from './useViewers'

type Viewers = TaskDetail['viewers']
const li: Viewers[number] = { number: '1031', name: '李梅', since: '2026-11-25T06:02:00Z' }
const wu: Viewers[number] = { number: '1024', name: '吴志强', since: '2026-11-25T06:05:00Z' }
const read = (...viewers: Viewers) => ({ id: '7', viewers }) as unknown as TaskDetail

let server: TaskDetail | null
let asked: number
let scope: EffectScope
let listener: TopicListener | null
let topic: string
const socket = {
  status: { state: 'open' },
  subscribe: (name: string, one: TopicListener) => {
    ;[topic, listener] = [name, one]
    return () => (listener = null)
  },
} as unknown as LiveSocket
let n: number
const told = (...viewers: Viewers) => listener?.event({ topic, epoch: 'e', n: ++n, event: 'ViewersChanged', data: { viewers } })
const subscribed = async () => {
  listener?.subscribed({ epoch: 'e', n })
  await flushPromises()
}

beforeEach(() => {
  scope = effectScope()
  ;[server, asked, n] = [read(), 0, 0]
  vi.stubGlobal('fetch', async () => {
    asked++
    return new Response(JSON.stringify(server ?? { code: 'not_found' }), { status: server ? 200 : 404 })
  })
})
afterEach(() => {
  scope.stop()
  vi.unstubAllGlobals()
})
const opened = () => {
  const task = shallowRef<TaskDetail | null>(null)
  return { task, viewers: scope.run(() => useViewers('7', task, socket))! }
}

describe('who else looks at the task', () => {
  it('shows whom the answer names, then who comes and goes, without asking again', async () => {
    const { task, viewers } = opened()
    expect(topic).toBe('task:7')
    task.value = read(li)
    await flushPromises()
    expect(viewers.value).toEqual([li])
    await subscribed()
    told(li, wu)
    expect(viewers.value).toEqual([li, wu])
    told()
    expect(viewers.value).toEqual([])
    expect(asked).toBe(0)
  })

  it('believes what was told later, not an answer that was longer on its way', async () => {
    const { task, viewers } = opened()
    await subscribed()
    told()
    task.value = read(li)
    await flushPromises()
    expect(viewers.value).toEqual([])
  })

  it('asks again when the line comes back', async () => {
    const { viewers } = opened()
    await subscribed()
    told(li)
    server = read(wu)
    await subscribed()
    expect(viewers.value).toEqual([wu])
    expect(asked).toBe(1)
  })

  it('shows nobody once the task may not be read any more', async () => {
    const { viewers } = opened()
    await subscribed()
    told(li)
    server = null
    listener?.refused?.('no_permission')
    await flushPromises()
    expect(viewers.value).toEqual([])
  })

  it('stops listening, and so being seen, when the task is left', () => {
    opened()
    expect(listener).not.toBeNull()
    scope.stop()
    expect(listener).toBeNull()
  })
})
