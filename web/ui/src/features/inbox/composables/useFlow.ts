import { computed, type Ref } from 'vue'
import { api } from '@/api/client'
import type { InstanceView } from '@/api/types'
import { say } from '@/app/i18n'
import { useResource } from '@/composables/resource'
import { activities, stepsOf } from '@/design/flowSteps'

export interface FlowFacts { view: InstanceView; xml: string }

/** Where a flow stands, with its drawing; read again by `reload()`. */
export function useFlow(instance: Ref<string | null | undefined>) {
  let drawn: { url: string; xml: string } | null = null
  const flow = useResource<FlowFacts | null>(async (signal) => {
    const id = instance.value
    if (!id) return null
    const view = await api.get<InstanceView>(`/api/instances/${id}`, {}, { signal })
    const url = view.xml_url || `/api/instances/${id}/diagram`
    // The drawing of a published version never changes.
    if (drawn?.url !== url) drawn = { url, xml: await api.text(url) }
    // What was dealt with is history; the drawing shows what is wrong now.
    const incidents = view.incidents.filter((one) => one.state === 'open')
    return { view: { ...view, incidents }, xml: drawn.xml }
  }, { immediate: false })
  const steps = computed(() => {
    const facts = flow.data.value
    return facts ? stepsOf(activities(facts.xml), facts.view, (id, name) => say(facts.view.names[id]) || name) : []
  })
  const name = computed(() => {
    const facts = flow.data.value?.view
    if (!facts) return ''
    const words = typeof facts.flow === 'string' ? facts.flow : say(facts.flow.name) || facts.flow.key
    return `${words} v${facts.version}`
  })
  return { ...flow, steps, name }
}
