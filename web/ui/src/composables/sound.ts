/** Tones by Web Audio, so that no sound file is needed. Browsers let them out only after a gesture: the sign-in button. */
let context: AudioContext | null = null
let ringing: ReturnType<typeof setInterval> | null = null

function beep(frequency: number, seconds: number, volume = 0.15): void {
  if (!context || context.state !== 'running') return
  const oscillator = context.createOscillator()
  const gain = context.createGain()
  oscillator.frequency.value = frequency
  gain.gain.value = volume
  gain.gain.setTargetAtTime(0, context.currentTime + seconds - 0.05, 0.02)
  oscillator.connect(gain).connect(context.destination)
  oscillator.start()
  oscillator.stop(context.currentTime + seconds)
}

/** Called from a click or key: opens the sound and plays a test tone; false when the browser has no sound. */
export async function unlockSound(): Promise<boolean> {
  try {
    context ??= new AudioContext()
    await context.resume()
    beep(660, 0.15)
    return context.state === 'running'
  } catch {
    return false
  }
}

export function startRinging(): void {
  if (ringing) return
  const ring = () => {
    beep(440, 0.4)
    setTimeout(() => beep(480, 0.4), 450)
  }
  ring()
  ringing = setInterval(ring, 2_500)
}

export function stopRinging(): void {
  if (ringing) clearInterval(ringing)
  ringing = null
}
