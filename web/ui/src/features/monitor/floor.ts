import type { FloorAgent, Floor as FloorAnswer, Instant } from '@/api/types'
import type { AgentShape } from '@/design/AgentStateTag.vue'

/** What is shown; the live pairs are for the topic. */
export type Floor = Omit<FloorAnswer, 'live'>
export interface Folded { floor: Floor; reread: boolean }

/** Folds one event of the topic `floor`. Events that carry the row or the figures are taken as they are, others ask for a fresh read. */
export function fold(floor: Floor, event: string, data: unknown): Folded {
  const facts = (data ?? {}) as Record<string, unknown>
  if (event === 'AgentChanged') {
    const agent = (facts.agent ?? facts) as FloorAgent
    if (!agent.number || !('state' in agent)) return { floor, reread: true }
    const others = floor.agents.filter((one) => one.number !== agent.number)
    return { floor: { ...floor, agents: [...others, agent].sort((a, b) => a.number.localeCompare(b.number)) }, reread: false }
  }
  if (event === 'FiguresChanged') {
    const figures = (facts.figures ?? facts) as Partial<Floor['figures']>
    if (figures.waiting === undefined) return { floor, reread: true }
    return { floor: { ...floor, figures: { ...floor.figures, ...figures } }, reread: false }
  }
  if (event === 'QueueChanged' && Array.isArray(facts.results)) return { floor: { ...floor, queue: facts.results as Floor['queue'] }, reread: false }
  return { floor, reread: true }
}

const REST = new Set(['rest', 'lunch', 'meal', 'break'])

export function shapeOf(agent: FloorAgent): AgentShape {
  if (agent.call) {
    if (agent.call.state === 'ringing') return 'ring'
    return agent.call.state === 'held' ? 'hold' : 'talk'
  }
  if (agent.state === 'ready') return 'idle'
  if (agent.state === 'acw') return 'wrap'
  if (agent.state === 'busy') return 'talk'
  if (agent.state === 'rest' || (agent.state === 'not_ready' && REST.has(agent.reason ?? ''))) return 'rest'
  return agent.state === 'not_ready' ? 'busy' : 'out'
}

/** How long a state may last before it is worth a look, ms: `soon` amber, `over` red. */
const LIMITS: Partial<Record<AgentShape, { soon?: number; over?: number }>> = {
  talk: { soon: 480_000, over: 600_000 }, hold: { soon: 30_000, over: 120_000 }, wrap: { soon: 30_000, over: 120_000 }, busy: { soon: 600_000, over: 900_000 }, ring: { soon: 15_000 },
}
export type Level = 'over' | 'soon' | 'plain'

export const sinceOf = (agent: FloorAgent): Instant | null => (agent.call ? agent.call.since : agent.since)

export function levelOf(agent: FloorAgent, atMs: number): Level {
  const since = sinceOf(agent)
  const limit = LIMITS[shapeOf(agent)]
  const ms = since ? atMs - Date.parse(since) : 0
  if (limit?.over !== undefined && ms > limit.over) return 'over'
  return limit?.soon !== undefined && ms > limit.soon ? 'soon' : 'plain'
}
/** The limit an agent has passed, in seconds, for the words beside the time. */
export function limitOf(agent: FloorAgent, level: Level): number {
  const limit = LIMITS[shapeOf(agent)]
  return Math.round(((level === 'over' ? limit?.over : limit?.soon) ?? 0) / 1000)
}

/** Exceptions on top, the red ones first; the rest by time in state, longest first; who is signed out comes last. */
export function sorted(agents: FloorAgent[], atMs: number): FloorAgent[] {
  const rank = { over: 0, soon: 1, plain: 2 }
  const place = (agent: FloorAgent) => (shapeOf(agent) === 'out' ? 3 : rank[levelOf(agent, atMs)])
  const began = (agent: FloorAgent) => { const since = sinceOf(agent); return since ? Date.parse(since) : atMs }
  return [...agents].sort((a, b) => place(a) - place(b) || began(a) - began(b) || a.number.localeCompare(b.number))
}
