import type { InstanceView, TimelineRow } from '@/api/types'
import type { TimelineItem } from '@/design/Timeline.vue'

export interface TimelineWords {
  at: (instant: string) => string
  full: (instant: string) => string
  action: (action: string) => string
  element: (id: string | null) => string
  automatic: string
  due: (element: string) => string
}

const KINDS: Record<string, TimelineItem['kind']> = { call: 'call', message: 'message', reminded: 'timer', overdue: 'timer', timer: 'timer', escalated: 'timer' }

/** What happened, oldest first, and behind it what the flow will do by itself, with the rule that says so. */
export function timelineItems(rows: TimelineRow[], view: Pick<InstanceView, 'timers'> | null, words: TimelineWords): TimelineItem[] {
  const past = [...rows].sort((a, b) => a.at.localeCompare(b.at)).map((row): TimelineItem => {
    const step = words.element(row.element)
    return {
      at: words.at(row.at),
      title: words.full(row.at),
      kind: KINDS[row.action] ?? (row.auto ? 'system' : 'user'),
      who: row.actor ? `${row.actor.number} ${row.actor.name}`.trim() : words.automatic,
      text: [words.action(row.action), step].filter(Boolean).join(' · '),
      more: [row.text, row.rule].filter(Boolean).join(' · ') || undefined,
    }
  })
  const coming = [...(view?.timers ?? [])].sort((a, b) => a.due_at.localeCompare(b.due_at)).map((timer): TimelineItem => ({
    at: words.at(timer.due_at), title: words.full(timer.due_at), kind: 'timer', who: words.automatic, text: words.due(words.element(timer.element) || timer.element), next: true,
  }))
  return [...past, ...coming]
}
