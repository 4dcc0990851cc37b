// Devices of every size of packet that Ethernet carries: from 576 bytes to the 9,000 of jumbo packets, which lie in several
// frames of AF_XDP and in one chunk of ours.
//
//   client ── c0 ═ MTU ═ wan [ cutwater ] lan ═ MTU ═ s0 ── server
import { afterEach, describe, expect, it } from 'vitest'
import { growth } from '../support/appliance.js'
import { move } from '../support/impaired-transfers.js'
import { Lab, kPorts } from '../support/lab.js'
import type { Wiring } from '../support/wiring.js'

const kBytes = 2_000_000
/** Of a packet, plaintext: the rest is headers, the record's own bytes, and segments that are not full. */
const kShare = 0.8

function withMtu(client: number, server: number): Wiring {
  return async ({ client: clientHost, appliance, server: serverHost }) => {
    await clientHost.output(['ip', 'link', 'set', 'c0', 'mtu', String(client)])
    await appliance.output(['ip', 'link', 'set', 'wan', 'mtu', String(client)])
    await appliance.output(['ip', 'link', 'set', 'lan', 'mtu', String(server)])
    await serverHost.output(['ip', 'link', 'set', 's0', 'mtu', String(server)])
  }
}

describe.each(kPorts)('packets of every size over %s', (port) => {
  let lab: Lab | undefined
  afterEach(async () => {
    await lab?.close()
    lab = undefined
  })

  it.each([
    [576, 576],
    [1500, 1500],
    [9000, 9000],
    [1500, 9000],
    [9000, 1500],
  ])('MTU %i towards the client, %i towards the server (A4)', async (client, server) => {
    lab = await Lab.create({ port, services: { transfers: {} }, wiring: withMtu(client, server) })
    const { appliance } = lab
    expect(Object.values(appliance.ready.interfaces).map(({ mtu }) => mtu)).toEqual([client, server])
    const laboratory = lab
    const least = Math.min(client, server)
    const down = await growth(appliance, () => move(laboratory, { direction: 'down', bytes: kBytes, connections: 2 }))
    expect(down['plaintext_down_bytes']).toBeGreaterThanOrEqual(2 * kBytes)
    expect(down['records_sealed']).toBeLessThan((2 * kBytes) / (least * kShare))
    const up = await growth(appliance, () => move(laboratory, { direction: 'up', bytes: kBytes, connections: 2 }))
    expect(up['plaintext_up_bytes']).toBeGreaterThanOrEqual(2 * kBytes)
    for (const grown of [down, up]) {
      expect(Object.keys(grown).filter((name) => /^(drop_checksum|port_.*oversize)/.test(name))).toEqual([])
    }
    await move(laboratory, { direction: 'down', bytes: kBytes, connections: 1, tls: '1.2' })
  })
})
