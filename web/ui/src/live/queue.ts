import { defineStore } from 'pinia'
import { computed, effectScope, ref, shallowRef, type EffectScope } from 'vue'
import { api } from '@/api/client'
import type { MissedRow, QueueAnswer, QueueRow } from '@/api/types'
import { useTopic, type Topic } from './useTopic'

const MISSED_EVERY_MS = 30_000

/** Waiting and missed calls: two counters of the phone bar and two pages look at the same rows. */
export const useQueue = defineStore('queue', () => {
  const waiting = ref<QueueRow[]>([])
  const missed = ref<MissedRow[]>([])
  const topic = shallowRef<Topic | null>(null)
  const missedError = ref<unknown>(null)
  const missedLoading = ref(true)
  let scope: EffectScope | null = null
  let timer: ReturnType<typeof setInterval> | undefined

  async function load() {
    const answer = await api.get<QueueAnswer>('/api/telephony/queue')
    waiting.value = answer.results
    return answer
  }
  async function loadMissed() {
    try {
      missed.value = await api.get<MissedRow[]>('/api/telephony/missed')
      missedError.value = null
    } catch (error) {
      missedError.value = error
    } finally {
      missedLoading.value = false
    }
  }
  function start() {
    if (scope) return
    scope = effectScope(true)
    topic.value = scope.run(() => useTopic('queue', load, (_event, data) => {
      const rows = (data as Partial<QueueAnswer> | null)?.results
      if (rows) waiting.value = rows
      else void topic.value?.reload()
      // A call that left the queue may have been missed.
      void loadMissed()
    })) ?? null
    void loadMissed()
    timer = setInterval(() => void loadMissed(), MISSED_EVERY_MS)
  }
  function stop() {
    scope?.stop()
    scope = null
    topic.value = null
    clearInterval(timer)
    waiting.value = []
    missed.value = []
  }

  const loading = computed(() => topic.value?.loading.value ?? true)
  const error = computed(() => topic.value?.error.value ?? null)
  const open = computed(() => missed.value.filter((row) => row.state === 'open'))
  return { waiting, missed, open, loading, error, missedLoading, missedError, start, stop, loadMissed, reload: () => topic.value?.reload() ?? Promise.resolve() }
})
