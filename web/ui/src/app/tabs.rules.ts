/** Tabs of the work area as plain data; the rules of the limit live here and nowhere else. */
export const LIMIT = 5

export interface Tab {
  /** Full path of the page: one tab per page. */
  key: string
  title: string
  /** Has typing that is not yet handed in. */
  dirty: boolean
  /** Shows a call: pinned. */
  call: boolean
  /** Rises with each visit; the smallest is the one not used for the longest time. */
  visited: number
}

/** `parked`: pages with typing that a ringing call had to take the place of; they return when a place is free. */
export interface Tabs { open: Tab[]; parked: Tab[]; active: string | null }

export type Opening = { kind: 'opened'; tabs: Tabs } | { kind: 'full'; proposal: string | null }

export const noTabs = (): Tabs => ({ open: [], parked: [], active: null })

const oldest = (tabs: Tab[]): Tab | undefined => tabs.reduce<Tab | undefined>((a, b) => (a && a.visited <= b.visited ? a : b), undefined)
const visit = (tabs: Tabs, key: string): Tabs => {
  const latest = Math.max(0, ...tabs.open.map((tab) => tab.visited)) + 1
  return { ...tabs, active: key, open: tabs.open.map((tab) => (tab.key === key ? { ...tab, visited: latest } : tab)) }
}

/** The tab to propose for closing: the clean one not used for the longest time, never a call and never one with typing. */
export const proposal = (tabs: Tabs): Tab | undefined => oldest(tabs.open.filter((tab) => !tab.call && !tab.dirty))

/**
 * Opens a page or goes to its tab. The sixth page is refused with a proposal; a call always gets in: it takes the place of the
 * oldest clean tab, or parks the oldest one with typing, which loses nothing.
 */
export function open(tabs: Tabs, page: { key: string; title: string; call?: boolean }): Opening {
  if (tabs.open.some((tab) => tab.key === page.key)) return { kind: 'opened', tabs: visit(tabs, page.key) }
  const tab: Tab = { key: page.key, title: page.title, dirty: false, call: page.call ?? false, visited: 0 }
  const parked = tabs.parked.find((other) => other.key === page.key)
  let next: Tabs = { ...tabs, parked: tabs.parked.filter((other) => other.key !== page.key) }
  if (next.open.length >= LIMIT) {
    const victim = proposal(next)
    if (!tab.call) return { kind: 'full', proposal: victim?.key ?? null }
    const leaving = victim ?? oldest(next.open.filter((other) => !other.call))
    if (leaving) {
      next = { ...next, open: next.open.filter((other) => other !== leaving), parked: leaving.dirty ? [...next.parked, leaving] : next.parked }
    }
  }
  const added = { ...tab, dirty: parked?.dirty ?? false }
  next = { ...next, open: tab.call ? [added, ...next.open] : [...next.open, added] }
  return { kind: 'opened', tabs: visit(next, page.key) }
}

/** Closes a tab; the neighbour becomes active and a parked page returns to the free place. */
export function close(tabs: Tabs, key: string): Tabs {
  const index = tabs.open.findIndex((tab) => tab.key === key)
  if (index < 0) return { ...tabs, parked: tabs.parked.filter((tab) => tab.key !== key) }
  const rest = tabs.open.filter((tab) => tab.key !== key)
  const [back, ...parked] = tabs.parked
  const opened = back ? [...rest, back] : rest
  const active = tabs.active === key ? (rest[Math.min(index, rest.length - 1)]?.key ?? back?.key ?? null) : tabs.active
  return { open: opened, parked, active }
}

export const replace = (tabs: Tabs, victim: string, page: { key: string; title: string }): Opening =>
  open({ ...tabs, open: tabs.open.filter((tab) => tab.key !== victim) }, page)

export const change = (tabs: Tabs, key: string, facts: Partial<Pick<Tab, 'title' | 'dirty' | 'call'>>): Tabs => {
  const mend = (tab: Tab) => (tab.key === key ? { ...tab, ...facts } : tab)
  return { ...tabs, open: tabs.open.map(mend), parked: tabs.parked.map(mend) }
}
