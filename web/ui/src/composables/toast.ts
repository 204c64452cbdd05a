import { reactive } from 'vue'
import { serverNow } from './clock'

export interface Toast {
  id: number
  kind: 'ok' | 'warn' | 'danger' | 'info'
  text: string
  /** When it goes away, ms since 1970 by the server's clock; null: stays until closed. */
  until: number | null
  /** A way back, for example undo; `key` is the letter that triggers it. */
  act?: { text: string; key?: string; run: () => void }
}

export const toasts = reactive<Toast[]>([])
let last = 0

export function toast(text: string, options: Partial<Omit<Toast, 'id' | 'text'>> & { ms?: number } = {}): number {
  const { ms = 5_000, kind = 'ok', until = serverNow() + ms, act } = options
  const id = ++last
  toasts.push({ id, kind, text, until, act })
  if (until !== null) setTimeout(() => dismiss(id), Math.max(0, until - serverNow()))
  return id
}

/** Ways back end early, for example undo at hang-up. */
export function dismissUndo(): void {
  for (const item of toasts.filter((one) => one.act?.key === 'Z')) dismiss(item.id)
}

export function dismiss(id: number): void {
  const index = toasts.findIndex((item) => item.id === id)
  if (index >= 0) toasts.splice(index, 1)
}
