import { computed, onScopeDispose, ref, type Ref } from 'vue'
import { api, ApiError } from '@/api/client'
import type { DraftSaved, FormData } from '@/api/types'
import { serverNow } from '@/composables/clock'
import { dropDraft, keepDraft } from './drafts'

const LOCAL_MS = 2_000
const SERVER_MS = 10_000

/**
 * Keeps typing safe: on this machine every 2 s, at the server every 10 s, and at once when the page goes away.
 * `path()` is where the server keeps it (PUT), null = only here.
 */
export function useDraft(name: () => string, path: () => string | null, data: Ref<FormData>) {
  const localAt = ref<string | null>(null)
  const serverAt = ref<string | null>(null)
  const dirty = ref(false)
  let forHere = false
  let forServer = false
  let sending = false
  let closed = false

  async function keepHere() {
    if (!forHere || closed) return
    forHere = false
    localAt.value = (await keepDraft(name(), { ...data.value })).at
  }
  async function keepThere() {
    const target = path()
    if (!forServer || sending || closed || !target) return
    forServer = false
    sending = true
    try {
      const answer = await api.put<DraftSaved | undefined>(target, { data: data.value })
      serverAt.value = answer?.at ?? new Date(serverNow()).toISOString()
      if (!forServer) dirty.value = false
    } catch (error) {
      // Taken away or done: the form says so when it is sent; offline: the next round tries again.
      forServer = !(error instanceof ApiError) || error.offline || error.status >= 500
    } finally {
      sending = false
    }
  }
  function touched() {
    dirty.value = forHere = forServer = true
  }
  async function flush() {
    await keepHere()
    await keepThere()
  }
  /** The form was handed in: nothing is left to keep. */
  async function done() {
    closed = true
    dirty.value = false
    await dropDraft(name())
  }
  /** Another task in the same place: start afresh. */
  function begin(at: string | null) {
    closed = forHere = forServer = false
    dirty.value = false
    serverAt.value = at
    localAt.value = null
  }

  const here = setInterval(() => void keepHere(), LOCAL_MS)
  const there = setInterval(() => void keepThere(), SERVER_MS)
  const leave = () => void flush()
  window.addEventListener('pagehide', leave)
  onScopeDispose(() => {
    clearInterval(here)
    clearInterval(there)
    window.removeEventListener('pagehide', leave)
    void flush()
  })
  const savedAt = computed(() => serverAt.value ?? localAt.value)
  return { localAt, serverAt, savedAt, dirty, touched, keepHere, flush, done, begin }
}
