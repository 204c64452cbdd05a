import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { api, ApiError, forgetCsrf } from '@/api/client'
import type { Session } from '@/api/types'
import { setDraftKey, wipeDrafts } from '@/design/form/drafts'
import { setLocale, type Locale } from './i18n'

export interface SignIn { number: string; password: string; extension?: string; takeover?: boolean }

export const useSession = defineStore('session', () => {
  const session = ref<Session | null>(null)
  const asked = ref(false)
  /** Chosen at the login: go on with signing in to the skill groups. */
  const wantsCalls = ref(false)

  /** Chosen on the login page: stands above what was kept for the user. */
  let chosenHere: Locale | null = null

  const user = computed(() => session.value?.user ?? null)
  const agent = computed(() => session.value?.agent ?? null)
  const centre = computed(() => session.value?.centre ?? null)
  const hasPhone = computed(() => session.value?.agent != null)

  const keep = (answer: Session) => {
    session.value = answer
    void setDraftKey(answer.draft_key ?? null)
    if (answer.user.locale === 'en' || answer.user.locale === 'zh-CN') setLocale(answer.user.locale)
  }

  /** Who is signed in? Asked once; the guard waits for it. */
  async function load(): Promise<void> {
    try {
      keep(await api.get<Session>('/api/session'))
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      session.value = null
    } finally {
      asked.value = true
    }
  }

  async function signIn(facts: SignIn): Promise<void> {
    const chosen = chosenHere
    keep(await api.post<Session>('/api/session', facts))
    forgetCsrf()
    if (chosen) await speak(chosen)
  }

  async function signOut(): Promise<void> {
    await api.delete('/api/session').catch(() => undefined)
    await wipeDrafts()
    forget()
  }

  /** The language of the page, kept for the next sign-in. */
  async function speak(language: Locale): Promise<void> {
    setLocale(language)
    if (!session.value) chosenHere = language
    if (session.value) await api.patch('/api/session', { locale: language }).catch(() => undefined)
  }

  /** The server ended the session: only our memory of it goes, drafts stay. */
  function forget(): void {
    session.value = null
    forgetCsrf()
  }

  const is = (...roles: string[]) => roles.some((role) => user.value?.roles.includes(role))
  const may = (permission: string) => user.value?.permissions.includes(permission) ?? false

  return { session, asked, wantsCalls, user, agent, centre, hasPhone, load, signIn, signOut, speak, forget, is, may }
})
