import { mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { i18n, setLocale } from '@/app/i18n'
import { useSession } from '@/app/session'
import { useElement } from '@/design/element'
import SignInDialog from './SignInDialog.vue'

const booking = { key: 'booking', name: { zh: '预约组', en: 'Booking' } }
const cantonese = { key: 'cantonese', name: { zh: '粤语', en: 'Cantonese' } }

const session = {
  user: { id: '1', number: '1023', name: '张晓丽', roles: ['agent'], permissions: [], groups: [], locale: 'zh-CN' },
  agent: { extension: '8023', groups: [booking], skills: [cantonese] }, centre: { title: '坐席', demo: true, simulator: true }, draft_key: null,
}

afterEach(() => {
  vi.unstubAllGlobals()
  setLocale('zh-CN')
})

describe('the names of groups and skills', () => {
  it('are in the language of the screen, also when it changes under them', async () => {
    const pinia = createPinia()
    setActivePinia(pinia)
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(session)))
    await useSession().load()
    mount(SignInDialog, { props: { modelValue: true }, global: { plugins: [pinia, i18n, useElement] }, attachTo: document.body })
    const names = () => [...document.querySelectorAll('.el-checkbox-group .el-checkbox')].map((one) => one.textContent.trim())
    await vi.waitFor(() => expect(names()).toEqual(['预约组', '粤语']))
    setLocale('en')
    await vi.waitFor(() => expect(names()).toEqual(['Booking', 'Cantonese']))
  })
})
