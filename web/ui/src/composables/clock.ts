import { ref, type Ref } from 'vue'

/** One ticking clock for the page, ms since 1970; every running time reads it, so all of them turn together. */
export const now: Ref<number> = ref(Date.now())

let offset = 0
let samples = 0
setInterval(() => (now.value = Date.now() + offset), 250)

/** The server's clock differs from this machine's: learn by how much from the Date of an answer. */
export function learnServerTime(serverMs: number, sentMs: number, heardMs: number): void {
  // The Date header counts whole seconds; the middle of the second is the best guess.
  const seen = serverMs + 500 - (sentMs + heardMs) / 2
  if (Math.abs(seen - offset) > 1_500 || samples === 0) offset = Math.abs(seen) > 1_500 ? seen : 0
  samples++
}

export const serverNow = (): number => Date.now() + offset
