import { describe, expect, it } from 'vitest'
import type { JsonSchema } from '@/api/types'
import { check } from './check'
import { cleaned, fieldsOf, initial, problems, visible } from './fields'

const schema: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['content', 'solved'],
  properties: {
    question_class: { title: '咨询类别', 'x-i18n': { en: 'Class' }, type: 'string', oneOf: [{ const: 'price', title: '价格', 'x-i18n': { en: 'Price' } }, { const: 'other', title: '其他' }], 'x-ui': { widget: 'select' } },
    content: { title: '咨询内容', 'x-i18n': { en: { title: 'Question', description: 'In the words of the caller' } }, type: 'string', minLength: 1, maxLength: 10, 'x-ui': { widget: 'textarea' } },
    solved: { title: '当场解决', type: 'string', enum: ['yes', 'no'], 'x-ui': { labels: { yes: { zh: '是', en: 'Yes' }, no: { zh: '否', en: 'No' } } } },
    answer: { title: '答复', type: 'string', 'x-ui': { 'visible-if': { solved: 'yes' } } },
    to_group: { title: '转给组', type: 'string', 'x-ui': { widget: 'group', options: 'groups', 'visible-if': { solved: ['no'] } } },
    to_user: { title: '转给人', type: 'string', 'x-ui': { widget: 'user', options: 'users?role=agent', 'visible-if': { solved: 'no' } } },
    due: { title: '期限', type: 'string', format: 'date-time', 'x-ui': { widget: 'date-time', 'visible-if': { solved: 'no' } } },
    number_shown: { title: '号码', type: 'string', 'x-ui': { widget: 'phone-masked', source: 'number' } },
  },
  allOf: [
    { if: { properties: { solved: { const: 'yes' } }, required: ['solved'] }, then: { required: ['answer'] } },
    { if: { properties: { solved: { const: 'no' } }, required: ['solved'] }, then: { required: ['due'], anyOf: [{ required: ['to_group'] }, { required: ['to_user'] }] } },
  ],
}
const names = (data: object, lang: 'zh-CN' | 'en' = 'zh-CN') => fieldsOf(schema, data as never, lang).map((field) => field.name)
const field = (name: string, data: object = {}, lang: 'zh-CN' | 'en' = 'zh-CN') => fieldsOf(schema, data as never, lang).find((one) => one.name === name)!

describe('a form from its schema', () => {
  it('shows fields only while their condition holds', () => {
    expect(names({})).toEqual(['question_class', 'content', 'solved', 'number_shown'])
    expect(names({ solved: 'yes' })).toContain('answer')
    expect(names({ solved: 'no' })).toEqual(['question_class', 'content', 'solved', 'to_group', 'to_user', 'due', 'number_shown'])
  })

  it('says titles, hints and choices in the language of the reader', () => {
    expect(field('question_class').title).toBe('咨询类别')
    expect(field('question_class', {}, 'en').choices).toEqual([{ value: 'price', label: 'Price' }, { value: 'other', label: '其他' }])
    expect(field('content', {}, 'en')).toMatchObject({ title: 'Question', hint: 'In the words of the caller', widget: 'textarea', wide: true })
    expect(field('solved', {}, 'en').choices.map((choice) => choice.label)).toEqual(['Yes', 'No'])
  })

  it('stars what is required for these very values', () => {
    expect(field('content').required).toBe(true)
    expect(field('answer', { solved: 'yes' }).required).toBe(true)
    expect(field('due', { solved: 'no' }).required).toBe(true)
  })

  it('finds the source of choices and shows a masked number as text only', () => {
    expect(field('to_user', { solved: 'no' }).source?.path).toBe('/api/users?role=agent')
    expect(field('due', { solved: 'no' }).widget).toBe('datetime')
    expect(field('number_shown')).toMatchObject({ readOnly: true, source: null })
  })

  it('names each wrong field before anything is sent', () => {
    const wrong = (data: object) => problems(schema, fieldsOf(schema, data as never, 'zh-CN'), data as never)
    expect(wrong({})).toEqual([{ field: 'content', code: 'required' }, { field: 'solved', code: 'required' }])
    expect(wrong({ content: 'x'.repeat(11), solved: 'perhaps' })).toEqual([{ field: 'content', code: 'maxLength' }, { field: 'solved', code: 'enum' }])
    expect(wrong({ content: 'x', solved: 'no', due: '2026-11-25T10:00:00+08:00' })).toEqual([{ field: 'to_group', code: 'oneNeeded' }, { field: 'to_user', code: 'oneNeeded' }])
    expect(wrong({ content: 'x', solved: 'yes', answer: 'y' })).toEqual([])
  })

  it('sends neither hidden, empty nor read-only fields, and keeps what was typed into hidden ones', () => {
    const data = { content: ' x ', solved: 'yes', answer: '', to_group: 'east', number_shown: '138****1234' }
    expect(cleaned(fieldsOf(schema, data, 'zh-CN'), data)).toEqual({ content: 'x', solved: 'yes' })
    expect(data.to_group).toBe('east')
  })

  it('starts with the given values over the defaults of the schema', () => {
    expect(initial({ properties: { a: { default: 1 }, b: { default: 2 } } }, { b: 3 })).toEqual({ a: 1, b: 3 })
  })

  it('understands the long form of a condition', () => {
    expect(visible({ 'x-ui': { 'visible-if': { field: 'a', not: 'x' } } }, { a: 'y' })).toBe(true)
    expect(visible({ 'x-ui': { 'visible-if': { field: 'a', in: ['x'] } } }, { a: 'y' })).toBe(false)
    expect(visible({ 'x-ui': { widget: 'hidden' } }, {})).toBe(false)
  })

  it('checks types, bounds, patterns and lists', () => {
    expect(check({ type: 'integer', minimum: 1 }, 0)).toEqual([{ field: '', code: 'minimum' }])
    expect(check({ type: 'string', pattern: '^\\d+$' }, 'a')).toEqual([{ field: '', code: 'pattern' }])
    expect(check({ type: 'array', minItems: 1, items: { type: 'string' } }, [])).toEqual([{ field: '', code: 'minItems' }])
    expect(check({ type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } } }, { list: ['a', 1] })).toEqual([{ field: 'list.1', code: 'type' }])
    expect(check({ type: ['string', 'null'] }, null)).toEqual([])
    expect(check({ type: 'string', format: 'date' }, '25.11.2026')).toEqual([{ field: '', code: 'format' }])
  })
})
