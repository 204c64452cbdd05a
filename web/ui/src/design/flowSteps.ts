import type { InstanceView } from '@/api/types'
import type { Step } from './FlowStrip.vue'

const SHOWN = new Set(['userTask', 'serviceTask', 'sendTask', 'receiveTask', 'callActivity', 'subProcess', 'businessRuleTask'])

interface Node { id: string; name: string; x: number }

/** Activities of the top level of a diagram from left to right; boundary branches far below the main line come last by their x as well. */
export function activities(xml: string): Node[] {
  const doc = new DOMParser().parseFromString(xml, 'application/xml')
  const process = doc.getElementsByTagNameNS('*', 'process')[0]
  if (!process) return []
  const lefts = new Map<string, number>()
  for (const shape of doc.getElementsByTagNameNS('*', 'BPMNShape')) {
    const bounds = shape.getElementsByTagNameNS('*', 'Bounds')[0]
    if (bounds) lefts.set(shape.getAttribute('bpmnElement') ?? '', Number(bounds.getAttribute('x')))
  }
  return [...process.children]
    .flatMap((el) => (el.localName === 'subProcess' ? [...el.children] : [el]))
    .filter((el) => SHOWN.has(el.localName))
    .map((el) => ({ id: el.getAttribute('id') ?? '', name: el.getAttribute('name') ?? '', x: lefts.get(el.getAttribute('id') ?? '') ?? 0 }))
    .filter((node) => node.name)
    .sort((a, b) => a.x - b.x)
}

/**
 * The strip of a running flow: what is done, what is current, what may come, at most `most` steps with the current one inside.
 * `say` gives the name of an element in the reader's language.
 */
export function stepsOf(nodes: Node[], view: Pick<InstanceView, 'done' | 'tokens'>, say: (id: string, name: string) => string, most = 5): Step[] {
  const now = new Set(view.tokens.map((token) => token.element))
  const done = new Set(view.done)
  const all = nodes.map((node) => ({ node, state: now.has(node.id) ? 'now' : done.has(node.id) ? 'done' : 'todo' }) as const)
  // Done steps that were walked, the current ones, and what lies to the right of them.
  const current = all.findIndex((one) => one.state === 'now')
  const from = current >= 0 ? all[current].node.x : Number.POSITIVE_INFINITY
  const line = all.filter((one) => one.state !== 'todo' || one.node.x > from)
  const at = line.findIndex((one) => one.state === 'now')
  const start = Math.max(0, Math.min(at < 0 ? line.length : at - 2, line.length - most))
  return line.slice(start, start + most).map(({ node, state }) => ({ name: say(node.id, node.name), state }))
}
