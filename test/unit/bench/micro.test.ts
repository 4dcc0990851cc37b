// The micro bench runs to its end and says something about every operation. How fast is no test: the machine is shared.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Measured } from '../../../bench/micro/operation.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

function run(...args: string[]): string {
  return execFileSync('node_modules/.bin/jiti', ['bench/micro/main.ts', '--quick', '--no-write', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  })
}

describe('bench micro', () => {
  const { results } = JSON.parse(run('--json')) as { results: Measured[] }
  const named = (part: string) => results.filter(({ name }) => name.includes(part))

  it.each([
    ['expand key', 6],
    ['bare AEAD', 24],
    ['seal ', 24],
    ['open ', 24],
    ['call that', 2],
    ['records in a packet', 1],
    ['ClientHello', 1],
    ['JA4', 1],
    ['look-up', 4],
    ['checksum', 2],
    ['configuration', 2],
    ['diff', 4],
    ['counters', 3],
  ])('measures "%s": %i', (part, count) => {
    expect(named(part)).toHaveLength(count)
  })

  it('gives each a time of its own, and records one beside the bare AEAD', () => {
    // What opening costs is a difference, and on a busy machine there may be nothing left of it.
    for (const { name, ns, samples } of results) {
      if (!name.includes(': open ')) expect(ns, name).toBeGreaterThan(0)
      expect(samples, name).toBeGreaterThanOrEqual(3)
    }
    for (const { name, ratio } of named(': seal ')) expect(ratio, name).toBeGreaterThan(0)
  })

  it('prints a table, of what was asked for', () => {
    const table = run('--only', 'checksum')
    expect(table).toMatch(/^operation +per second +ns +margin/)
    expect(table).toMatch(/checksum 1460 B +[\d,.]+ +[\d,.]+ +±/)
    expect(table).not.toContain('seal 64')
  })
}, 180_000)
