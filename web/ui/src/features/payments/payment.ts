import type { Payment, PaymentDetail, ReconciliationRow, Refund } from '@/api/types'
import type { Shape } from '@/design/Glyph.vue'
import type { Tone } from '@/design/StatusTag.vue'

interface Look { tone: Tone; shape: Shape }
export const LOOK: Record<Payment['state'], Look> = {
  asked: { tone: 'primary', shape: 'now' }, paid: { tone: 'ok', shape: 'done' }, in_doubt: { tone: 'warn', shape: 'soon' }, failed: { tone: 'danger', shape: 'bad' },
  expired: { tone: 'info', shape: 'clock' }, cancelled: { tone: 'info', shape: 'out' }, refunded: { tone: 'info', shape: 'hold' }, part_refunded: { tone: 'info', shape: 'hold' },
}
export const REFUND_LOOK: Record<Refund['state'], Look> = {
  wanted: { tone: 'warn', shape: 'todo' }, approved: { tone: 'primary', shape: 'now' }, rejected: { tone: 'info', shape: 'bad' }, executing: { tone: 'primary', shape: 'clock' }, done: { tone: 'ok', shape: 'done' }, failed: { tone: 'danger', shape: 'bad' },
}
export const VERDICT_LOOK: Record<PaymentDetail['notices'][number]['verdict'], Look> = {
  taken: { tone: 'ok', shape: 'done' }, duplicate: { tone: 'info', shape: 'hold' }, late: { tone: 'warn', shape: 'clock' }, wrong_amount: { tone: 'danger', shape: 'bad' }, unknown: { tone: 'warn', shape: 'todo' }, forged: { tone: 'danger', shape: 'over' },
}
export const STATES = ['asked', 'paid', 'in_doubt', 'failed', 'expired', 'cancelled', 'refunded', 'part_refunded'] as const satisfies Payment['state'][]
export const REFUND_STATES = ['wanted', 'approved', 'executing', 'done', 'failed', 'rejected'] as const satisfies Refund['state'][]

type Sums = Omit<ReconciliationRow, 'clinic'>
const add = (a: number | null, b: number | null) => (a === null || b === null ? null : a + b)
/** The last line of the table. What the provider did not tell yet for one clinic is not known in sum either. */
export const totalOf = (rows: ReconciliationRow[]): Sums =>
  rows.reduce<Sums>((sum, row) => ({
    paid_fen: sum.paid_fen + row.paid_fen, refunded_fen: sum.refunded_fen + row.refunded_fen, desk_fen: sum.desk_fen + row.desk_fen, fund_fen: sum.fund_fen + row.fund_fen,
    provider_paid_fen: add(sum.provider_paid_fen, row.provider_paid_fen), provider_refunded_fen: add(sum.provider_refunded_fen, row.provider_refunded_fen), difference_fen: add(sum.difference_fen, row.difference_fen),
  }), { paid_fen: 0, refunded_fen: 0, desk_fen: 0, fund_fen: 0, provider_paid_fen: 0, provider_refunded_fen: 0, difference_fen: 0 })
