export type Urgency = 'none' | 'plain' | 'clock' | 'soon' | 'over'

/** Urgency by the share of time left between start and due: over 50 % plain, 50–20 % clock, below 20 % soon, then over. */
export function urgency(startMs: number, dueMs: number | null, atMs: number): Urgency {
  if (dueMs === null) return 'none'
  if (atMs >= dueMs) return 'over'
  const whole = dueMs - startMs
  const left = whole > 0 ? (dueMs - atMs) / whole : 0
  return left > 0.5 ? 'plain' : left >= 0.2 ? 'clock' : 'soon'
}

/** hh:mm of a span, minutes rounded up while time is left so that 剩 00:00 never shows. */
export function hoursMinutes(ms: number, over: boolean): string {
  const minutes = over ? Math.floor(ms / 60_000) : Math.ceil(ms / 60_000)
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
