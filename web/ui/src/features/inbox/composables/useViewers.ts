import { ref, watch, type Ref } from 'vue'
import { api } from '@/api/client'
import type { TaskDetail } from '@/api/types'
import { live, type LiveSocket } from '@/live/socket'
import { useTopic } from '@/live/useTopic'

type Viewers = TaskDetail['viewers']

/** The colleagues who look at this task now. To listen is to be seen looking: it ends with the component, the tab or the line. */
export function useViewers(id: string, task: Ref<TaskDetail | null>, socket: LiveSocket = live): Ref<Viewers> {
  const viewers = ref<Viewers>([])
  let isTold = false
  let isFirst = true

  // An answer may be older than what was told while it was on its way.
  watch(task, (read) => {
    if (!isTold) viewers.value = read?.viewers ?? []
  }, { immediate: true })

  async function load() {
    // The page reads the task anyway, and whoever comes is told at once who is there.
    if (isFirst) {
      isFirst = false
      return
    }
    try {
      viewers.value = (await api.get<TaskDetail>(`/api/tasks/${id}`)).viewers
    } catch (problem) {
      viewers.value = []
      throw problem
    }
  }
  useTopic(`task:${id}`, load, (event, data) => {
    if (event !== 'ViewersChanged') return
    isTold = true
    viewers.value = (data as { viewers: Viewers }).viewers
  }, socket)
  return viewers
}
