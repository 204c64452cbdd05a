import type { CallView, PhoneState } from '@/api/types'

/** The face of the state block, in the words of ui/DESIGN 3. */
export type Face = 'out' | 'idle' | 'busy' | 'rest' | 'ring' | 'dial' | 'talk' | 'hold' | 'wrap'
export type Verb = 'answer' | 'hang' | 'hold' | 'retrieve' | 'mute' | 'unmute' | 'dial' | 'wrap'

export interface Bar {
  face: Face
  /** ms to show beside the word; counts down in wrap-up. */
  ms: number | null
  live: ReadonlySet<Verb>
  /** 取回 stands where 保持 stood, 取消静音 where 静音 stood. */
  holdVerb: 'hold' | 'retrieve'
  muteVerb: 'mute' | 'unmute'
}

const since = (instant: string | null, now: number): number | null => (instant ? Math.max(0, now - Date.parse(instant)) : null)

export function faceOf(phone: PhoneState | null, call: CallView | null): Face {
  if (call?.state === 'ringing') return call.direction === 'out' ? 'dial' : 'ring'
  if (call?.state === 'talking') return 'talk'
  if (call?.state === 'held') return 'hold'
  switch (phone?.state) {
    case 'ready': return 'idle'
    case 'acw': return 'wrap'
    case 'busy': return 'busy'
    case 'not_ready': return phone.reasons.find((reason) => reason.key === phone.reason)?.kind === 'rest' ? 'rest' : 'busy'
    default: return 'out'
  }
}

/** Which buttons are live in which state: a button never moves, it only goes live or quiet. */
const LIVE: Record<Face, Verb[]> = {
  out: [],
  idle: ['dial'],
  busy: ['dial'],
  rest: ['dial'],
  ring: ['answer', 'hang'],
  dial: ['hang'],
  talk: ['hang', 'hold', 'mute', 'unmute'],
  hold: ['hang', 'retrieve'],
  wrap: ['dial', 'wrap'],
}

/** Everything the bar shows, from what the switch says and the clock. */
export function barOf(phone: PhoneState | null, call: CallView | null, now: number, mayExtend = true): Bar {
  const face = faceOf(phone, call)
  const live = new Set(LIVE[face])
  // The wrap-up time can be extended once, by who may.
  if (face === 'wrap' && (phone?.wrap_up_extended || !mayExtend)) live.delete('wrap')
  // While talking, 整理 asks for wrap-up time after this call.
  if (face === 'talk') live.add('wrap')
  let ms: number | null
  if (face === 'wrap') ms = phone?.wrap_up_until ? Math.max(0, Date.parse(phone.wrap_up_until) - now) : null
  else if (face === 'talk') ms = since(call!.answered_at ?? call!.state_since, now)
  else if (face === 'hold') ms = since(call!.held_since ?? call!.state_since, now)
  else if (call) ms = since(call.state_since, now)
  else ms = face === 'out' ? null : since(phone?.since ?? null, now)
  return { face, ms, live, holdVerb: face === 'hold' ? 'retrieve' : 'hold', muteVerb: call?.muted ? 'unmute' : 'mute' }
}

export interface Pending { command: string; call: string; verb: Verb; sentAt: number; before: string }

/** Has the switch shown an effect of the command? Its event counts, never the click. */
export const stamp = (call: CallView | null): string => (call ? `${call.state}/${call.muted}/${call.state_since}` : 'gone')
