import type { FormData } from '@/api/types'
import { serverNow } from '@/composables/clock'

/**
 * Drafts on this machine: IndexedDB, encrypted with a key of the session. Without a key they stay in memory only, so nothing
 * readable is ever left on a shared desk. Older than 24 h they are gone. Times are the server's: they are compared with its drafts.
 */
export interface Kept { data: FormData; at: string }

const NAME = 'zuoxi-drafts'
const STORE = 'drafts'
const MAX_AGE_MS = 24 * 3_600_000

let key: CryptoKey | null = null
const memory = new Map<string, Kept>()

/** Key from the server, base64 of 16 or 32 bytes; null forgets it. */
export async function setDraftKey(base64: string | null): Promise<void> {
  key = null
  if (!base64 || !globalThis.crypto?.subtle) return
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(STORE)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await database()
  try {
    return await new Promise<T>((resolve, reject) => {
      const request = act(db.transaction(STORE, mode).objectStore(STORE))
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  } finally {
    db.close()
  }
}

interface Sealed { iv: Uint8Array; box: ArrayBuffer; at: string }

export async function keepDraft(name: string, data: FormData): Promise<Kept> {
  const kept = { data, at: new Date(serverNow()).toISOString() }
  memory.set(name, kept)
  if (key) {
    const iv = crypto.getRandomValues(new Uint8Array(12))
    const box = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, new TextEncoder().encode(JSON.stringify(data)))
    await run('readwrite', (store) => store.put({ iv, box, at: kept.at } satisfies Sealed, name))
  }
  return kept
}

/** The draft kept here, or null: none, too old, or sealed with the key of an earlier session. */
export async function readDraft(name: string): Promise<Kept | null> {
  const near = memory.get(name)
  if (near) return near
  if (!key) return null
  try {
    const sealed = (await run('readonly', (store) => store.get(name))) as Sealed | undefined
    if (!sealed || serverNow() - Date.parse(sealed.at) > MAX_AGE_MS) return null
    const iv = new Uint8Array(sealed.iv)
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed.box)
    return { data: JSON.parse(new TextDecoder().decode(plain)) as FormData, at: sealed.at }
  } catch {
    return null
  }
}

export async function dropDraft(name: string): Promise<void> {
  memory.delete(name)
  await run('readwrite', (store) => store.delete(name)).catch(() => undefined)
}

/** At sign-out nothing stays. */
export async function wipeDrafts(): Promise<void> {
  memory.clear()
  key = null
  await run('readwrite', (store) => store.clear()).catch(() => undefined)
}
