import { readFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { suites } from '../../../src/config/suites.js'

it('has the suites of native/record/suite.cpp, number for number', () => {
  const text = readFileSync(new URL('../../../native/record/suite.cpp', import.meta.url), 'utf8')
  const rows = [...text.matchAll(/tls(1[23])\(0x([0-9A-Fa-f]{4}), "(TLS_\w+)"/g)]
  const native: Record<string, { iana: number; version: string }> = Object.fromEntries<{
    iana: number
    version: string
  }>(
    rows.map(([, version, iana, name]) => [
      name ?? '',
      { iana: Number.parseInt(iana ?? '', 16), version: `1.${version?.[1]}` },
    ]),
  )
  expect(rows.length).toBeGreaterThan(0)
  expect(suites).toEqual(native)
})
