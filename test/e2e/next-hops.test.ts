// Servers with different next hops: one on the link, one behind a router, each with a link address of its own.
//
//   client ── wan [ cutwater ] lan ─┬─ 203.0.113.10, 2001:db8:5::10      sink :8081
//                                   └─ router ── 192.0.2.10, 2001:db8:9::10   sink :8081
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool, startSink } from '../../bench/e2e/load-tool.js'
import type { ServiceInput } from '../../src/config/schema.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance } from '../support/appliance.js'
import { kFamilies, kPorts } from '../support/lab.js'
import { expectTransferTo } from '../support/transfer.js'
import { trustForTests } from '../support/trust.js'
import { behindRouter, kRemoteServer } from '../support/wiring.js'

const kModes = ['balance', 'proxy'] as const
const kVip = {
  balance: { v4: '198.51.100.100', v6: '2001:db8:c::100' },
  proxy: { v4: '198.51.100.101', v6: '2001:db8:c::101' },
} as const

describe.each(kPorts)('servers with different next hops over %s', (port) => {
  let network: Network
  let appliance: Appliance

  beforeAll(async () => {
    const [made, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    network = made
    await behindRouter(network)
    for (const host of [network.server, network.relay]) await startSink(host, 8081, { hash: true })
    const services: Record<string, ServiceInput> = {}
    for (const mode of kModes) {
      for (const family of kFamilies) {
        services[`${mode}-${family}`] = {
          mode,
          listen: { address: kVip[mode][family], port: 443 },
          servers: [
            { name: 'near', address: kAddresses.server[family], port: 8081 },
            { name: 'far', address: kRemoteServer[family], port: 8081 },
          ],
          tls: { certificates: [trust.server.ecdsa] },
          balance: { algorithm: 'round-robin' },
        }
      }
    }
    appliance = await Appliance.start(network, { port, services })
  })
  afterAll(() => network.close())

  it.each(kModes.flatMap((mode) => kFamilies.map((family) => [mode, family] as const)))(
    'mode %s, %s: both get their share, byte for byte (A8, I6)',
    async (mode, family) => {
      const target = { address: kVip[mode][family], port: 443 }
      for (const direction of ['down', 'up'] as const) {
        await expectTransferTo(network.client, target, { direction, connections: 8, bytes: 500_000 })
      }
      const entries = (await appliance.servers()).filter(({ service }) => service === `${mode}-${family}`)
      expect(entries.map(({ name, opened }) => [name, opened])).toEqual([
        ['near', 8],
        ['far', 8],
      ])
      const neighbours = await network.appliance.output(['ip', '-j', 'neigh', 'show', 'dev', 'lan'])
      const addresses = (JSON.parse(neighbours) as { dst: string; lladdr?: string }[])
        .filter(({ dst }) => /\.(10|20)$|::(10|20)$/.test(dst))
        .map(({ lladdr }) => lladdr)
      expect(new Set(addresses).size).toBe(2)
    },
  )
})
