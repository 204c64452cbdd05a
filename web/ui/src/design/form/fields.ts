import type { FormData, FormTask, JsonSchema, TaskDetail } from '@/api/types'
import { activeParts, check, requiredNow, type Issue } from './check'

export type Widget =
  | 'text' | 'textarea' | 'phone' | 'number' | 'switch' | 'checkbox' | 'checkboxes' | 'radio' | 'select' | 'date' | 'datetime' | 'time' | 'user' | 'group'
  | 'clinic' | 'department' | 'doctor' | 'product' | 'slot' | 'suggestion' | 'lines'

export interface Choice { value: unknown; label: string }
/** Where the choices come from: an API address and the members that hold value and label. */
export interface Source { path: string; value?: string; label?: string }

export interface Field {
  name: string
  title: string
  hint: string
  placeholder: string
  widget: Widget
  multiple: boolean
  choices: Choice[]
  source: Source | null
  required: boolean
  readOnly: boolean
  /** Takes the whole row of the grid. */
  wide: boolean
  rows: number
  schema: JsonSchema
  /** Fields whose values its choices come from; what was chosen here goes when one of them changes. */
  depends: string[]
  /** Fields that one choice here fills: clinic, department, doctor, date and hour, each by the name it has in this form. */
  fills: Partial<Record<Filled, string>>
  /** The hour of a slot is picked together with its date: not shown by itself, yet handed in and checked. */
  inside: string | null
}

export type Filled = 'clinic' | 'department' | 'doctor' | 'date' | 'hour'

