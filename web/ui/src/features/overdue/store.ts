import { defineStore } from 'pinia'
import { computed, effectScope, ref, shallowRef, type EffectScope } from 'vue'
import { api } from '@/api/client'
import type { TaskPage, TaskRow } from '@/api/types'
import { useTopic, type Topic } from '@/live/useTopic'

const REREAD_MS = 600
/** Time alone makes tasks overdue: look again now and then, ms. */
const EVERY_MS = 30_000

/** Overdue tasks the supervisor may reassign. Events only say that something moved; the list itself is read afresh. */
export const useOverdue = defineStore('overdue', () => {
  const rows = shallowRef<TaskRow[]>([])
  const count = ref(0)
  const topic = shallowRef<Topic | null>(null)
  let scope: EffectScope | null = null
  let later: ReturnType<typeof setTimeout> | undefined
  let every: ReturnType<typeof setInterval> | undefined

  async function load() {
    const all: TaskRow[] = []
    let cursor: string | null = null
    let first: TaskPage | null = null
    // «Select all» must mean all: read every page, some hundred rows at most on a bad day.
    do {
      const page: TaskPage = await api.get<TaskPage>('/api/tasks', { box: 'overdue', size: 200, cursor })
      first ??= page
      all.push(...page.results)
      cursor = page.next
    } while (cursor && all.length < 1_000)
    rows.value = all
    count.value = Math.max(first.counts.overdue, all.length)
    return first
  }
  const reload = () => topic.value?.reload() ?? Promise.resolve()
  function soon() {
    clearTimeout(later)
    later = setTimeout(() => void reload(), REREAD_MS)
  }
  function start() {
    if (scope) return
    scope = effectScope(true)
    topic.value = scope.run(() => useTopic('inbox', load, soon)) ?? null
    every = setInterval(() => void reload(), EVERY_MS)
  }
  function stop() {
    clearTimeout(later)
    clearInterval(every)
    scope?.stop()
    scope = null
    topic.value = null
    rows.value = []
    count.value = 0
  }
  const loading = computed(() => topic.value?.loading.value ?? true)
  const error = computed(() => topic.value?.error.value ?? null)
  return { rows, count, loading, error, start, stop, reload }
})
