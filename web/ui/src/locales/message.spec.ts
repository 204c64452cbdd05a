import { describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import en from './en'
import zh from './zh-CN'

describe('messages to customers in a history', () => {
  it('have a name in both languages, each of them', () => {
    const templates = JSON.parse(readFileSync('../config/demo/templates.json', 'utf8')) as { key: string }[]
    const keys = templates.map((one) => one.key).sort()
    expect(Object.keys(zh.message).sort()).toEqual(keys)
    expect(Object.keys(en.message).sort()).toEqual(keys)
  })
})
