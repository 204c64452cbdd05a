import { defineStore } from 'pinia'
import { computed, effectScope, ref, shallowRef, type EffectScope } from 'vue'
import { api, asApiError, type ApiError } from '@/api/client'
import type { TaskBox, TaskPage, TaskRow } from '@/api/types'
import { useTopic, type Topic } from '@/live/useTopic'
import { append, emptyBox, fold, type BoxState, type Gone } from './box'

const REREAD_MS = 400

/** The box that is shown, and the counters of all boxes; lives as long as the session. */
export const useInbox = defineStore('inbox', () => {
  const state = shallowRef<BoxState>(emptyBox('mine'))
  const search = ref('')
  const topic = shallowRef<Topic | null>(null)
  /** The latest task that left, for the page that shows it. */
  const gone = ref<Gone | null>(null)
  const changed = shallowRef<TaskRow | null>(null)
  /** Grows with each snapshot: what happened before it is told by no event any more. */
  const read = ref(0)
  const switching = ref(false)
  const failed = ref<ApiError | null>(null)
  let scope: EffectScope | null = null
  let later: ReturnType<typeof setTimeout> | undefined
  let paging = false

  async function load() {
    const { box } = state.value
    const wanted = search.value.trim()
    const page = await api.get<TaskPage>('/api/tasks', { box, search: wanted })
    if (box === state.value.box && wanted === search.value.trim()) {
      state.value = { box, rows: page.results, next: page.next, counts: { ...state.value.counts, ...page.counts }, filtered: wanted !== '' }
      switching.value = false
      read.value += 1
    }
    return page
  }
  const reload = () => topic.value?.reload() ?? Promise.resolve()

  function apply(event: string, data: unknown) {
    const folded = fold(state.value, event, data)
    state.value = folded.state
    if (event === 'TaskGone') gone.value = data as Gone
    if (event === 'TaskChanged') changed.value = data as TaskRow
    if (folded.reread) {
      clearTimeout(later)
      later = setTimeout(() => void reload(), REREAD_MS)
    }
  }
  function start() {
    if (scope) return
    scope = effectScope(true)
    topic.value = scope.run(() => useTopic('inbox', load, apply)) ?? null
  }
  function stop() {
    clearTimeout(later)
    scope?.stop()
    scope = null
    topic.value = null
    search.value = ''
    state.value = emptyBox('mine')
  }

  async function show(box: TaskBox) {
    if (box === state.value.box) return
    state.value = { ...emptyBox(box), counts: state.value.counts }
    switching.value = true
    await reload()
    switching.value = false
  }
  async function find(text: string) {
    search.value = text
    await reload()
  }
  async function more() {
    const { next, box } = state.value
    if (!next || paging) return
    paging = true
    try {
      const page = await api.get<TaskPage>('/api/tasks', { box, search: search.value.trim(), cursor: next })
      if (box === state.value.box && next === state.value.next) state.value = append(state.value, { results: page.results, next: page.next })
    } catch (error) {
      failed.value = asApiError(error)
    } finally {
      paging = false
    }
  }

  const box = computed(() => state.value.box)
  const rows = computed(() => state.value.rows)
  const counts = computed(() => state.value.counts)
  const loading = computed(() => switching.value || (topic.value?.loading.value ?? true))
  const error = computed(() => topic.value?.error.value ?? null)
  return { state, box, rows, counts, search, loading, error, failed, gone, changed, read, start, stop, show, find, more, reload }
})
