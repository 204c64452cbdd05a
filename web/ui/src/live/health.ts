import { computed, reactive } from 'vue'
import { heardServer, reachable } from '@/api/client'

/** What the installation is made of, the most urgent to miss first. */
export const PARTS = ['database', 'cti', 'jobs', 'broker'] as const
export type Part = (typeof PARTS)[number]
interface Answer { database?: string; cti?: string; broker?: string; job_lag_ms?: number | null }

const EVERY_MS = 15_000
const EVERY_MS_WHILE_AWAY = 4_000
const PATIENCE_MS = 5_000
const LATE_MS = 60_000

/** Which parts are missing. Without the database nothing is known about telephony and jobs: then it alone is named. */
export function missingOf(answer: Answer): Part[] {
  const lag = answer.job_lag_ms
  const missing: Record<Part, boolean> = {
    database: answer.database !== 'ok',
    cti: answer.cti === 'down' && answer.database === 'ok',
    jobs: answer.database === 'ok' && (lag == null || lag >= LATE_MS),
    broker: answer.broker === 'down',
  }
  return PARTS.filter((part) => missing[part])
}

/** Asks /healthz while the page is looked at: every 15 s, at once after trouble, more often until it is over. */
export class HealthWatch {
  readonly status = reactive<{ missing: Part[]; since: number | null }>({ missing: [], since: null })
  private timer: ReturnType<typeof setTimeout> | null = null
  private watching = false
  private asking = false

  start(): void {
    if (this.watching) return
    this.watching = true
    document.addEventListener('visibilitychange', this.shown)
    this.next()
  }

  stop(): void {
    this.watching = false
    document.removeEventListener('visibilitychange', this.shown)
    if (this.timer) clearTimeout(this.timer)
    this.learn([])
  }

  /** Ask now: a request just failed, or takes long. */
  readonly look = async (): Promise<void> => {
    if (!this.watching || this.asking) return
    this.asking = true
    try {
      // Without the cookie: watching is no work and must not keep a session alive.
      const answer = await fetch('/healthz', { credentials: 'omit', cache: 'no-store', headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(PATIENCE_MS) })
      const said = (await answer.json()) as Answer
      heardServer(true)
      if (this.watching) this.learn(missingOf(said))
    } catch {
      heardServer(false) // nobody, or a proxy that has nobody to ask: the line itself is away
    } finally {
      this.asking = false
      this.next()
    }
  }

  private readonly shown = (): void => {
    if (document.visibilityState === 'visible') void this.look()
  }

  private next(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    if (!this.watching) return
    const calm = reachable.value && this.status.missing.length === 0
    this.timer = setTimeout(() => {
      if (document.visibilityState === 'visible') void this.look()
      else this.next()
    }, calm ? EVERY_MS : EVERY_MS_WHILE_AWAY)
  }

  private learn(missing: Part[]): void {
    const same = missing.length === this.status.missing.length && missing.every((part, i) => part === this.status.missing[i])
    if (same) return
    // One trouble may turn into the next, as when jobs are late after the database came back; each has its own beginning.
    this.status.since = missing.length === 0 ? null : missing[0] === this.status.missing[0] ? this.status.since : Date.now()
    this.status.missing = missing
  }
}

export const health = new HealthWatch()

/** Nothing can be read or handed in now; what failed for that may be tried again when it turns false. */
export const away = computed(() => !reachable.value || health.status.missing.includes('database'))
