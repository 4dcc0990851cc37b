// The pages that describe keys, defaults and options, held against the code that has them.
import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import { buildProgram } from '../../src/cli/args.js'
import { exitCodes } from '../../src/cli/exit-code.js'
import { configSchema } from '../../src/config/schema.js'
import { suites } from '../../src/config/suites.js'

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

interface Key {
  readonly path: string
  /** As the page writes it. */
  readonly shownDefault: string
}

/** Every key of the schema; `*` stands for a name of the operator's choice. */
function* keysOf(schema: unknown, path: string): Generator<Key> {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    for (const [name, child] of Object.entries(inner.shape)) {
      const childPath = path ? `${path}.${name}` : name
      yield { path: childPath, shownDefault: showDefault(child) }
      yield* keysOf(child, childPath)
    }
  } else if (inner instanceof z.ZodRecord) yield* keysOf(inner.valueType, `${path}.*`)
  else if (inner instanceof z.ZodArray) yield* keysOf(inner.element, `${path}[]`)
}

function unwrap(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodOptional) {
    inner = inner.unwrap()
  }
  return inner
}

function showDefault(schema: unknown): string {
  if (schema instanceof z.ZodOptional) return '*optional*'
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return ''
  const value: unknown = schema.def.defaultValue
  if (Array.isArray(value) && value.length > 0) return value.map((item) => `\`${String(item)}\``).join(', ')
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

/** Rows of all tables: first cell without its backquotes, second cell as it stands. */
function rowsOf(text: string): [string, string][] {
  return [...text.matchAll(/^\| `([^`]+)` \| ?(.*?) ?\|/gm)].map(([, key = '', second = '']) => [key, second])
}

describe('docs/configuration.md', () => {
  const rows = rowsOf(page('configuration.md'))
  const keys = [...keysOf(configSchema, '')]
  const documented = new Map(rows)

  it.each(keys.map(({ path, shownDefault }) => [path, shownDefault]))(
    'has %s with default %s',
    (path, shownDefault) => {
      expect(documented.get(path)).toBe(shownDefault)
    },
  )

  it('has no key the schema does not have, and each once', () => {
    const known = new Set([...keys.map(({ path }) => path), ...Object.keys(suites)])
    const names = rows.map(([key]) => key)
    expect(names.filter((key) => !known.has(key))).toEqual([])
    expect(names).toEqual([...new Set(names)])
  })

  it('lists every suite with its version', () => {
    const listed = rows.filter(([key]) => key in suites)
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(Object.entries(suites).map(([name, { version }]) => [name, version])),
    )
  })
})

describe('docs/cli.md', () => {
  const text = page('cli.md')
  const flags = new Set(rowsOf(text).map(([flag]) => flag))
  const { commands } = buildProgram(() => undefined)

  it.each(commands.flatMap((command) => command.options.map((option) => [command.name(), option.flags])))(
    'of "%s" has %s',
    (_, option) => {
      expect(flags).toContain(option)
    },
  )

  it('has every command, and no option that is not there', () => {
    for (const command of commands) expect(text).toMatch(new RegExp(`\`(cutwater )?${command.name()}\``))
    const known = new Set(commands.flatMap((command) => command.options.map((option) => option.flags)))
    expect([...flags].filter((flag) => flag.startsWith('-') && !known.has(flag))).toEqual([])
  })

  it('has every exit code', () => {
    const listed = [...text.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
    expect(listed).toEqual(Object.values(exitCodes))
  })
})
