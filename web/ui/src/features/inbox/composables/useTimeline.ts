import { computed, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import type { TimelineRow } from '@/api/types'
import { say } from '@/app/i18n'
import { useTime } from '@/composables/time'
import { timelineItems } from '../timeline'

export function useTimeline(rows: Ref<TimelineRow[]>) {
  const { t, te } = useI18n()
  const { shortTime, fullTime } = useTime()
  /** "code" or "code: own words". */
  const reason = (text: string) => {
    const [, code, rest] = /^([a-z_]+)(: .*)?$/s.exec(text) ?? []
    return code && te(`tickets.why.${code}`) ? `${t(`tickets.why.${code}`)}${rest ?? ''}` : text
  }
  return computed(() => timelineItems(rows.value, {
    at: shortTime,
    full: fullTime,
    action: (action) => (te(`tickets.action.${action}`) ? t(`tickets.action.${action}`) : action),
    name: (row) => say(row.name),
    rule: say,
    reason,
    to: (who) => t('tickets.to', { who }),
    automatic: t('tickets.automatic'),
  }))
}
