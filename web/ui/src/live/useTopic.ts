import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { asApiError, type ApiError } from '@/api/client'
import type { LivePairs } from '@/api/types'
import { away } from './health'
import { live, type LiveSocket } from './socket'
import { parsePair, TopicLog, type LiveEvent } from './topic'

export interface Topic {
  /** True until the first snapshot is there. */
  loading: Ref<boolean>
  error: Ref<ApiError | null>
  /** Read the snapshot again, for example after a filter changed. */
  reload: () => Promise<void>
  stop: () => void
}

/**
 * Snapshot + events of one live topic.
 *
 * `load` reads the snapshot, puts it into state and returns it (or its `live` pair); `apply` folds one event.
 * The order subscribe, read, apply later events is kept here; a gap or a new epoch calls `load` again.
 */
export function useTopic(
  topic: string,
  load: () => Promise<{ live?: LivePairs } | void>,
  apply: (event: string, data: unknown) => void,
  socket: LiveSocket = live,
): Topic {
  const loading = ref(true)
  const error = ref<ApiError | null>(null)
  let run = 0
  let readAt = 0
  let later: ReturnType<typeof setTimeout> | undefined

  const refetch = () => {
    // At most once a second, whatever the server says.
    clearTimeout(later)
    later = setTimeout(() => void reload(), Math.max(0, readAt + 1_000 - Date.now()))
  }
  const log = new TopicLog((event: LiveEvent) => apply(event.event, event.data), refetch)

  const reload = async () => {
    const mine = ++run
    readAt = Date.now()
    log.expect()
    try {
      const snapshot = await load()
      if (mine !== run) return
      const text = typeof snapshot?.live === 'object' ? snapshot.live[topic] : snapshot?.live
      error.value = null
      loading.value = false
      log.snapshot(parsePair(text))
    } catch (problem) {
      if (mine !== run) return
      error.value = asApiError(problem)
      loading.value = false
    }
  }

  const unsubscribe = socket.subscribe(topic, {
    event: (event) => log.receive(event),
    heartbeat: (pair) => log.heartbeat(pair),
    subscribed: (pair) => {
      if (pair) log.heartbeat(pair)
      void reload()
    },
    refused: () => void reload(),
  })
  // Without a line the page still shows what HTTP gives.
  if (socket.status.state !== 'open') void reload()

  const unwatch = watch(away, (isAway) => {
    if (!isAway && error.value?.away) refetch()
  })
  const stop = () => {
    run++
    unwatch()
    clearTimeout(later)
    unsubscribe()
  }
  onScopeDispose(stop, true)
  return { loading, error, reload, stop }
}
