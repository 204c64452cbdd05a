import { onScopeDispose, reactive } from 'vue'

/** A shortcut: `key` as in KeyboardEvent.key, with "Alt+" in front where it is a chord; `name` is its locale key in the list of shortcuts. */
export interface Shortcut {
  key: string
  name: string
  run: (event: KeyboardEvent) => void
  when?: () => boolean
  /** Letters and digits stay silent while the person types; function keys and chords do not. */
  evenTyping?: boolean
  /** Held this long, ms, before it acts (hanging up must not happen by a slip). */
  holdMs?: number
  /** Let go too early. */
  tapped?: () => void
}

export const shortcuts = reactive<Shortcut[]>([])

/** Does this key land in a text? Radios, boxes and lists to choose from take no letters. */
const typing = (event: KeyboardEvent): boolean => {
  const el = event.target
  if (el instanceof HTMLInputElement) return !el.readOnly && !['radio', 'checkbox', 'button', 'submit'].includes(el.type)
  return el instanceof HTMLTextAreaElement || el instanceof HTMLSelectElement || (el instanceof HTMLElement && el.isContentEditable)
}
export const chord = (event: Pick<KeyboardEvent, 'altKey' | 'ctrlKey' | 'metaKey' | 'key' | 'code'>): string => {
  // Alt may turn letters into symbols on some layouts: the physical key says which one was meant.
  const key = event.altKey && /^(Key|Digit)/.test(event.code) ? event.code.replace(/^(Key|Digit)/, '').toLowerCase() : event.key
  return `${event.ctrlKey ? 'Ctrl+' : ''}${event.metaKey ? 'Meta+' : ''}${event.altKey ? 'Alt+' : ''}${key.length === 1 ? key.toLowerCase() : key}`
}
const isModal = (): boolean => [...document.querySelectorAll<HTMLElement>('.el-overlay')].some((el) => el.style.display !== 'none')

let held: { shortcut: Shortcut; timer: ReturnType<typeof setTimeout>; code: string } | null = null
const letGo = () => {
  if (held) clearTimeout(held.timer)
  held = null
}

/** Chords and function keys are ours wherever the focus is: lists and dates of a form would open at Alt+Enter and keep it to themselves. */
const isOurs = (event: KeyboardEvent): boolean => event.altKey || /^F\d+$/.test(event.key)

function down(event: KeyboardEvent): void {
  // Keys belong to the input method while it composes (229 is what Chromium reports then).
  if (event.isComposing || event.keyCode === 229) return
  const pressed = chord(event)
  const plain = pressed.length === 1
  const found = shortcuts.findLast((item) => {
    if (item.key.toLowerCase() !== pressed.toLowerCase()) return false
    if (plain && !item.evenTyping && (typing(event) || isModal())) return false
    return !item.when || item.when()
  })
  if (!found) return
  event.preventDefault()
  if (isOurs(event)) event.stopPropagation()
  if (event.repeat) return
  if (found.holdMs) {
    letGo()
    held = { shortcut: found, code: event.code, timer: setTimeout(() => { held = null; found.run(event) }, found.holdMs) }
  } else {
    found.run(event)
  }
}
window.addEventListener('keydown', (event) => isOurs(event) && down(event), true)
window.addEventListener('keydown', (event) => !isOurs(event) && down(event))
window.addEventListener('keyup', (event) => {
  if (held?.code !== event.code) return
  const { tapped } = held.shortcut
  letGo()
  tapped?.()
})
window.addEventListener('blur', letGo)

/** Shortcuts that live as long as the component that names them. The latest one of a key wins. */
export function useShortcuts(list: Shortcut[]): void {
  shortcuts.push(...list)
  onScopeDispose(() => {
    for (const item of list) {
      const index = shortcuts.findIndex((other) => other.key === item.key && other.run === item.run)
      if (index >= 0) shortcuts.splice(index, 1)
    }
  })
}
