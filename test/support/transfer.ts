// Bulk transfers that must arrive byte for byte, through the service `transfers` of a lab or any that leads to a sink.
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import type { Host } from '../../src/demo/network.js'
import type { Family, Lab } from './lab.js'
import { patternOf } from './pattern.js'

export interface Transfer {
  readonly direction: 'down' | 'up'
  readonly connections: number
  readonly bytes: number
}

/** Moves `bytes` on each connection, all at once, and holds the digests of what arrived against what was sent. */
export function expectTransfer(
  lab: Lab,
  { family, ...transfer }: Transfer & { readonly family: Family },
): Promise<void> {
  return expectTransferTo(lab.network.client, lab.target('transfers', family), transfer)
}

/** The same to any target. `plain`: without TLS. */
export async function expectTransferTo(
  host: Host,
  target: { readonly address: string; readonly port: number; readonly plain?: boolean },
  { direction, connections, bytes }: Transfer,
): Promise<void> {
  const result = await runLoad(host, 'bulk', {
    connect: target.address, port: target.port, plain: target.plain ?? false, direction, bytes, connections, hash: true,
    path: direction === 'down' ? `/bytes/${bytes}` : '/', seconds: 80,
  }) // prettier-ignore
  expect(result).toMatchObject({ failure: '', failures: 0, done: connections, bytes: bytes * connections })
  const digests = result.digests.map((digest) => (typeof digest === 'string' ? digest : digest.sha256))
  expect(new Set(digests)).toEqual(new Set([createHash('sha256').update(patternOf(bytes)).digest('hex')]))
}
