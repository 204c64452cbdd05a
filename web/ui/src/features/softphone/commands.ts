import { defineStore } from 'pinia'
import { ref, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { api } from '@/api/client'
import type { Command, Sent } from '@/api/types'
import { useErrorText } from '@/composables/errors'
import { toast } from '@/composables/toast'
import { usePhone } from '@/live/phone'
import { live } from '@/live/socket'
import { stamp, type Pending, type Verb } from './bar'

const SILENT_MS = 3_000
const PATHS: Partial<Record<Verb, string>> = { answer: 'answer', hang: 'hang-up', hold: 'hold', retrieve: 'retrieve', mute: 'mute', unmute: 'unmute' }

/** Clicks of the phone bar: say it, wait for the event, tell a refusal. The state itself only ever comes from the switch. */
export const useCommands = defineStore('softphone', () => {
  const phone = usePhone()
  const { t } = useI18n()
  const { errorText, codeText } = useErrorText()
  const pending = ref<Pending | null>(null)

  const fail = (text: string) => {
    pending.value = null
    toast(text, { kind: 'danger' })
  }
  const current = (id: string) => phone.calls.find((call) => call.id === id) ?? null

  async function act(verb: Verb, callId: string | undefined = phone.call?.id): Promise<void> {
    const path = PATHS[verb]
    if (!path || !callId || pending.value) return
    const before = stamp(current(callId))
    pending.value = { command: '', call: callId, verb, sentAt: Date.now(), before }
    try {
      const { command } = await api.post<Sent>(`/api/telephony/calls/${callId}/${path}`)
      if (pending.value) pending.value = { ...pending.value, command }
      setTimeout(() => void look(command), SILENT_MS)
    } catch (error) {
      fail(errorText(error))
    }
  }

  /** No event after 3 s: ask what became of the command. */
  async function look(id: string) {
    if (pending.value?.command !== id) return
    try {
      const command = await api.get<Command>(`/api/telephony/commands/${id}`)
      if (pending.value?.command !== id) return
      if (command.state === 'done') pending.value = null
      else if (command.state === 'refused') fail(codeText(command.code ?? 'pbx_refused', { reason: command.reason }))
      else fail(t('errors.pbx_silent'))
    } catch (error) {
      fail(errorText(error))
    }
  }

  watch(() => pending.value && stamp(current(pending.value.call)), (now) => {
    if (pending.value && now !== pending.value.before) pending.value = null
  })
  watch(() => phone.refused, (refusal) => {
    if (!refusal) return
    phone.refused = null
    fail(codeText(refusal.code, { reason: refusal.reason }))
  })

  /** Any other wish at the phone: shows a refusal, answers whether it was taken. */
  async function wish(path: string, body: object = {}): Promise<boolean> {
    try {
      await api.post(`/api/telephony/${path}`, body)
      // Without the line no event will tell what came of it.
      if (live.status.state !== 'open') setTimeout(() => void phone.reload(), 1_000)
      return true
    } catch (error) {
      toast(errorText(error), { kind: 'danger' })
      return false
    }
  }
  const dial = (to: string) => wish('calls', { to })

  return { pending, act, wish, dial }
})