type Lang = 'zh-CN' | 'en'
const record = (value: unknown): Record<string, unknown> => (value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** `title`/`description` in the language: `"x-i18n": {"en": "…"}` or `{"en": {"title": "…", "description": "…"}}`. */
export function wording(schema: JsonSchema, member: 'title' | 'description' | 'placeholder', lang: Lang): string {
  const own = record(schema['x-i18n'])[lang === 'en' ? 'en' : 'zh-CN']
  const ui = record(schema['x-ui'])
  const plain = member === 'placeholder' ? text(ui.placeholder) : text(schema[member])
  if (typeof own === 'string') return member === 'title' ? own : plain
  return text(record(own)[member]) || plain
}

const label = (given: unknown, lang: Lang, fallback: string): string => {
  if (typeof given === 'string') return given
  const both = record(given)
  return text(lang === 'en' ? both.en : (both.zh ?? both['zh-CN'])) || text(both.zh) || fallback
}

function choicesOf(schema: JsonSchema, lang: Lang): Choice[] {
  const items = schema.type === 'array' ? (schema.items ?? {}) : schema
  const listed = [...(items.oneOf ?? []), ...(items.anyOf ?? [])].filter((one) => 'const' in one)
  if (listed.length) return listed.map((one) => ({ value: one.const, label: wording(one, 'title', lang) || String(one.const) }))
  const labels = record(record(schema['x-ui']).labels ?? record(items['x-ui']).labels ?? schema['x-enum-titles'])
  return (items.enum ?? []).map((value) => ({ value, label: label(labels[String(value)], lang, String(value)) }))
}

const LISTS: Partial<Record<string, [path: string, narrowedBy: string[]]>> = {
  clinic: ['/api/clinics', []],
  department: ['/api/clinics/departments', ['clinic']],
  doctor: ['/api/clinics/doctors', ['clinic', 'department']],
  product: ['/api/clinics/products', ['clinic']],
  lines: ['/api/clinics/products', ['clinic']],
}

const dependsOn = (schema: JsonSchema): string[] => {
  const named = record(schema['x-ui']).depends
  return Array.isArray(named) ? named.filter((one): one is string => typeof one === 'string') : []
}

/** A list of the house, narrowed by what is chosen in the fields it depends on. */
function listOf(widget: string, depends: string[], data: FormData): Source | null {
  const [path, narrowedBy] = LISTS[widget] ?? ['', []]
  if (!path) return null
  const asked = new URLSearchParams()
  narrowedBy.forEach((name, place) => {
    const value = depends[place] ? data[depends[place]] : undefined
    if (typeof value === 'string' && value) asked.set(name, value)
  })
  return { path: asked.size ? `${path}?${asked.toString()}` : path, value: 'key' }
}

function sourceOf(schema: JsonSchema, data: FormData): Source | null {
  const ui = record(schema['x-ui'])
  const options = record(ui.options)
  if (ui.widget === 'phone-masked') return null
  const list = listOf(text(ui.widget), dependsOn(schema), data)
  if (list) return list
  const named = text(ui.source) || text(options.source) || text(ui.options)
  // "users?role=agent" is short for "/api/users?role=agent".
  if (named) return { path: named.startsWith('/') ? named : `/api/${named}`, value: text(options.value) || undefined, label: text(options.label) || undefined }
  if (ui.widget === 'user') return { path: '/api/users', value: 'number', label: 'name' }
  if (ui.widget === 'group') return { path: '/api/groups', value: 'key', label: 'name' }
  return null
}

function widgetOf(schema: JsonSchema, choices: Choice[], source: Source | null): Widget {
  const wished = text(record(schema['x-ui']).widget).replace('date-time', 'datetime').replace('phone-masked', 'phone')
  const known: Widget[] = ['text', 'textarea', 'phone', 'number', 'switch', 'checkbox', 'checkboxes', 'radio', 'select', 'date', 'datetime', 'time', 'user', 'group', 'clinic', 'department', 'doctor', 'product', 'slot', 'suggestion', 'lines']
  if ((known as string[]).includes(wished)) return wished as Widget
  const type = [schema.type].flat().find((one) => one !== 'null')
  if (source) return 'select'
  if (type === 'array') return 'checkboxes'
  if (choices.length) return choices.length <= 4 ? 'radio' : 'select'
  if (type === 'boolean') return 'radio'
  if (type === 'integer' || type === 'number') return 'number'
  if (schema.format === 'date') return 'date'
  if (schema.format === 'date-time') return 'datetime'
  if (schema.format === 'time') return 'time'
  return (schema.maxLength ?? 0) > 200 ? 'textarea' : 'text'
}

/** `visible-if`: `{"field": value | [values]}`, all must hold; or `{"field": "x", "equals" | "in" | "not": …}`. */
export function visible(schema: JsonSchema, data: FormData): boolean {
  const ui = record(schema['x-ui'])
  const rule = record(ui['visible-if'] ?? ui.visibleIf ?? ui.visible_if)
  if (ui.hidden === true || ui.widget === 'hidden') return false
  const holds = (name: string, wanted: unknown) => (Array.isArray(wanted) ? wanted.includes(data[name]) : data[name] === wanted)
  if (typeof rule.field === 'string' && ('equals' in rule || 'in' in rule || 'not' in rule)) {
    const name = rule.field
    if ('not' in rule) return !holds(name, rule.not)
    return holds(name, 'in' in rule ? rule.in : rule.equals)
  }
  return Object.entries(rule).every(([name, wanted]) => holds(name, wanted))
}

/** The fields to show for these values, in the order of the schema; branches that apply now add theirs. */
export function fieldsOf(schema: JsonSchema, data: FormData, lang: Lang): Field[] {
  const properties: Record<string, JsonSchema> = { ...schema.properties }
  for (const part of activeParts(schema, data)) {
    for (const [name, extra] of Object.entries(part.properties ?? {})) {
      properties[name] = properties[name] ? { ...extra, ...properties[name] } : extra
    }
  }
  // A branch that only limits a value ("const" without title) is a rule, not a field.
  const shown = Object.entries(properties).filter(([name, part]) => visible(part, data) && (schema.properties?.[name] || part.title || part['x-ui']))
  const required = requiredNow(schema, data)
  const fields = shown.map(([name, part]): Field => {
    const choices = part.type === 'boolean' ? [] : choicesOf(part, lang)
    const source = sourceOf(part, data)
    const widget = widgetOf(part, choices, source)
    const ui = record(part['x-ui'])
    return {
      name,
      title: wording(part, 'title', lang) || name,
      hint: wording(part, 'description', lang),
      placeholder: wording(part, 'placeholder', lang),
      widget,
      multiple: part.type === 'array',
      choices,
      source,
      required: required.has(name),
      readOnly: part.readOnly === true || ui.readonly === true || ui.widget === 'phone-masked',
      wide: ui.wide === true || ['textarea', 'slot', 'suggestion', 'lines'].includes(widget) || (widget === 'radio' && choices.length > 3),
      rows: typeof ui.rows === 'number' ? ui.rows : 2,
      schema: part,
      depends: dependsOn(part),
      fills: widget === 'suggestion' && Array.isArray(ui.fills) ? named(ui.fills) : {},
      inside: null,
    }
  })
  return joined(fields)
}

const PLACES: Filled[] = ['clinic', 'department', 'doctor', 'date', 'hour']
const named = (names: unknown[]): Field['fills'] => Object.fromEntries(PLACES.map((place, at) => [place, names[at]]).filter(([, name]) => typeof name === 'string'))

/** A date and the hour after it, both with the widget `slot`, are one choice. */
function joined(fields: Field[]): Field[] {
  fields.forEach((field, at) => {
    const hour = fields[at + 1]
    if (field.widget !== 'slot' || field.schema.type !== 'string' || hour?.widget !== 'slot') return
    field.fills = named([...field.depends.slice(0, 3), ...Array<undefined>(Math.max(0, 3 - field.depends.length)), field.name, hour.name])
    hour.inside = field.name
  })
  return fields
}

/** What else changes when a field does: choices that came from its former value are no choices any more. */
export function outdated(schema: JsonSchema, changed: string[]): string[] {
  const all = Object.entries(schema.properties ?? {})
  const gone = new Set<string>()
  const look = (names: Iterable<string>) => {
    for (const name of names) {
      const next = all.filter(([other, part]) => !gone.has(other) && !changed.includes(other) && dependsOn(part).includes(name)).map(([other]) => other)
      next.forEach((other) => gone.add(other))
      look(next)
    }
  }
  look(changed)
  return [...gone]
}

/** What is sent: only the fields that show, without empty ones and without those that are only shown. */
export function cleaned(fields: Field[], data: FormData): FormData {
  const out: FormData = {}
  for (const { name, readOnly } of fields) {
    if (readOnly) continue
    const value = data[name]
    const empty = value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
    if (!empty) out[name] = typeof value === 'string' ? value.trim() : value
  }
  return out
}

/** Values to start with: given ones over the schema's defaults. */
export function initial(schema: JsonSchema, given: FormData): FormData {
  const defaults = Object.entries(schema.properties ?? {}).filter(([, part]) => part.default !== undefined).map(([name, part]) => [name, part.default])
  return { ...Object.fromEntries(defaults), ...given }
}

export const problems = (schema: JsonSchema, fields: Field[], data: FormData): Issue[] => check(schema, cleaned(fields, data))

/** A step without a form is completed with nothing filled in. */
export const withForm = (task: TaskDetail): FormTask => ({ ...task, form: task.form ?? { key: '', schema: { type: 'object', properties: {} } } })
