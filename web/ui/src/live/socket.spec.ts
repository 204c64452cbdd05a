import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backoffMs, LiveSocket } from './socket'

class FakeSocket {
  onopen: (() => void) | null = null
  onmessage: ((message: { data: string }) => void) | null = null
  onclose: (() => void) | null = null
  onerror: (() => void) | null = null
  sent: unknown[] = []
  send = (text: string) => this.sent.push(JSON.parse(text))
  close = () => this.onclose?.()
  hear = (message: object) => this.onmessage?.({ data: JSON.stringify(message) })
}
let opened: FakeSocket[]
let socket: LiveSocket
const listener = () => ({ event: vi.fn(), subscribed: vi.fn(), heartbeat: vi.fn(), refused: vi.fn() })

beforeEach(() => {
  vi.useFakeTimers()
  opened = []
  socket = new LiveSocket(() => 'ws://desk/ws/live', {
    open: () => {
      const one = new FakeSocket()
      opened.push(one)
      return one as unknown as WebSocket
    },
    now: () => Date.now(),
    random: () => 0.5,
  })
})
afterEach(() => {
  socket.stop() // or it goes on listening to the window of the next test
  vi.useRealTimers()
})

describe('the one socket', () => {
  it('subscribes again to every topic after a reconnect', () => {
    const inbox = listener()
    socket.subscribe('inbox', inbox)
    socket.start()
    opened[0].onopen?.()
    expect(opened[0].sent).toEqual([{ subscribe: ['inbox'] }])
    opened[0].close()
    expect(socket.status.state).toBe('lost')
    vi.advanceTimersByTime(1_000)
    opened[1].onopen?.()
    opened[1].hear({ subscribed: { inbox: 'e2:0' } })
    expect(opened[1].sent).toEqual([{ subscribe: ['inbox'] }])
    expect(inbox.subscribed).toHaveBeenCalledWith({ epoch: 'e2', n: 0 })
    expect(socket.status).toMatchObject({ state: 'open', attempt: 0, lostAt: null })
  })

  it('believes the browser at once that the line is away, and that it is back', () => {
    socket.start()
    opened[0].close = () => undefined
    opened[0].onopen?.()
    window.dispatchEvent(new Event('offline'))
    expect(socket.status).toMatchObject({ state: 'lost', lostAt: Date.now() })
    window.dispatchEvent(new Event('online'))
    expect(opened).toHaveLength(2)
    opened[1].onopen?.()
    expect(socket.status).toMatchObject({ state: 'open', lostAt: null })
  })

  it('says so too when the line goes away before it ever stood', () => {
    socket.start()
    opened[0].close = () => undefined
    window.dispatchEvent(new Event('offline'))
    expect(socket.status.lostAt).toBe(Date.now())
  })

  it('does not listen to the browser once it is stopped', () => {
    socket.start()
    opened[0].onopen?.()
    socket.stop()
    window.dispatchEvent(new Event('offline'))
    window.dispatchEvent(new Event('online'))
    expect(socket.status.state).toBe('idle')
    expect(opened).toHaveLength(1)
  })

  it('gives up a line that is silent for 25 s, though it never closed', () => {
    socket.start()
    opened[0].close = () => undefined
    opened[0].onopen?.()
    vi.advanceTimersByTime(20_000)
    opened[0].hear({ heartbeat: {} })
    vi.advanceTimersByTime(20_000)
    expect(socket.status.state).toBe('open')
    vi.advanceTimersByTime(10_000)
    expect(socket.status.state).not.toBe('open')
  })

  it('waits longer after each failed try, never more than 15 s, and not all desks at once', () => {
    expect(backoffMs(1, 0)).toBe(250)
    expect(backoffMs(1, 1)).toBe(500)
    expect(backoffMs(4, 0)).toBe(2_000)
    expect(backoffMs(20, 1)).toBe(15_000)
  })

  it('hands events, heartbeats and refusals to the topic they are for', () => {
    const [inbox, floor] = [listener(), listener()]
    socket.subscribe('inbox', inbox)
    socket.subscribe('floor', floor)
    socket.start()
    opened[0].onopen?.()
    opened[0].hear({ topic: 'inbox', epoch: 'e', n: 1, event: 'TaskGone', data: {} })
    opened[0].hear({ heartbeat: { inbox: 'e:1' } })
    opened[0].hear({ refused: 'floor', code: 'no_permission' })
    expect(inbox.event).toHaveBeenCalledOnce()
    expect(inbox.heartbeat).toHaveBeenCalledWith({ epoch: 'e', n: 1 })
    expect(floor.event).not.toHaveBeenCalled()
    expect(floor.refused).toHaveBeenCalledWith('no_permission')
  })

  it('stops for good when the server ends the session', () => {
    const told = vi.fn()
    socket.onClosed = told
    socket.start()
    opened[0].onopen?.()
    opened[0].hear({ closed: 'session_ended' })
    vi.advanceTimersByTime(60_000)
    expect(told).toHaveBeenCalledWith('session_ended')
    expect(opened).toHaveLength(1)
  })
})
