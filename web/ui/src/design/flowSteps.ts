import type { InstanceView } from '@/api/types'
import type { Step } from './FlowStrip.vue'

const SHOWN = new Set(['userTask', 'serviceTask', 'sendTask', 'receiveTask', 'callActivity', 'subProcess', 'businessRuleTask'])

/** `main`: reached without a boundary event, so it belongs to the normal way. */
interface Node { id: string; name: string; x: number; main: boolean }

const kind = (el: Element): string => el.tagName.split(':').pop() ?? ''

/** Activities of a diagram and of the sub-process around its main part, from left to right. */
export function activities(xml: string): Node[] {
  const all = [...new DOMParser().parseFromString(xml, 'application/xml').getElementsByTagName('*')]
  const lefts = new Map<string, number>()
  for (const shape of all.filter((el) => kind(el) === 'BPMNShape')) {
    const bounds = [...shape.children].find((el) => kind(el) === 'Bounds')
    if (bounds) lefts.set(shape.getAttribute('bpmnElement') ?? '', Number(bounds.getAttribute('x')))
  }
  // The normal way: from the start events along the sequence flows; boundary events lead to reminders and escalations.
  const flows = all.filter((el) => kind(el) === 'sequenceFlow').map((el) => [el.getAttribute('sourceRef'), el.getAttribute('targetRef')])
  const main = new Set(all.filter((el) => kind(el) === 'startEvent').map((el) => el.getAttribute('id')))
  for (let before = -1; before !== main.size;) {
    before = main.size
    for (const [from, to] of flows) if (main.has(from)) main.add(to)
  }
  const process = all.find((el) => kind(el) === 'process')
  return [...(process?.children ?? [])]
    .flatMap((el) => (kind(el) === 'subProcess' ? [...el.children] : [el]))
    .filter((el) => SHOWN.has(kind(el)) && el.getAttribute('name'))
    .map((el) => ({ id: el.getAttribute('id') ?? '', name: el.getAttribute('name') ?? '', x: lefts.get(el.getAttribute('id') ?? '') ?? 0, main: main.has(el.getAttribute('id')) }))
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
  const line = all.filter((one) => one.state !== 'todo' || (one.node.main && one.node.x > from))
  const at = line.findIndex((one) => one.state === 'now')
  const start = Math.max(0, Math.min(at < 0 ? line.length : at - 2, line.length - most))
  return line.slice(start, start + most).map(({ node, state }) => ({ name: say(node.id, node.name), state }))
}
