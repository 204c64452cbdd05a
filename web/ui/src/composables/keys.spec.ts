import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import { useShortcuts } from './keys'

let scope: EffectScope
const run = vi.fn()
const tapped = vi.fn()
const press = (key: string, more: KeyboardEventInit = {}, target: EventTarget = document.body) =>
  target.dispatchEvent(new KeyboardEvent('keydown', { key, code: key, bubbles: true, cancelable: true, ...more }))
const field = (html: string) => {
  document.body.innerHTML = html
  return document.body.firstElementChild!
}

beforeEach(() => {
  vi.useFakeTimers()
  run.mockReset()
  tapped.mockReset()
  scope = effectScope()
  scope.run(() => useShortcuts([
    { key: '3', name: 'purpose', run },
    { key: 'F2', name: 'answer', run },
    { key: 'F4', name: 'hang', run, holdMs: 400, tapped },
    { key: 'Alt+Enter', name: 'finish', run },
  ]))
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

describe('shortcuts', () => {
  it('leave every key to the input method while it composes', () => {
    press('F2', { isComposing: true })
    press('F2', { keyCode: 229 } as KeyboardEventInit)
    expect(run).not.toHaveBeenCalled()
    press('F2')
    expect(run).toHaveBeenCalledOnce()
  })

  it('keep digits silent in a text, but not on a radio or a list to choose from', () => {
    for (const html of ['<input>', '<textarea></textarea>', '<input type="search">']) press('3', {}, field(html))
    expect(run).not.toHaveBeenCalled()
    for (const html of ['<input type="radio">', '<input readonly>', '<button></button>']) press('3', {}, field(html))
    expect(run).toHaveBeenCalledTimes(3)
  })

  it('work in a text when they are function keys or chords', () => {
    const input = field('<input>')
    press('F2', {}, input)
    press('Enter', { altKey: true }, input)
    expect(run).toHaveBeenCalledTimes(2)
  })

  it('hang up only after holding the key, and say so after a tap', () => {
    press('F4')
    vi.advanceTimersByTime(200)
    window.dispatchEvent(new KeyboardEvent('keyup', { key: 'F4', code: 'F4' }))
    vi.advanceTimersByTime(1_000)
    expect([run.mock.calls.length, tapped.mock.calls.length]).toEqual([0, 1])
    press('F4')
    vi.advanceTimersByTime(400)
    expect(run).toHaveBeenCalledOnce()
  })

  it('do not repeat while a key is held, and are gone with their component', () => {
    press('F2', { repeat: true })
    scope.stop()
    press('F2')
    expect(run).not.toHaveBeenCalled()
  })

  it('come before a list that opens at Enter, with chords only', () => {
    const list = field('<div><input></div>')
    const opened = vi.fn((event: Event) => event.stopPropagation())
    list.addEventListener('keydown', opened)
    press('Enter', { altKey: true }, list.firstElementChild!)
    expect(run).toHaveBeenCalledOnce()
    expect(opened).not.toHaveBeenCalled()
    press('Enter', {}, list.firstElementChild!)
    expect(opened).toHaveBeenCalledOnce()
  })
})
