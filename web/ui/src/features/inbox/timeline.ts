import type { Bilingual, TimelineRow } from '@/api/types'
import type { TimelineItem } from '@/design/Timeline.vue'

export interface TimelineWords {
  at: (instant: string) => string
  full: (instant: string) => string
  action: (action: string) => string
  name: (row: TimelineRow) => string
  rule: (rule: Bilingual) => string
  /** A coded reason in words; own words stay as they are. */
  reason: (text: string) => string
  to: (who: string) => string
  automatic: string
}

const COMING = 'will_fire'
const KINDS: Record<string, TimelineItem['kind']> = { call: 'call', message: 'message', reminded: 'timer', overdue: 'timer', fired: 'timer', escalated: 'timer', [COMING]: 'timer' }

/** What happened, oldest first, and behind it what the flow will do by itself, with the rule that says so. */
export function timelineItems(rows: TimelineRow[], words: TimelineWords): TimelineItem[] {
  const rank = (row: TimelineRow) => (row.action === COMING ? 1 : 0)
  // What an ending step took down with it (its reminders, its messages) says nothing of its own.
  return rows.filter((row) => !(row.auto && row.action === 'cancelled')).sort((a, b) => rank(a) - rank(b) || a.at.localeCompare(b.at)).map((row): TimelineItem => {
    const receiver = [row.facts.to, row.facts.to_name].filter((part) => typeof part === 'string' && part).join(' ')
    return {
      at: words.at(row.at),
      title: words.full(row.at),
      kind: KINDS[row.action] ?? (row.auto ? 'system' : 'user'),
      who: row.actor ? `${row.actor.number} ${row.actor.name}`.trim() : words.automatic,
      text: [words.action(row.action), words.name(row), receiver && words.to(receiver)].filter(Boolean).join(' · '),
      more: [typeof row.facts.reason === 'string' && words.reason(row.facts.reason), row.text && words.reason(row.text), row.rule && words.rule(row.rule)].filter(Boolean).join(' · ') || undefined,
      ...(row.action === COMING ? { next: true } : {}),
    }
  })
}
