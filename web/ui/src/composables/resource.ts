import { computed, onScopeDispose, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import { asApiError, type ApiError } from '@/api/client'
import { away } from '@/live/health'

export interface Resource<T> {
  data: Ref<T | null>
  error: Ref<ApiError | null>
  loading: Ref<boolean>
  state: ComputedRef<'loading' | 'error' | 'ready'>
  reload: () => Promise<void>
}

/**
 * One read of the API with its states. Only the latest read counts; a failed reload keeps what is shown.
 * A read that failed because a part was away is repeated when it is back.
 */
export function useResource<T>(read: (signal: AbortSignal) => Promise<T>, options: { immediate?: boolean } = {}): Resource<T> {
  const data = shallowRef<T | null>(null) as Ref<T | null>
  const error = ref<ApiError | null>(null)
  const loading = ref(false)
  let running: AbortController | null = null

  async function reload() {
    running?.abort()
    const mine = (running = new AbortController())
    loading.value = true
    try {
      const answer = await read(mine.signal)
      if (running !== mine) return
      data.value = answer
      error.value = null
    } catch (problem) {
      if (running === mine) error.value = asApiError(problem)
    } finally {
      if (running === mine) loading.value = false
    }
  }
  onScopeDispose(() => {
    running?.abort()
    running = null
  })
  watch(away, (isAway) => {
    if (!isAway && error.value?.away) void reload()
  })
  if (options.immediate !== false) void reload()
  const state = computed(() => (error.value && data.value === null ? 'error' : data.value === null ? 'loading' : 'ready'))
  return { data, error, loading, state, reload }
}
