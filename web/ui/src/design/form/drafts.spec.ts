import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { dropDraft, keepDraft, readDraft, setDraftKey, wipeDrafts } from './drafts'

const KEY = btoa(String.fromCharCode(...new Uint8Array(32).fill(7)))
const OTHER = btoa(String.fromCharCode(...new Uint8Array(32).fill(8)))

async function stored(name: string): Promise<unknown> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('zuoxi-drafts', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('drafts')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  const value = await new Promise<unknown>((resolve) => {
    const request = db.transaction('drafts').objectStore('drafts').get(name)
    request.onsuccess = () => resolve(request.result)
  })
  db.close()
  return value
}
/** The page was closed and opened again: memory is gone, the database stays. */
async function restart() {
  vi.resetModules()
  return import('./drafts')
}

beforeEach(() => wipeDrafts())
afterEach(() => vi.useRealTimers())

describe('drafts on this machine', () => {
  it('come back after a crash, for the same session', async () => {
    await setDraftKey(KEY)
    await keepDraft('task:1', { answer: 'in the afternoon' })
    const fresh = await restart()
    await fresh.setDraftKey(KEY)
    expect((await fresh.readDraft('task:1'))?.data).toEqual({ answer: 'in the afternoon' })
  })

  it('are unreadable without the key of the session', async () => {
    await setDraftKey(KEY)
    await keepDraft('task:1', { answer: 'SECRET WORDS' })
    const box = (await stored('task:1')) as { box: ArrayBuffer }
    expect(new TextDecoder('latin1').decode(box.box)).not.toContain('SECRET')
    const fresh = await restart()
    await fresh.setDraftKey(OTHER)
    expect(await fresh.readDraft('task:1')).toBeNull()
    await fresh.setDraftKey(null)
    expect(await fresh.readDraft('task:1')).toBeNull()
  })

  it('never touch the disk when the server gives no key, but survive in the page', async () => {
    await keepDraft('task:2', { answer: 'x' })
    expect(await stored('task:2')).toBeUndefined()
    expect((await readDraft('task:2'))?.data).toEqual({ answer: 'x' })
  })

  it('are gone after a day, after handing in, and after signing out', async () => {
    await setDraftKey(KEY)
    await keepDraft('task:1', { a: 1 })
    await dropDraft('task:1')
    expect(await readDraft('task:1')).toBeNull()
    await keepDraft('task:3', { a: 3 })
    const fresh = await restart()
    await fresh.setDraftKey(KEY)
    const later = Date.now() + 25 * 3_600_000
    vi.spyOn(Date, 'now').mockReturnValue(later)
    expect(await fresh.readDraft('task:3')).toBeNull()
    vi.restoreAllMocks()
    await fresh.wipeDrafts()
    expect(await stored('task:3')).toBeUndefined()
  })
})
