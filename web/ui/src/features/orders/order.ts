import type { Order, OrderDetail } from '@/api/types'
import type { Shape } from '@/design/Glyph.vue'
import type { Tone } from '@/design/StatusTag.vue'

export const LOOK: Record<Order['state'], { tone: Tone; shape: Shape }> = {
  draft: { tone: 'info', shape: 'todo' }, awaiting_payment: { tone: 'warn', shape: 'clock' }, paid: { tone: 'primary', shape: 'now' }, dispensing: { tone: 'primary', shape: 'now' }, decocting: { tone: 'primary', shape: 'now' },
  ready: { tone: 'ok', shape: 'idle' }, delivering: { tone: 'primary', shape: 'now' }, done: { tone: 'ok', shape: 'done' }, cancelled: { tone: 'info', shape: 'bad' }, refunded: { tone: 'info', shape: 'hold' }, part_refunded: { tone: 'info', shape: 'hold' },
}
/** What the filter offers, and the states each choice means; none means all. */
export const FILTERS = { all: '', unpaid: 'draft,awaiting_payment', working: 'paid,dispensing,decocting', ready: 'ready,delivering', done: 'done', off: 'cancelled,refunded,part_refunded' } as const
export type Filter = keyof typeof FILTERS

export type Act = Order['can'][number]
export const REASONS: Record<Act, string[]> = { delivered: [], return: ['quality', 'wrong', 'unsuitable', 'other'], cancel: ['price', 'elsewhere', 'unsuitable', 'other'] }

export interface Step { key: 'placed' | 'paid' | 'dispensed' | 'ready' | 'handed' | 'done'; at: string }
/** How far it got, with the moment of each step taken, in their order. */
export const stepsOf = (order: Pick<OrderDetail, 'placed_at' | 'paid_at' | 'dispensed_at' | 'ready_at' | 'handed_at' | 'done_at'>): Step[] =>
  (['placed', 'paid', 'dispensed', 'ready', 'handed', 'done'] as const).flatMap((key) => {
    const at = order[`${key}_at`]
    return at ? [{ key, at }] : []
  })
