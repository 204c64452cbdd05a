import { ref } from 'vue'
import { api } from '@/api/client'
import type { Bilingual } from '@/api/types'
import type { Choice, Source } from './fields'

export type Row = Record<string, unknown>
const cache = new Map<string, Promise<Row[]>>()

const rows = async (path: string): Promise<Row[]> => {
  const answer = await api.get<Row[] | { results: Row[] }>(path)
  return Array.isArray(answer) ? answer : answer.results
}

/** Choices from the API; one address is read once a minute at most. `search` goes to the server as it is typed. */
export function useChoices(from: () => Source, say: (text: Bilingual | string) => string, more: (row: Row) => string = () => '') {
  const choices = ref<Choice[]>([])
  const loading = ref(false)
  const failed = ref(false)

  const labelOf = (row: Row): string => {
    const source = from()
    const own = row[source.label ?? ''] ?? row.name ?? row.title ?? row.label ?? row.key ?? row.number
    const words = say(row.name_en !== undefined && own === row.name ? { zh: String(row.name), en: String(row.name_en ?? row.name) } : (own as Bilingual | string)) + more(row)
    if (row.name === undefined) return words
    if (row.number !== undefined) return `${String(row.number)} ${words}`
    return typeof row.title === 'string' ? `${words} · ${row.title}` : words // a doctor's
  }
  const toChoice = (row: Row): Choice => ({ value: row[from().value ?? ''] ?? row.key ?? row.number ?? row.id ?? row.value, label: labelOf(row) })

  async function load(search = '') {
    const source = from()
    const path = search ? `${source.path}${source.path.includes('?') ? '&' : '?'}search=${encodeURIComponent(search)}` : source.path
    loading.value = true
    failed.value = false
    try {
      if (!cache.has(path)) {
        cache.set(path, rows(path))
        setTimeout(() => cache.delete(path), 60_000)
      }
      const found = await cache.get(path)!
      if (from().path === source.path) choices.value = found.map(toChoice) // else something else was chosen meanwhile
    } catch {
      cache.delete(path)
      failed.value = true
    } finally {
      loading.value = false
    }
  }
  return { choices, loading, failed, load }
}
