import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { InstanceView, TimelineRow } from '@/api/types'
import { say } from '@/app/i18n'
import { useTime } from '@/composables/time'
import { timelineItems } from '../timeline'

export function useTimeline(rows: Ref<TimelineRow[]>, view: Ref<InstanceView | null>) {
  const { t, te } = useI18n()
  const { shortTime, fullTime } = useTime()
  return computed(() => timelineItems(rows.value, view.value, {
    at: shortTime,
    full: fullTime,
    action: (action) => (te(`tickets.action.${action}`) ? t(`tickets.action.${action}`) : action),
    element: (id) => (id ? say(view.value?.names[id]) : ''),
    automatic: t('tickets.automatic'),
    due: (name) => t('tickets.willFire', { name }),
  }))
}
