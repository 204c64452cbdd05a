import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, ApiError, reachable, whenSignedOut } from './client'

const answer = (status: number, body: unknown = {}) => new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
let asked: { url: string; init: RequestInit }[]
let answers: (() => Response | Promise<Response>)[]
const header = (call: number, name: string) => (asked[call].init.headers as Record<string, string>)[name]

beforeEach(() => {
  asked = []
  answers = []
  document.cookie = 'csrftoken=tok'
  vi.stubGlobal('fetch', (url: string, init: RequestInit = {}) => {
    asked.push({ url, init })
    const next = answers.shift()
    return next ? Promise.resolve().then(next) : Promise.reject(new TypeError('no network'))
  })
})
afterEach(() => vi.unstubAllGlobals())

describe('API client', () => {
  it('sends the CSRF token and an idempotency key with a POST, neither with a GET', async () => {
    answers = [() => answer(200, { ok: 1 }), () => answer(200, {})]
    await api.post('/api/tickets', { purpose: 'consult' })
    await api.get('/api/tickets', { mine: true, search: '', kind: undefined })
    expect(header(0, 'X-CSRFToken')).toBe('tok')
    expect(header(0, 'Idempotency-Key')).toMatch(/^[0-9a-f-]{32,36}$/)
    expect(asked[1].url).toBe('/api/tickets?mine=true')
    expect(header(1, 'Idempotency-Key')).toBeUndefined()
  })

  it('turns a refusal into code, fields, trace and facts', async () => {
    answers = [() => answer(409, { code: 'task_taken', trace: 't1', by: { number: '1031', name: '李*' } })]
    const error = (await api.post('/api/tasks/1/claim').catch((e: unknown) => e)) as ApiError
    expect(error).toBeInstanceOf(ApiError)
    expect([error.status, error.code, error.trace, error.facts.by]).toEqual([409, 'task_taken', 't1', { number: '1031', name: '李*' }])
  })

  it('names the fields of an invalid form', async () => {
    answers = [() => answer(422, { code: 'invalid_form', fields: { answer: [{ code: 'required' }] } })]
    const error = (await api.post('/api/tasks/1/complete').catch((e: unknown) => e)) as ApiError
    expect(error.fields).toEqual({ answer: [{ code: 'required' }] })
  })

  it('survives an error page that is not JSON', async () => {
    answers = [() => new Response('<h1>Bad gateway</h1>', { status: 502 })]
    const error = (await api.get('/api/tasks').catch((e: unknown) => e)) as ApiError
    expect(error.code).toBe('server_error')
  })

  it('says offline when no answer comes, and knows when the server is back', async () => {
    const error = (await api.get('/api/tasks').catch((e: unknown) => e)) as ApiError
    expect([error.offline, reachable.value]).toEqual([true, false])
    answers = [() => answer(200, [])]
    await api.get('/api/tasks')
    expect(reachable.value).toBe(true)
  })

  it('fetches a new token and repeats the request once when the token went stale, with the same key', async () => {
    answers = [() => answer(403, { code: 'csrf_failed' }), () => answer(200, {}), () => answer(200, { done: true })]
    expect(await api.post('/api/telephony/me/sign-out')).toEqual({ done: true })
    expect(asked.map((call) => call.url)).toEqual(['/api/telephony/me/sign-out', '/api/session/csrf', '/api/telephony/me/sign-out'])
    expect(header(2, 'Idempotency-Key')).toBe(header(0, 'Idempotency-Key'))
  })

  it('tells the session store when the session is over', async () => {
    const told = vi.fn()
    whenSignedOut(told)
    answers = [() => answer(401, { code: 'not_authenticated' })]
    await api.get('/api/tasks').catch(() => undefined)
    expect(told).toHaveBeenCalledOnce()
  })
})
