// The set-up as a new machine meets it. What it installs cannot be tried here; what it says when it cannot is.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const node = (script: string, ...args: string[]) =>
  spawnSync(process.execPath, [`${root}tools/${script}`, ...args], { encoding: 'utf8' })

describe('set-up', () => {
  it('imports nothing but Node itself: a fresh clone has no node_modules', () => {
    const text = readFileSync(`${root}tools/setup.mjs`, 'utf8')
    const imported = [...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name)
    expect(imported.length).toBeGreaterThan(0)
    expect(imported.filter((name) => !name?.startsWith('node:'))).toEqual([])
  })

  it.each([
    ['--for', 'nothing'],
    ['--only', 'nothing'],
    ['--fro', 'build'],
  ])('%s %s is wrong usage', (...args) => {
    const { status, stderr } = node('setup.mjs', ...args)
    expect(stderr).toContain('Usage: node tools/setup.mjs')
    expect(status).toBe(2)
  })

  it('names real Debian packages, each list once', () => {
    const lists = JSON.parse(readFileSync(`${root}tools/packages.json`, 'utf8')) as Record<string, string[]>
    for (const names of Object.values(lists)) {
      expect(names).toEqual([...new Set(names)])
      for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9.+-]+$/)
    }
  })
})

describe('checks', () => {
  it.each([
    ['check-includes.mjs', 'every folder includes only folders below it'],
    ['check-docs.mjs', 'every link and every function named in the docs exists'],
  ])('%s passes', (script, words) => {
    const { status, stdout, stderr } = node(script)
    expect(stderr).toBe('')
    expect(stdout).toContain(words)
    expect(status).toBe(0)
  })

  it('check-mechanisms knows what has a test and what has none', () => {
    expect(node('check-mechanisms.mjs', '--require', 'A1,A2').status).toBe(0)
    expect(node('check-mechanisms.mjs', '--require', 'A1,X9').status).toBe(2)
    expect(node('check-mechanisms.mjs').stdout).toMatch(/\d+ of 64 have a test/)
  })
})
