// The C++ tests, one by one. They are one binary (build/native/cutwater_tests); it runs once, and every doctest case is a
// test here with its own name and result. A crash fails the case it happened in, and says so.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { XMLParser } from 'fast-xml-parser'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const binary = `${root}build/native/cutwater_tests`

interface Case {
  readonly name: string
  readonly filename: string
  readonly skipped: boolean
}

interface Result {
  readonly passed: boolean
  readonly complaints: readonly string[]
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  isArray: (name) => ['TestCase', 'TestSuite', 'Expression', 'Message', 'Exception', 'SubCase'].includes(name),
})

const cases = listCases()
const results = new Map<string, Result>()
let ending = ''

describe('native', () => {
  beforeAll(async () => {
    const { xml, code, signal } = await runAll()
    collect(parser.parse(xml), results)
    ending = signal ? `ended by ${signal}` : `exit code ${String(code)}`
  })

  it('has tests', () => {
    expect(cases.length).toBeGreaterThan(0)
  })

  for (const { name, filename, skipped } of cases) {
    it.skipIf(skipped)(`${filename}: ${name}`, () => {
      const result = results.get(keyOf(filename, name))
      expect(result, `the test did not finish; the binary ${ending}`).toBeDefined()
      expect(result?.complaints.join('\n\n')).toBe('')
      expect(result?.passed).toBe(true)
    })
  }

  it('ends as its results say', () => {
    const failed = [...results.values()].some(({ passed }) => !passed)
    expect(ending).toBe(failed ? 'exit code 1' : 'exit code 0')
  })
})

/** Names of the cases; nothing runs yet. */
function listCases(): Case[] {
  const { stdout, status, error } = spawnSync(binary, ['--list-test-cases', '--reporters=xml'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error || status !== 0) throw new Error(`cannot list the native tests: ${error?.message ?? `exit code ${String(status)}`}`)
  const found: Case[] = []
  walk(parser.parse(stdout), (node) => {
    found.push({ name: String(node['name']), filename: shorten(String(node['filename'])), skipped: node['skipped'] === 'true' })
  })
  return found
}

async function runAll(): Promise<{ xml: string; code: number | null; signal: NodeJS.Signals | null }> {
  mkdirSync(`${root}testlog`, { recursive: true })
  const report = `${root}testlog/native.xml`
  const said = openSync(`${root}testlog/native.log`, 'w')
  const child = spawn(binary, ['--reporters=xml', `--out=${report}`], { cwd: root, stdio: ['ignore', said, said] })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (...ended) => {
      resolve(ended)
    })
  })
  closeSync(said)
  return { xml: readFileSync(report, 'utf8'), code, signal }
}

type Node = Record<string, unknown>

/** Calls `visit` for each TestCase element, wherever it stands. */
function walk(node: unknown, visit: (testCase: Node) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit)
    return
  }
  if (typeof node !== 'object' || node === null) return
  for (const [name, child] of Object.entries(node)) {
    if (name === 'TestCase') for (const one of child as Node[]) visit(one)
    else walk(child, visit)
  }
}

function collect(report: unknown, into: Map<string, Result>): void {
  walk(report, (node) => {
    const verdict = node['OverallResultsAsserts'] as Node | undefined
    if (!verdict) return // it did not get to its end
    const complaints: string[] = []
    complain(node, complaints)
    const key = keyOf(shorten(String(node['filename'])), String(node['name']))
    into.set(key, { passed: verdict['test_case_success'] === 'true', complaints })
  })
}

/** Failed expressions, messages and exceptions of a case and of its sub-cases. */
function complain(node: unknown, into: string[]): void {
  if (Array.isArray(node)) {
    for (const item of node) complain(item, into)
    return
  }
  if (typeof node !== 'object' || node === null) return
  const element = node as Node
  if ('Original' in element && element['success'] !== 'true') {
    const where = `${shorten(String(element['filename']))}:${String(element['line'])}`
    into.push(`${where}: ${String(element['Original'])}\n  is ${JSON.stringify(element['Expanded'] ?? 'thrown')}`)
  }
  for (const child of (element['Exception'] as unknown[] | undefined) ?? []) into.push(JSON.stringify(child))
  for (const child of Object.values(element)) complain(child, into)
}

function keyOf(filename: string, name: string): string {
  return `${filename}: ${name}`
}

function shorten(filename: string): string {
  return filename.startsWith(root) ? filename.slice(root.length) : filename
}
