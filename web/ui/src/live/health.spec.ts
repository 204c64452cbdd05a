import 'fake-indexeddb/auto'
import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import { api, heardServer, reachable, whenTroubled } from '@/api/client'
import { useResource } from '@/composables/resource'
import { away, health, HealthWatch, missingOf } from './health'

const WELL = { status: 'ok', database: 'ok', broker: 'memory', cti: 'ok', job_lag_ms: 0 }
let said: object | null
let asked: { url: string; init: RequestInit }[]
let watch: HealthWatch
const visits = () => asked.filter((one) => one.url === '/healthz').length
const pass = async (ms: number) => {
  await vi.advanceTimersByTimeAsync(ms)
  await flushPromises()
}

beforeEach(() => {
  vi.useFakeTimers()
  said = WELL
  asked = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    asked.push({ url, init })
    if (said === null) throw new TypeError('no network')
    return new Response(JSON.stringify(said), { status: said === WELL ? 200 : 503 })
  })
  watch = new HealthWatch()
})
afterEach(() => {
  watch.stop()
  health.stop()
  whenTroubled(() => undefined)
  heardServer(true)
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('what the installation misses', () => {
  it('names each part that is down or late', () => {
    expect(missingOf(WELL)).toEqual([])
    expect(missingOf({ ...WELL, cti: 'down' })).toEqual(['cti'])
    expect(missingOf({ ...WELL, broker: 'down' })).toEqual(['broker'])
    expect(missingOf({ ...WELL, job_lag_ms: 59_999 })).toEqual([])
    expect(missingOf({ ...WELL, job_lag_ms: 60_000 })).toEqual(['jobs'])
  })

  it('names the database alone when that is why the others cannot be known', () => {
    expect(missingOf({ database: 'down', broker: 'ok', cti: 'down', job_lag_ms: null })).toEqual(['database'])
    expect(missingOf({ database: 'down', broker: 'down', cti: 'down', job_lag_ms: null })).toEqual(['database', 'broker'])
  })
})

describe('the watch over it', () => {
  it('asks every 15 s, more often while something is missing, and forgets it when it is back', async () => {
    watch.start()
    await pass(14_000)
    expect(visits()).toBe(0)
    said = { ...WELL, database: 'down' }
    await pass(1_000)
    expect(watch.status.missing).toEqual(['database'])
    const since = watch.status.since
    expect(since).not.toBeNull()
    await pass(8_000)
    expect([visits(), watch.status.since]).toEqual([3, since])
    said = WELL
    await pass(4_000)
    expect(watch.status).toEqual({ missing: [], since: null })
    await pass(14_000)
    expect(visits()).toBe(4)
  })

  it('counts the next trouble from its own beginning', async () => {
    said = { ...WELL, database: 'down' }
    watch.start()
    await watch.look()
    const first = watch.status.since!
    said = { ...WELL, job_lag_ms: 90_000 }
    await pass(4_000)
    expect([watch.status.missing, watch.status.since! > first]).toEqual([['jobs'], true])
  })

  it('asks nobody while the page is hidden, and at once when it is looked at again', async () => {
    const shown = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    watch.start()
    await pass(60_000)
    expect(visits()).toBe(0)
    shown.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await pass(0)
    expect(visits()).toBe(1)
  })

  it('goes without the cookie: watching keeps no session alive', async () => {
    watch.start()
    await watch.look()
    expect(asked[0].init.credentials).toBe('omit')
  })

  it('takes silence for a lost line, and an answer for its end', async () => {
    said = null
    watch.start()
    await watch.look()
    expect([reachable.value, watch.status.missing]).toEqual([false, []])
    said = WELL
    await pass(4_000)
    expect(reachable.value).toBe(true)
  })

  it('looks at once after a request that was answered 503, got no answer, or waits for one', async () => {
    const looked = vi.fn()
    whenTroubled(looked)
    said = { code: 'database_unavailable' }
    await api.get('/api/tasks').catch(() => undefined)
    expect(looked).toHaveBeenCalledTimes(1)
    said = null
    await api.get('/api/tasks').catch(() => undefined)
    expect(looked).toHaveBeenCalledTimes(2)
    let answer: (response: Response) => void = () => undefined
    vi.stubGlobal('fetch', () => new Promise<Response>((resolve) => (answer = resolve)))
    const waiting = api.get('/api/tasks')
    await pass(2_900)
    expect(looked).toHaveBeenCalledTimes(2)
    await pass(200)
    expect(looked).toHaveBeenCalledTimes(3)
    answer(new Response('[]'))
    await waiting
  })

  it('has what could not be read meanwhile read again when the database is back', async () => {
    health.start()
    said = { ...WELL, database: 'down', code: 'database_unavailable' }
    await health.look()
    const scope = effectScope()
    const list = scope.run(() => useResource(() => api.get<object>('/api/tasks')))!
    await pass(0)
    expect([away.value, list.state.value]).toEqual([true, 'error'])
    said = WELL
    await pass(4_000)
    expect([away.value, list.state.value]).toEqual([false, 'ready'])
    scope.stop()
  })
})
