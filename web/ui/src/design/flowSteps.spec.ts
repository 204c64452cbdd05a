import { describe, expect, it } from 'vitest'
import { activities, stepsOf } from './flowSteps'

const shape = (id: string, x: number) => `<bpmndi:BPMNShape bpmnElement="${id}"><dc:Bounds x="${x}" y="0" width="100" height="80"/></bpmndi:BPMNShape>`
const xml = `<?xml version="1.0"?><bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC">
<bpmn:process id="p"><bpmn:startEvent id="s" name="来电"/><bpmn:userTask id="c" name="答复"/><bpmn:userTask id="a" name="登记"/><bpmn:subProcess id="sub" name="处理"><bpmn:serviceTask id="b" name="查询"/></bpmn:subProcess><bpmn:callActivity id="d" name="通知"/><bpmn:boundaryEvent id="t" attachedToRef="c"/><bpmn:serviceTask id="r" name="提醒"/>
<bpmn:sequenceFlow sourceRef="s" targetRef="a"/><bpmn:sequenceFlow sourceRef="a" targetRef="b"/><bpmn:sequenceFlow sourceRef="b" targetRef="c"/><bpmn:sequenceFlow sourceRef="c" targetRef="d"/><bpmn:sequenceFlow sourceRef="t" targetRef="r"/></bpmn:process>
<bpmndi:BPMNDiagram>${shape('c', 300)}${shape('a', 100)}${shape('b', 200)}${shape('d', 400)}${shape('r', 450)}</bpmndi:BPMNDiagram></bpmn:definitions>`
const token = (element: string) => ({ element, name: '', since: '', who: null })
const plain = (_id: string, name: string) => name

describe('the strip of a flow', () => {
  it('reads the activities from left to right, also those inside the main sub-process', () => {
    expect(activities(xml).map((node) => node.id)).toEqual(['a', 'b', 'c', 'd', 'r'])
    expect(activities('<nonsense/>')).toEqual([])
  })

  it('shows what is done, current and still to come', () => {
    expect(stepsOf(activities(xml), { done: ['a', 'b'], tokens: [token('c')] }, plain)).toEqual([
      { name: '登记', state: 'done' }, { name: '查询', state: 'done' }, { name: '答复', state: 'now' }, { name: '通知', state: 'todo' },
    ])
  })

  it('leaves out what was passed by, and keeps the current step inside a short strip', () => {
    expect(stepsOf(activities(xml), { done: ['a'], tokens: [token('d')] }, plain).map((step) => step.name)).toEqual(['登记', '通知'])
    const long = Array.from({ length: 12 }, (_, i) => ({ id: `n${i}`, name: `n${i}`, x: i, main: true }))
    const strip = stepsOf(long, { done: long.slice(0, 8).map((node) => node.id), tokens: [token('n8')] }, plain)
    expect(strip.map((step) => step.name)).toEqual(['n6', 'n7', 'n8', 'n9', 'n10'])
  })

  it('shows a reminder only when the flow is really there', () => {
    expect(stepsOf(activities(xml), { done: ['a', 'b', 'r'], tokens: [token('c')] }, plain).map((step) => step.name)).toEqual(['登记', '查询', '答复', '通知', '提醒'])
  })

  it('ends with what was done when nothing is current any more', () => {
    expect(stepsOf(activities(xml), { done: ['a', 'c'], tokens: [] }, plain).every((step) => step.state === 'done')).toBe(true)
  })
})
