import type { FormData, JsonSchema } from '@/api/types'

/** A broken rule: dotted field ("" = the form) and the JSON Schema keyword, the same words the server answers with. */
export interface Issue { field: string; code: string }

const typeOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value === 'object' ? 'object' : typeof value
}
const isType = (value: unknown, type: string): boolean => typeOf(value) === type || (type === 'number' && typeOf(value) === 'integer')
const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

const FORMATS: Record<string, RegExp> = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  time: /^\d{2}:\d{2}(:\d{2})?/,
  'date-time': /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/,
  email: /^[^@\s]+@[^@\s]+\.[^@\s]+$/,
}

/**
 * Checks the part of JSON Schema 2020-12 that forms use, so that wrong fields show before the form is sent.
 * The server's answer is the one that counts.
 */
export function check(schema: JsonSchema, value: unknown, path = ''): Issue[] {
  const issues: Issue[] = []
  const bad = (code: string, field = path) => issues.push({ field, code })
  const fits = (part: JsonSchema) => check(part, value, path).length === 0

  const types = schema.type === undefined ? [] : [schema.type].flat()
  if (types.length && !types.some((type) => isType(value, type))) return [{ field: path, code: 'type' }]
  if (schema.enum && !schema.enum.some((one) => same(one, value))) bad('enum')
  if ('const' in schema && !same(schema.const, value)) bad('const')

  if (typeof value === 'string') {
    if (schema.minLength !== undefined && value.length < schema.minLength) bad(value ? 'minLength' : 'required')
    if (schema.maxLength !== undefined && value.length > schema.maxLength) bad('maxLength')
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) bad('pattern')
    if (schema.format && FORMATS[schema.format]?.test(value) === false) bad('format')
  } else if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum) bad('minimum')
    if (schema.maximum !== undefined && value > schema.maximum) bad('maximum')
  } else if (Array.isArray(value)) {
    if (schema.minItems !== undefined && value.length < schema.minItems) bad('minItems')
    if (schema.maxItems !== undefined && value.length > schema.maxItems) bad('maxItems')
    value.forEach((one, i) => schema.items && issues.push(...check(schema.items, one, `${path}.${i}`)))
  } else if (typeOf(value) === 'object') {
    const record = value as Record<string, unknown>
    const inside = (name: string) => (path ? `${path}.${name}` : name)
    for (const name of schema.required ?? []) if (record[name] === undefined) bad('required', inside(name))
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      if (record[name] !== undefined) issues.push(...check(part, record[name], inside(name)))
    }
  }

  for (const part of schema.allOf ?? []) issues.push(...check(part, value, path))
  if (schema.anyOf && !schema.anyOf.some(fits)) {
    // "One of these is needed" is said at the fields themselves.
    const missing = schema.anyOf.flatMap((part) => check(part, value, path).filter((issue) => issue.code === 'required'))
    if (missing.length >= schema.anyOf.length) issues.push(...missing.map(({ field }) => ({ field, code: 'oneNeeded' })))
    else bad('anyOf')
  }
  if (schema.oneOf && schema.oneOf.filter(fits).length !== 1) bad('oneOf')
  if (schema.not && fits(schema.not)) bad('not')
  if (schema.if) {
    const branch = fits(schema.if) ? schema.then : schema.else
    if (branch) issues.push(...check(branch, value, path))
  }
  return issues
}

/** Names required right now: the plain list and what `allOf` and `if/then/else` add for these values. */
export function requiredNow(schema: JsonSchema, data: FormData): Set<string> {
  const names = new Set(schema.required ?? [])
  for (const part of activeParts(schema, data)) for (const name of part.required ?? []) names.add(name)
  return names
}

/** The branches that apply to these values. */
export function activeParts(schema: JsonSchema, data: FormData): JsonSchema[] {
  const parts: JsonSchema[] = []
  if (schema.if) {
    const branch = check(schema.if, data).length === 0 ? schema.then : schema.else
    if (branch) parts.push(branch, ...activeParts(branch, data))
  }
  for (const part of schema.allOf ?? []) parts.push(part, ...activeParts(part, data))
  return parts
}
