import { computed, ref } from 'vue'
import { learnServerTime } from '@/composables/clock'
import type { FieldErrors } from './types'

/** A refusal of the server, or no answer at all (`code` = "offline"). `facts` are the extra members of the answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly fields: FieldErrors = {},
    readonly trace: string | null = null,
    readonly facts: Record<string, unknown> = {},
  ) {
    super(code)
    this.name = 'ApiError'
  }

  get offline(): boolean {
    return this.code === 'offline'
  }
  /** The act may succeed as it is once the installation is whole again: nothing of the form is wrong. */
  get away(): boolean {
    return this.offline || AWAY.has(this.status)
  }
}
/** Answers of a server whose database is away, or of a proxy that finds no server. */
const AWAY = new Set([502, 503, 504])

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'unexpected', {}, null, { message: String(error) })

export type Query = Record<string, string | number | boolean | null | undefined>
interface Options { query?: Query; key?: string; signal?: AbortSignal }

/** Since when requests get no answer, ms since 1970 by this machine's clock; null after an answer. */
export const silentSince = ref<number | null>(null)
export const reachable = computed(() => silentSince.value === null)
export const heardServer = (answered: boolean): void => {
  silentSince.value = answered ? null : (silentSince.value ?? Date.now())
}

const SLOW_MS = 3_000
/** Called when a request gets no answer, is answered that a part is away, or takes long. */
let onTrouble: () => void = () => {}
export const whenTroubled = (listener: () => void): void => {
  onTrouble = listener
}

/** Called when the server says that the session is over. */
let onSignedOut: () => void = () => {}
export const whenSignedOut = (listener: () => void): void => {
  onSignedOut = listener
}

const UNSAFE = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const csrfCookie = () => /(?:^|;\s*)(?:__(?:Host|Secure)-)?csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? ''
let csrfToken = ''
let csrfStale = false

async function csrf(): Promise<string> {
  const token = csrfCookie() || csrfToken
  if (token && !csrfStale) return token
  const answer = await fetch('/api/session/csrf', { credentials: 'same-origin' })
  // The cookie may be hidden from scripts: then the body carries the token.
  csrfStale = false
  const body = await answer.json().catch(() => ({}))
  csrfToken = typeof body.token === 'string' ? body.token : ''
  return csrfCookie() || csrfToken
}

/** After sign-in the server rotates the token. */
export const forgetCsrf = (): void => {
  csrfToken = ''
}

export const idempotencyKey = (): string =>
  crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('')

const address = (path: string, query?: Query) => {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
  return search ? `${path}${path.includes('?') ? '&' : '?'}${search}` : path
}

async function fail(answer: Response): Promise<never> {
  const body = await answer.json().catch(() => ({}))
  const { code, fields, trace, ...facts } = body && typeof body === 'object' ? (body as Record<string, unknown>) : {}
  const fallback = answer.status >= 500 ? 'server_error' : `http_${answer.status}`
  const error = new ApiError(
    answer.status,
    typeof code === 'string' ? code : fallback,
    (fields as FieldErrors) ?? {},
    (trace as string) ?? answer.headers.get('X-Trace'),
    facts,
  )
  if (answer.status === 401 && error.code === 'not_authenticated') onSignedOut()
  throw error
}

async function send(method: string, path: string, body: unknown, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  let answer: Response
  let sent = Date.now()
  const slow = setTimeout(() => onTrouble(), SLOW_MS)
  try {
    if (UNSAFE.has(method)) {
      headers['X-CSRFToken'] = await csrf()
      if (method === 'POST') headers['Idempotency-Key'] = options.key ?? idempotencyKey()
    }
    sent = Date.now()
    answer = await fetch(address(path, options.query), {
      method,
      headers,
      credentials: 'same-origin',
      signal: options.signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    heardServer(false)
    onTrouble()
    throw new ApiError(0, 'offline')
  } finally {
    clearTimeout(slow)
  }
  heardServer(answer.status !== 502 && answer.status !== 504) // those two say that the proxy heard nothing
  if (AWAY.has(answer.status)) onTrouble()
  const date = Date.parse(answer.headers.get('Date') ?? '')
  if (date) learnServerTime(date, sent, Date.now())
  if (!answer.ok) await fail(answer)
  return answer
}

async function json<T>(method: string, path: string, body: unknown, options: Options = {}): Promise<T> {
  const once = { ...options, key: options.key ?? idempotencyKey() }
  const answer = await send(method, path, body, once).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'csrf_failed') throw error
    // The token went stale (a new session in another tab): fetch a fresh one and say the same once more.
    csrfStale = true
    return send(method, path, body, once)
  })
  if (answer.status === 204) return undefined as T
  const text = await answer.text()
  return (text ? JSON.parse(text) : undefined) as T
}

export const api = {
  get: <T>(path: string, query?: Query, options: Options = {}) => json<T>('GET', path, undefined, { ...options, query }),
  post: <T = void>(path: string, body: unknown = {}, options?: Options) => json<T>('POST', path, body, options),
  put: <T = void>(path: string, body: unknown, options?: Options) => json<T>('PUT', path, body, options),
  patch: <T = void>(path: string, body: unknown, options?: Options) => json<T>('PATCH', path, body, options),
  delete: <T = void>(path: string, options?: Options) => json<T>('DELETE', path, undefined, options),
  text: async (path: string, query?: Query) => (await send('GET', path, undefined, { query })).text(),
}
