import { defineStore } from 'pinia'
import { computed, ref, toValue, watch, type MaybeRefOrGetter } from 'vue'
import { useRoute, type RouteLocationNormalized } from 'vue-router'
import { change, close as closed, LIMIT, noTabs, open as opened, proposal, replace as replaced, type Opening, type Tabs } from './tabs.rules'

interface Wanted { key: string; title: string }

export const useTabs = defineStore('tabs', () => {
  const tabs = ref<Tabs>(noTabs())
  /** The page that found no free place, until the person chose what to close. */
  const wanted = ref<Wanted | null>(null)

  const open = computed(() => tabs.value.open)
  const active = computed(() => tabs.value.active)
  /** Pages that stay in memory. */
  const alive = computed(() => [...tabs.value.open, ...tabs.value.parked].map((tab) => tab.key))
  const proposed = computed(() => proposal(tabs.value) ?? null)
  const count = computed(() => `${tabs.value.open.length}/${LIMIT}`)

  const take = (opening: Opening) => {
    if (opening.kind === 'opened') tabs.value = opening.tabs
    return opening.kind === 'opened'
  }

  /** Lets a navigation in, or keeps it as wanted and says no. */
  function enter(to: RouteLocationNormalized, call: boolean): boolean {
    const page = { key: to.path, title: to.meta.title ?? '', call }
    const inside = take(opened(tabs.value, page))
    wanted.value = inside ? null : { key: to.fullPath, title: page.title }
    return inside
  }

  /** Closes `victim` and gives its place to the wanted page; returns where to go. */
  function giveWay(victim: string): string | null {
    const page = wanted.value
    if (!page) return null
    const path = page.key.split('?')[0]
    take(replaced(tabs.value, victim, { key: path, title: page.title }))
    wanted.value = null
    return page.key
  }

  function close(key: string): string | null {
    tabs.value = closed(tabs.value, key)
    return tabs.value.active
  }

  const set = (key: string, facts: Parameters<typeof change>[2]) => {
    tabs.value = change(tabs.value, key, facts)
  }

  const reset = () => {
    tabs.value = noTabs()
    wanted.value = null
  }

  return { open, active, alive, proposed, count, wanted, enter, giveWay, close, set, reset }
})

/** A view tells its own tab what to show: its name (already translated), whether it holds typing, whether a call pins it. */
export function useTab(facts: { title?: MaybeRefOrGetter<string | undefined>; dirty?: MaybeRefOrGetter<boolean>; call?: MaybeRefOrGetter<boolean> }): void {
  const tabs = useTabs()
  const key = useRoute().path
  // Not an effect: writing the tabs reads them, and two views would wake each other for ever.
  watch([() => toValue(facts.title), () => toValue(facts.dirty) ?? false, () => toValue(facts.call)], ([title, dirty, call]) => {
    tabs.set(key, { dirty, ...(title ? { title } : {}), ...(call === undefined ? {} : { call }) })
  }, { immediate: true })
}
