import { computed, ref, shallowRef, type ComputedRef } from 'vue'
import { api, asApiError, type ApiError, type Query } from '@/api/client'
import type { Page } from '@/api/types'
import { useErrorText } from './errors'
import { useResource } from './resource'
import { toast } from './toast'

export interface Paged<T> {
  rows: ComputedRef<T[]>
  error: ComputedRef<ApiError | null>
  loading: ComputedRef<boolean>
  reload: () => Promise<void>
  /** The next page under the rows; nothing when there is none or it is on its way. */
  further: () => Promise<void>
}

/** A list with a cursor. `query` is asked at each read; who changes a filter calls `reload`. */
export function usePaged<T>(path: string, query: () => Query): Paged<T> {
  const { errorText } = useErrorText()
  const more = shallowRef<T[]>([])
  const next = ref<string | null>(null)
  let paging = false
  let read = 0
  const first = useResource<Page<T>>(async (signal) => {
    const page = await api.get<Page<T>>(path, query(), { signal })
    read += 1
    more.value = []
    next.value = page.next
    return page
  })
  async function further() {
    if (!next.value || paging) return
    paging = true
    const since = read
    try {
      const page = await api.get<Page<T>>(path, { ...query(), cursor: next.value })
      if (since !== read) return // read afresh meanwhile: this page belongs to what was there before
      more.value = [...more.value, ...page.results]
      next.value = page.next
    } catch (problem) {
      toast(errorText(problem), { kind: 'danger' })
    } finally {
      paging = false
    }
  }
  return {
    rows: computed(() => [...(first.data.value?.results ?? []), ...more.value]),
    error: computed(() => (first.error.value ? asApiError(first.error.value) : null)),
    loading: computed(() => first.loading.value),
    reload: first.reload,
    further,
  }
}
