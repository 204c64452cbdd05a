import { defineStore } from 'pinia'
import { computed, effectScope, ref, shallowRef, type EffectScope } from 'vue'
import { api } from '@/api/client'
import type { CallView, Phone, PhoneState } from '@/api/types'
import { useTopic, type Topic } from './useTopic'

export interface Refusal { id: string; code: string; reason: string | null }
export interface PhoneFacts { phone: PhoneState | null; calls: CallView[] }

export const noPhone = (): PhoneFacts => ({ phone: null, calls: [] })

export function fromSnapshot(snapshot: Phone): PhoneFacts {
  const { calls, live: _pairs, ...phone } = snapshot
  return { phone, calls: sorted(calls) }
}

const sorted = (calls: CallView[]) => [...calls].sort((a, b) => a.started_at.localeCompare(b.started_at) || a.id.localeCompare(b.id))
const put = (calls: CallView[], call: CallView) => sorted([...calls.filter((other) => other.id !== call.id), call])

/** An ended call stays for its wrap-up; one that was never answered has none. */
const inTheirTime = (phone: PhoneState | null, calls: CallView[]) => {
  const wrapping = phone === null || phone.state === 'busy' || phone.state === 'acw'
  return calls.filter((call) => call.state !== 'ended' || (wrapping && call.answered_at !== null))
}

/** Folds one event of the topic `phone`; a fresh snapshot after the same events shows the same (proved by a test). */
export function fold(facts: PhoneFacts, event: string, data: unknown): PhoneFacts {
  switch (event) {
    case 'PhoneChanged': {
      const phone = { ...facts.phone, ...(data as PhoneState) }
      return { phone, calls: inTheirTime(phone, facts.calls) }
    }
    case 'CallChanged':
    case 'CallEnded':
      return { ...facts, calls: inTheirTime(facts.phone, put(facts.calls, data as CallView)) }
    default:
      return facts
  }
}

/** The own phone: what the switch says, never what the buttons hoped. */
export const usePhone = defineStore('phone', () => {
  const facts = ref<PhoneFacts>(noPhone())
  const refused = ref<Refusal | null>(null)
  const topic = shallowRef<Topic | null>(null)

  const phone = computed(() => facts.value.phone)
  const calls = computed(() => facts.value.calls)
  const liveCalls = computed(() => calls.value.filter((call) => call.state !== 'ended'))
  /** The call the buttons act on: the talking one, else the ringing one, else a held one. */
  const call = computed(() => (['talking', 'ringing', 'held'] as const).map((state) => liveCalls.value.find((one) => one.state === state)).find(Boolean) ?? null)
  const inCall = computed(() => call.value !== null)
  const loading = computed(() => topic.value?.loading.value ?? true)
  const error = computed(() => topic.value?.error.value ?? null)

  async function load() {
    const snapshot = await api.get<Phone>('/api/telephony/me')
    facts.value = fromSnapshot(snapshot)
    return snapshot
  }

  let scope: EffectScope | null = null

  function start() {
    // Its own scope: the phone lives as long as the session, not as long as the component that started it.
    scope ??= effectScope(true)
    topic.value ??= scope.run(() => useTopic('phone', load, (event, data) => {
      if (event === 'CommandRefused') refused.value = data as Refusal
      else facts.value = fold(facts.value, event, data)
    })) ?? null
  }
  function stop() {
    scope?.stop()
    scope = null
    topic.value = null
    facts.value = noPhone()
  }
  const reload = () => topic.value?.reload() ?? Promise.resolve()

  return { phone, calls, liveCalls, call, inCall, loading, error, refused, start, stop, reload }
})
