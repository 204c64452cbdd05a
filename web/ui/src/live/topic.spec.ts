import { describe, expect, it, vi } from 'vitest'
import { parsePair, TopicLog, type LiveEvent } from './topic'

const event = (n: number, epoch = 'e1'): LiveEvent => ({ topic: 'inbox', epoch, n, event: 'X', data: n })
const log = () => {
  const applied: number[] = []
  const refetch = vi.fn()
  return { applied, refetch, log: new TopicLog((one) => applied.push(one.n), refetch) }
}

describe('a live topic', () => {
  it('reads the pair, also when the epoch holds colons', () => {
    expect(parsePair('2026-11-25T03:00:12')).toEqual({ epoch: '2026-11-25T03:00', n: 12 })
    expect(parsePair('nonsense')).toBeNull()
    expect(parsePair(undefined)).toBeNull()
  })

  it('applies what came after the snapshot and drops what the snapshot already holds', () => {
    const it = log()
    it.log.receive(event(4))
    it.log.receive(event(5))
    it.log.snapshot({ epoch: 'e1', n: 4 })
    it.log.receive(event(6))
    it.log.receive(event(6))
    expect(it.applied).toEqual([5, 6])
    expect(it.refetch).not.toHaveBeenCalled()
  })

  it('asks for a fresh snapshot after a hole and loses nothing that came meanwhile', () => {
    const it = log()
    it.log.snapshot({ epoch: 'e1', n: 1 })
    it.log.receive(event(3))
    expect(it.refetch).toHaveBeenCalledOnce()
    it.log.receive(event(4))
    it.log.snapshot({ epoch: 'e1', n: 3 })
    expect(it.applied).toEqual([4])
  })

  it('asks for a fresh snapshot when the server began a new epoch', () => {
    const it = log()
    it.log.snapshot({ epoch: 'e1', n: 9 })
    it.log.receive(event(1, 'e2'))
    expect(it.refetch).toHaveBeenCalledOnce()
    it.log.snapshot({ epoch: 'e2', n: 1 })
    it.log.receive(event(2, 'e2'))
    expect(it.applied).toEqual([2])
  })

  it('finds a lost last message by the heartbeat', () => {
    const it = log()
    it.log.snapshot({ epoch: 'e1', n: 1 })
    it.log.heartbeat({ epoch: 'e1', n: 1 })
    expect(it.refetch).not.toHaveBeenCalled()
    it.log.heartbeat({ epoch: 'e1', n: 2 })
    expect(it.refetch).toHaveBeenCalledOnce()
  })

  it('goes on from the last heard position when a snapshot does not say where it was read', () => {
    const it = log()
    it.log.heartbeat({ epoch: 'e1', n: 3 })
    it.log.receive(event(4))
    it.log.snapshot(null)
    it.log.receive(event(5))
    expect(it.applied).toEqual([4, 5])
    expect(it.refetch).not.toHaveBeenCalled()
  })
})
