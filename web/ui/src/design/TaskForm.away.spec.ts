import { flushPromises, mount } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FormTask } from '@/api/types'
import { i18n, setLocale } from '@/app/i18n'
import { toasts } from '@/composables/toast'
import { useElement } from './element'
import { readDraft, wipeDrafts } from './form/drafts'
import TaskForm from './TaskForm.vue'

const task = {
  id: '9', element: 'C1', title: '登记', ticket: 'T1', mine: true, state: 'open', can: ['complete'],
  form: { key: 'consult.register', schema: { type: 'object', required: ['content'], properties: { content: { title: '内容', type: 'string' } } } },
  data: {}, draft: null, former_draft: null, submission: null,
} as unknown as FormTask
let sent: { url: string; key: string }[]
let status: number

beforeEach(() => {
  sent = []
  document.cookie = 'csrftoken=t'
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    sent.push({ url, key: (init.headers as Record<string, string>)['Idempotency-Key'] })
    if (!url.endsWith('/complete')) return new Promise<Response>(() => undefined) // the draft: no answer ever
    const body = status === 200 ? { task, undo_until: null, next: [] } : { code: 'database_unavailable', trace: 't' }
    return new Response(JSON.stringify(body), { status })
  })
})
afterEach(async () => {
  vi.unstubAllGlobals()
  toasts.splice(0)
  setLocale('zh-CN')
  await wipeDrafts()
})

describe('a form handed in while the database is away', () => {
  it.each([['zh-CN', '数据库没有回应, 输入已保存'], ['en', 'The database does not answer; your typing is kept']] as const)(
    'keeps every letter, says why in %s, and is handed in later as the same act',
    async (language, words) => {
      setLocale(language)
      const wrapper = mount(TaskForm, { props: { task }, global: { plugins: [createPinia(), i18n, useElement] }, attachTo: document.body })
      await flushPromises()
      const field = wrapper.find<HTMLInputElement>('[data-testid=field-content]')
      await field.setValue('医保卡')
      const form = wrapper.vm as unknown as { complete: () => Promise<unknown>; busy: boolean }

      status = 503
      expect(await form.complete()).toBeNull()
      await flushPromises()
      expect(toasts.map((one) => one.text)).toEqual([words])
      expect([field.element.value, form.busy, field.element.disabled]).toEqual(['医保卡', false, false])
      expect((await readDraft('task:9'))?.data).toMatchObject({ content: '医保卡' })

      status = 200
      expect(await form.complete()).not.toBeNull()
      expect(wrapper.emitted('completed')).toHaveLength(1)
      const acts = sent.filter((one) => one.url.endsWith('/complete'))
      expect([acts.length, new Set(acts.map((one) => one.key)).size]).toEqual([2, 1])
      wrapper.unmount()
    },
  )
})
