// Bulk transfers that must arrive byte for byte, through the service `transfers` of a lab.
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import type { Family, Lab } from './lab.js'
import { patternOf } from './pattern.js'

export interface Transfer {
  readonly direction: 'down' | 'up'
  readonly family: Family
  readonly connections: number
  readonly bytes: number
}

/** Moves `bytes` on each connection, all at once, and holds the digests of what arrived against what was sent. */
export async function expectTransfer(lab: Lab, { direction, family, connections, bytes }: Transfer): Promise<void> {
  const target = lab.target('transfers', family)
  const result = await runLoad(lab.network.client, 'bulk', {
    connect: target.address, port: target.port, direction, bytes, connections, hash: true,
    path: direction === 'down' ? `/bytes/${bytes}` : '/', seconds: 80,
  }) // prettier-ignore
  expect(result).toMatchObject({ failure: '', failures: 0, done: connections, bytes: bytes * connections })
  const digests = result.digests.map((digest) => (typeof digest === 'string' ? digest : digest.sha256))
  expect(new Set(digests)).toEqual(new Set([createHash('sha256').update(patternOf(bytes)).digest('hex')]))
}
