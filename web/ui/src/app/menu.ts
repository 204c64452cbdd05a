import { Activity, ChartNoAxesColumn, Headset, HeartHandshake, ListChecks, Mic, Settings, User, Workflow } from 'lucide-vue-next'
import type { Component } from 'vue'
import type { Session } from '@/api/types'
import { features } from './collected'
import type { MenuGroup, MenuItem } from './features'

export interface Group { key: MenuGroup; title: string; icon: Component; pinyin: string; second?: boolean }

export const groups: Group[] = [
  { key: 'calls', title: 'menu.calls', icon: Headset, pinyin: 'ldcl' },
  { key: 'tasks', title: 'menu.tasks', icon: ListChecks, pinyin: 'rwzx' },
  { key: 'support', title: 'menu.support', icon: HeartHandshake, pinyin: 'fwzc' },
  { key: 'reports', title: 'menu.reports', icon: ChartNoAxesColumn, pinyin: 'ywbb' },
  { key: 'recordings', title: 'menu.recordings', icon: Mic, pinyin: 'lygl' },
  { key: 'live', title: 'menu.live', icon: Activity, pinyin: 'ssjk' },
  { key: 'me', title: 'menu.me', icon: User, pinyin: 'wdxx' },
  { key: 'studio', title: 'menu.studio', icon: Workflow, pinyin: 'lczx', second: true },
  { key: 'admin', title: 'menu.admin', icon: Settings, pinyin: 'xtgl', second: true },
]

export const items: MenuItem[] = features.flatMap((feature) => feature.menu ?? []).sort((a, b) => a.order - b.order)

export const itemsFor = (session: Session): MenuItem[] => items.filter((item) => !item.allow || item.allow(session))

/** The page to start with: the desk for people with a phone, else the inbox, else the first entry of the menu. */
export function homeOf(session: Session): string {
  const paths = itemsFor(session).map((item) => item.path)
  const wished = session.agent ? ['/desk', '/inbox'] : ['/inbox', '/floor']
  return wished.find((path) => paths.includes(path)) ?? paths[0] ?? '/no-permission'
}

/** Search by name, or by the first letters of the pinyin. */
export function matches(item: { pinyin: string }, name: string, typed: string): boolean {
  const wanted = typed.trim().toLowerCase()
  return !wanted || name.toLowerCase().includes(wanted) || item.pinyin.startsWith(wanted)
}
