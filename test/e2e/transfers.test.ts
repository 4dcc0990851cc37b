// Big transfers, byte for byte, alone and many at once. The gate moves less; CUTWATER_FULL=1 moves 100 MB on each connection.
//
//   cutwater-load bulk ── TLS ── wan [ cutwater ] lan ── clear ── cutwater-load sink :8081
//   (hashes what it gets)                                         (hashes what it gets)
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import { patternOf } from '../support/pattern.js'

const isFull = process.env['CUTWATER_FULL'] === '1'
const kAloneBytes = isFull ? 100_000_000 : 20_000_000
const kParallelBytes = isFull ? 100_000_000 : 2_000_000
const kParallel = 64

function sha256(bytes: number): string {
  return createHash('sha256').update(patternOf(bytes)).digest('hex')
}

describe.each(kPorts)('transfers over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { transfers: {} } })
  })
  afterAll(() => lab.close())

  async function move(
    direction: 'down' | 'up',
    bytes: number,
    connections: number,
    more: Record<string, string> = {},
  ): Promise<void> {
    const target = lab.target('transfers')
    const result = await runLoad(lab.network.client, 'bulk', {
      connect: target.address, port: target.port, direction, bytes, connections, hash: true,
      path: direction === 'down' ? `/bytes/${bytes}` : '/', seconds: isFull ? 600 : 60, ...more,
    }) // prettier-ignore
    expect(result).toMatchObject({ failure: '', failures: 0, done: connections })
    expect(result.bytes).toBe(bytes * connections)
    const digests = result.digests.map((digest) => (typeof digest === 'string' ? digest : digest.sha256))
    expect(new Set(digests)).toEqual(new Set([sha256(bytes)]))
  }

  describe.each(['1.3', '1.2'] as const)('TLS %s', (tls) => {
    it('download, alone (A2, I6)', () => move('down', kAloneBytes, 1, { tls }))
    it('upload, alone (A1, A12, I6)', () => move('up', kAloneBytes, 1, { tls }))
  })
  it.each(kFamilies)('download and upload over %s (A7)', async (family) => {
    const { address } = lab.target('transfers', family)
    await move('down', 5_000_000, 2, { connect: address })
    await move('up', 5_000_000, 2, { connect: address })
  })
  it(`${kParallel} downloads at once (I6)`, () => move('down', kParallelBytes, kParallel), 660_000)
  it(`${kParallel} uploads at once (I6)`, () => move('up', kParallelBytes, kParallel), 660_000)
  it('with ChaCha20-Poly1305, both ways', async () => {
    const suite = 'TLS_CHACHA20_POLY1305_SHA256'
    await move('down', 5_000_000, 1, { suite })
    await move('up', 5_000_000, 1, { suite })
  })
})
