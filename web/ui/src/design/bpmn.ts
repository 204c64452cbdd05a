import type { InstanceView } from '@/api/types'

export type Mark = 'is-todo' | 'is-done' | 'is-now' | 'is-soon' | 'is-bad' | 'is-chosen'
export interface Badge { element: string; text: string; tone: 'now' | 'soon' | 'bad' | 'count' | 'plain'; below?: boolean }
/** What to paint on a diagram: marks of nodes, sequence flows taken, badges. */
export interface Painting { marks: Record<string, Mark>; walked: string[]; badges: Badge[] }

export const blank = (): Painting => ({ marks: {}, walked: [], badges: [] })

export interface PaintingWords {
  /** Who has it and since when, e.g. "1023 张*丽 00:12". */
  token: (token: InstanceView['tokens'][number]) => string
  timer: (dueAt: string) => string
  incidents: (n: number) => string
}

/** Paints a running instance: done and current nodes, timers that run, incidents. Later marks are the stronger ones. */
export function paintInstance(view: InstanceView, words: PaintingWords): Painting {
  const painting: Painting = { marks: {}, walked: view.flows_taken, badges: [] }
  for (const element of view.done) painting.marks[element] = 'is-done'
  const tokens = new Map<string, InstanceView['tokens']>()
  for (const token of view.tokens) tokens.set(token.element, [...(tokens.get(token.element) ?? []), token])
  for (const [element, here] of tokens) {
    painting.marks[element] = 'is-now'
    painting.badges.push({ element, tone: 'now', text: here.length > 1 ? `${words.token(here[0])} ×${here.length}` : words.token(here[0]) })
  }
  for (const timer of view.timers) {
    painting.marks[timer.element] = 'is-soon'
    painting.badges.push({ element: timer.element, tone: 'soon', text: words.timer(timer.due_at), below: true })
  }
  const broken = new Map<string, number>()
  for (const { element } of view.incidents) if (element) broken.set(element, (broken.get(element) ?? 0) + 1)
  for (const [element, n] of broken) {
    painting.marks[element] = 'is-bad'
    painting.badges = painting.badges.filter((badge) => badge.element !== element)
    painting.badges.push({ element, tone: 'bad', text: words.incidents(n) })
  }
  return painting
}
