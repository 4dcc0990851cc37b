// One arm: one device of the appliance for both sides, between two subnets on the same wire.
//
//   client ── bridge ── wan [ cutwater ]      TLS in, clear out of the same device
//   server ─────┘
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kAddresses } from '../../src/demo/network.js'
import { growth } from '../support/appliance.js'
import { kClients } from '../support/clients.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import { expectTransfer } from '../support/transfer.js'
import { oneArm } from '../support/wiring.js'

describe.each(kPorts)('one arm over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    const interfaces = { wan: { device: 'wan', port } }
    lab = await Lab.create({ port, wiring: oneArm, services: { shop: {}, transfers: {} }, more: { interfaces } })
  })
  afterAll(() => lab.close())

  describe.each(kFamilies)('%s', (family) => {
    it.each(['1.3', '1.2'] as const)(
      'a page over TLS %s; the server sees the client’s address (A3)',
      async (version) => {
        const request = {
          host: lab.network.client,
          trust: lab.trust,
          ...lab.target('shop', family),
          path: '/hello',
          version,
        }
        const grown = await growth(lab.appliance, async () => {
          expect((await kClients['curl']!(request)).body).toContain('hello from nginx')
        })
        expect(grown['flows_established']).toBe(1)
        expect(lab.nginx.accessLog().at(-1)).toMatchObject({ client: kAddresses.client[family], status: 200 })
      },
    )

    it.each(['down', 'up'] as const)('16 transfers %s at once, byte for byte (I6)', (direction) =>
      expectTransfer(lab, { direction, family, connections: 16, bytes: 1_000_000 }),
    )

    it('other traffic passes as before (H12)', async () => {
      const address = family === 'v6' ? `[${kAddresses.server.v6}]` : kAddresses.server.v4
      expect(
        await lab.network.client.output(['curl', '-sS', '--max-time', '5', `http://${address}:8080/clear`]),
      ).toContain('/clear')
    })
  })
})
