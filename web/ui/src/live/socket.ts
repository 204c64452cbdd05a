import { reactive } from 'vue'
import { parsePair, type LiveEvent, type Pair } from './topic'

export interface TopicListener {
  event(event: LiveEvent): void
  /** The topic is (again) subscribed; read the snapshot now. */
  subscribed(pair: Pair | null): void
  heartbeat(pair: Pair): void
  refused?(code: string): void
}

export interface SocketStatus {
  state: 'idle' | 'connecting' | 'open' | 'lost'
  /** Since when the line is down, ms since 1970. */
  lostAt: number | null
  attempt: number
  nextTryAt: number | null
  /** Time of the last message from the server, ms since 1970. */
  heardAt: number | null
  roundTripMs: number | null
}

interface Ports {
  open: (url: string) => WebSocket
  now: () => number
  random: () => number
}
const browser: Ports = { open: (url) => new WebSocket(url), now: () => Date.now(), random: () => Math.random() }

const SILENCE_MS = 25_000
/** Waiting time before try number `attempt` (1, 2 …): doubling to 15 s, half of it random so that 200 desks do not return at once. */
export const backoffMs = (attempt: number, random: number): number => {
  const full = Math.min(15_000, 500 * 2 ** (attempt - 1))
  return Math.round(full / 2 + (full / 2) * random)
}

/** The one WebSocket of the page. Topics stay subscribed over any number of reconnects. */
export class LiveSocket {
  readonly status = reactive<SocketStatus>({ state: 'idle', lostAt: null, attempt: 0, nextTryAt: null, heardAt: null, roundTripMs: null })
  /** Told when the server ends the session. */
  onClosed: (why: string) => void = () => {}
  private socket: WebSocket | null = null
  private readonly topics = new Map<string, Set<TopicListener>>()
  private retry: ReturnType<typeof setTimeout> | null = null
  private watch: ReturnType<typeof setInterval> | null = null
  private askedAt: number | null = null

  constructor(private readonly url: () => string, private readonly ports: Ports = browser) {}

  start(): void {
    if (this.status.state !== 'idle') return
    window.addEventListener('offline', this.wentAway)
    window.addEventListener('online', this.cameBack)
    this.connect()
  }

  stop(): void {
    window.removeEventListener('offline', this.wentAway)
    window.removeEventListener('online', this.cameBack)
    if (this.retry) clearTimeout(this.retry)
    if (this.watch) clearInterval(this.watch)
    this.retry = this.watch = null
    const socket = this.socket
    this.socket = null
    socket?.close()
    Object.assign(this.status, { state: 'idle', lostAt: null, attempt: 0, nextTryAt: null })
  }

  reconnectNow(): void {
    if (this.status.state !== 'lost') return
    if (this.retry) clearTimeout(this.retry)
    this.connect()
  }

  subscribe(topic: string, listener: TopicListener): () => void {
    const listeners = this.topics.get(topic) ?? new Set()
    this.topics.set(topic, listeners)
    listeners.add(listener)
    // Also for the second listener of a topic: the answer carries the position its snapshot needs.
    if (this.status.state === 'open') this.say({ subscribe: [topic] })
    return () => {
      listeners.delete(listener)
      if (listeners.size > 0 || this.topics.get(topic) !== listeners) return
      this.topics.delete(topic)
      if (this.status.state === 'open') this.say({ unsubscribe: [topic] })
    }
  }

  private say(message: object): void {
    if ('subscribe' in message) this.askedAt = this.ports.now()
    this.socket?.send(JSON.stringify(message))
  }

  private connect(): void {
    this.status.state = 'connecting'
    this.status.nextTryAt = null
    const socket = this.ports.open(this.url())
    this.socket = socket
    socket.onopen = () => {
      Object.assign(this.status, { state: 'open', lostAt: null, attempt: 0, heardAt: this.ports.now() })
      if (this.topics.size) this.say({ subscribe: [...this.topics.keys()] })
      this.watch = setInterval(() => this.checkSilence(), 5_000)
    }
    socket.onmessage = (message) => this.hear(String(message.data))
    socket.onclose = () => this.lose(socket)
    socket.onerror = () => socket.close()
  }

  /** The browser knows before any silence does. */
  private readonly wentAway = () => this.drop()
  private readonly cameBack = () => this.reconnectNow()

  private checkSilence(): void {
    if (this.ports.now() - (this.status.heardAt ?? 0) > SILENCE_MS) this.drop()
  }

  private drop(): void {
    const dead = this.socket
    if (!dead) return
    dead.close()
    this.lose(dead) // a dead line may never report its own closing
  }

  private lose(socket: WebSocket): void {
    if (this.socket !== socket) return
    this.socket = null
    if (this.watch) clearInterval(this.watch)
    this.watch = null
    const attempt = this.status.attempt + 1
    const wait = backoffMs(attempt, this.ports.random())
    Object.assign(this.status, { state: 'lost', attempt, lostAt: this.status.lostAt ?? this.ports.now(), nextTryAt: this.ports.now() + wait })
    this.retry = setTimeout(() => this.connect(), wait)
  }

  private each(topic: string, tell: (listener: TopicListener) => void): void {
    for (const listener of [...(this.topics.get(topic) ?? [])]) tell(listener)
  }

  private hear(text: string): void {
    this.status.heardAt = this.ports.now()
    const message = JSON.parse(text) as Record<string, unknown>
    if (typeof message.topic === 'string') {
      this.each(message.topic, (listener) => listener.event(message as unknown as LiveEvent))
    } else if (message.heartbeat) {
      for (const [topic, text] of Object.entries(message.heartbeat as Record<string, string>)) {
        const pair = parsePair(text)
        if (pair) this.each(topic, (listener) => listener.heartbeat(pair))
      }
    } else if (message.subscribed) {
      if (this.askedAt !== null) this.status.roundTripMs = this.ports.now() - this.askedAt
      this.askedAt = null
      for (const [topic, text] of Object.entries(message.subscribed as Record<string, string>)) {
        this.each(topic, (listener) => listener.subscribed(parsePair(text)))
      }
    } else if (typeof message.refused === 'string') {
      this.each(message.refused, (listener) => listener.refused?.(String(message.code ?? '')))
    } else if (typeof message.closed === 'string') {
      this.stop()
      this.onClosed(message.closed)
    }
  }
}

export const socketUrl = (): string => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/live`
export const live = new LiveSocket(socketUrl)
