import { ref, watchEffect } from 'vue'

const KEPT = 'zuoxi.theme'
export type Theme = 'light' | 'dark'
export const theme = ref<Theme>(localStorage.getItem(KEPT) === 'dark' ? 'dark' : 'light')

watchEffect(() => document.documentElement.classList.toggle('dark', theme.value === 'dark'))

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark'
  localStorage.setItem(KEPT, theme.value)
}

/** Reads a design token for renderers that cannot use var(). */
export const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
