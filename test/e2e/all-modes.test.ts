// Every mode at once, in one appliance: 2 services × (direct, balance, proxy) × (IPv4, IPv6), all under load at the same time.
//
//   wrk (HTTP/1.1)  ── TLS ── wan [ cutwater ] lan ── clear ── nginx .11, Apache .12, Node .13
//   h2load (HTTP/2)
//     direct    the servers' own addresses: nginx for HTTP/1.1, Apache for HTTP/2
//     balance   198.51.100.100, 2001:db8:c::100: all three
//     proxy     198.51.100.101, 2001:db8:c::101: all three
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Mode, ServiceInput } from '../../src/config/schema.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { startBalancedNginx, type BalancedNginx } from '../support/balanced-nginx.js'
import { kFamilies, kPorts, type Family } from '../support/lab.js'
import { startApache, startNodeServer } from '../support/servers.js'
import { kServerName, trustForTests, type Trust } from '../support/trust.js'

const kSeconds = process.env['CUTWATER_FULL'] === '1' ? 60 : 4
const kConnections = 6
const kVip = {
  balance: { v4: '198.51.100.100', v6: '2001:db8:c::100' },
  proxy: { v4: '198.51.100.101', v6: '2001:db8:c::101' },
} as const
const kServers = { nginx: 11, apache: 12, node: 13 } as const
type Server = keyof typeof kServers
const serverAt = (server: Server, family: Family): string =>
  `${family === 'v4' ? '203.0.113.' : '2001:db8:5::'}${kServers[server]}`
/** What a server speaks where. */
const kServerPorts = {
  h1: { nginx: 80, apache: 80, node: 8080 },
  h2: { nginx: 82, apache: 82, node: 8080 },
} as const
type Protocol = keyof typeof kServerPorts
const kProtocols = ['h1', 'h2'] as const
const kListenPorts = { h1: 443, h2: 8443 } as const

interface Target {
  readonly name: string
  readonly mode: Mode
  readonly protocol: Protocol
  readonly family: Family
  readonly address: string
  readonly servers: readonly Server[]
}

const kTargets: readonly Target[] = (['direct', 'balance', 'proxy'] as const).flatMap((mode) =>
  kProtocols.flatMap((protocol) =>
    kFamilies.map((family): Target => {
      const one = protocol === 'h1' ? 'nginx' : 'apache'
      return {
        name: `${mode}-${protocol}-${family}`,
        mode,
        protocol,
        family,
        address: mode === 'direct' ? serverAt(one, family) : kVip[mode][family],
        servers: mode === 'direct' ? [one] : ['nginx', 'apache', 'node'],
      }
    }),
  ),
)

describe.each(kPorts)('all modes at once over %s', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance
  let nginx: BalancedNginx

  const logOf = (server: 'apache' | 'node') => network.file(`${server}.log`)

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests()])
    for (const server of Object.keys(kServers) as Server[]) {
      await network.server.output(['ip', 'addr', 'add', `${serverAt(server, 'v4')}/24`, 'dev', 's0'])
      await network.server.output(['ip', 'addr', 'add', `${serverAt(server, 'v6')}/64`, 'dev', 's0', 'nodad'])
    }
    const addressesOf = (server: Server) => kFamilies.map((family) => serverAt(server, family))
    nginx = await startBalancedNginx(network, 'nginx', addressesOf('nginx'))
    await startApache(network, addressesOf('apache'), logOf('apache'))
    await startNodeServer(network, 8080, logOf('node'))
    const services = Object.fromEntries(kTargets.map((target) => [target.name, serviceOf(target)]))
    appliance = await Appliance.start(network, { port, services })
  })
  afterAll(() => network.close())

  function serviceOf({ mode, protocol, family, address, servers }: Target): ServiceInput {
    return {
      mode,
      listen: { address, port: kListenPorts[protocol] },
      servers: servers.map((name) => ({
        name,
        address: serverAt(name, family),
        port: kServerPorts[protocol][name],
      })),
      tls: { certificates: [trust.server.ecdsa], ...(protocol === 'h2' ? { protocols: ['h2'] } : {}) },
    }
  }

  /** What each server's log has of each client's address. */
  function clientsOf(server: Server): Map<string, number> {
    const clients =
      server === 'nginx'
        ? nginx.accessLog().map(({ client }) => client)
        : readFileSync(logOf(server), 'utf8')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => line.split(' ')[0] ?? '')
    const counts = new Map<string, number>()
    for (const client of clients) counts.set(client, (counts.get(client) ?? 0) + 1)
    return counts
  }

  const endOf = ({ address, family, protocol }: Target) =>
    `${family === 'v6' ? `[${address}]` : address}:${kListenPorts[protocol]}`

  /** Requests that were answered. Any error at all fails the test. */
  async function load(target: Target): Promise<number> {
    const options = { timeoutMs: (kSeconds + 30) * 1_000 }
    if (target.protocol === 'h1') {
      const said = await network.client.output(
        ['wrk', '-t1', `-c${kConnections}`, `-d${kSeconds}s`, `https://${endOf(target)}/hello`],
        options,
      )
      expect(said, target.name).not.toMatch(/Socket errors|Non-2xx/)
      return Number(/(\d+) requests in/.exec(said)?.[1])
    }
    // By name: h2load writes an IPv6 address into :authority without its brackets, which Apache refuses.
    const where = [`--connect-to=${endOf(target)}`, `https://${kServerName}/hello`]
    const said = await network.client.output(
      ['h2load', '-t1', `-c${kConnections}`, '-m4', `-D${kSeconds}`, ...where],
      options,
    )
    expect(said, target.name).toMatch(/Application protocol: h2\n/)
    const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(said)?.slice(1).map(Number)
    expect(counts?.slice(1), `${target.name}: ${said}`).toEqual([0, 0, 0])
    expect(said, target.name).toMatch(/status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx/)
    return counts?.[0] ?? 0
  }

  it('12 services under load by wrk and h2load together: no error, and servers see their clients (A17)', async () => {
    const grown = await growth(appliance, async () => {
      const answered = await Promise.all(kTargets.map(load))
      for (const [index, requests] of answered.entries()) {
        expect(requests, kTargets[index]?.name).toBeGreaterThan(10 * kSeconds)
      }
      console.log(
        `${port}, ${kSeconds} s, requests: ${kTargets.map(({ name }, index) => `${name} ${answered[index]}`).join(', ')}`,
      )
    })
    for (const server of Object.keys(kServers) as Server[]) {
      const clients = clientsOf(server)
      expect([...clients.keys()].sort(), server).toEqual([kAddresses.client.v4, kAddresses.client.v6].sort())
    }
    expect(grown['flows_established']).toBeGreaterThanOrEqual(kTargets.length * kConnections)
    expect(grown['connects_sent']).toBeGreaterThanOrEqual(4 * kConnections)
    const resets = Object.entries(grown).filter(
      ([name]) => name.startsWith('reset_') && name !== 'reset_truncated' && name !== 'reset_by_client',
    )
    expect(resets).toEqual([]) // the load tools leave without close_notify, some with RST
  })

  it('every server had its share of every balanced and proxied service', async () => {
    const entries = (await appliance.servers()).filter(({ service }) => !service.startsWith('direct'))
    expect(entries).toHaveLength(8 * 3)
    for (const { service, name, opened } of entries) expect(opened, `${service} ${name}`).toBeGreaterThanOrEqual(1)
  })
})
