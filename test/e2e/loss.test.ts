// A line that loses one packet in a hundred in each direction, on both sides of the appliance.
//
//   cutwater-load bulk ── lossy ── wan [ cutwater ] lan ── lossy ── sink :8081
//   (nftables drops at the hosts: 1 % of what they send, 1 % of what reaches them)
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { growth } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import { loseOneInAHundred } from '../support/loss.js'
import { patternOf } from '../support/pattern.js'

const kBytes = 1_000_000
const kConnections = 8

describe.each(kPorts)('loss over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { transfers: {} } })
    await loseOneInAHundred(lab.network.client)
    await loseOneInAHundred(lab.network.server)
  })
  afterAll(() => lab.close())

  describe.each(['1.3', '1.2'])('TLS %s', (tls) => {
    it.each(['down', 'up'] as const)(
      'every byte arrives, %s, by sealing the same records again and resending from custody (A6, A15, I3, I6)',
      async (direction) => {
        const target = lab.target('transfers')
        const grown = await growth(lab.appliance, async () => {
          const result = await runLoad(lab.network.client, 'bulk', {
          connect: target.address, port: target.port, direction, bytes: kBytes, connections: kConnections, hash: true, tls,
          path: direction === 'down' ? `/bytes/${kBytes}` : '/', seconds: 90,
        }) // prettier-ignore
          expect(result).toMatchObject({ failures: 0, failure: '', done: kConnections })
          const digests = result.digests.map((digest) => (typeof digest === 'string' ? digest : digest.sha256))
          expect(new Set(digests)).toEqual(new Set([createHash('sha256').update(patternOf(kBytes)).digest('hex')]))
        })
        expect(grown[direction === 'down' ? 'records_resealed' : 'custody_resent']).toBeGreaterThan(0)
        expect(grown['reset_plaintext_changed'] ?? 0).toBe(0)
        expect(grown['reset_bad_tag'] ?? 0).toBe(0)
      },
    )
  })
})
