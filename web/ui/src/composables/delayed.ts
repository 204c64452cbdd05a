import { onScopeDispose, ref, type Ref } from 'vue'

/** False, then true after `ms`: what is quick is never announced. */
export function useDelayed(ms: number): Ref<boolean> {
  const shown = ref(false)
  const timer = setTimeout(() => (shown.value = true), ms)
  onScopeDispose(() => clearTimeout(timer))
  return shown
}
