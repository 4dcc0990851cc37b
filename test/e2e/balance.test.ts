// Balance: virtual addresses in front of several servers, which see their clients' own addresses.
//
//   client ── wan [ cutwater ] lan ── 203.0.113.11 … .18 and 2001:db8:5::11 … ::18
//     198.51.100.100:443, [2001:db8:c::100]:443        nginx at .11 … .13 (port 80; 81 wants a PROXY header)
//     198.51.100.101:443                               sinks at .11 … .18 (ports 8081 …)
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool, kManyFiles, loadArguments, runLoad, startSink } from '../../bench/e2e/load-tool.js'
import type { ServiceInput } from '../../src/config/schema.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { startBalancedNginx, type BalancedNginx } from '../support/balanced-nginx.js'
import { kFamilies, kPorts, type Family } from '../support/lab.js'
import { kServerName, trustForTests, type Trust } from '../support/trust.js'

const isFull = process.env['CUTWATER_FULL'] === '1'
const kVip = { v4: '198.51.100.100', v6: '2001:db8:c::100' } as const
const kSinkVip = '198.51.100.101'
const kPool = { v4: '203.0.113.200', v6: '2001:db8:5::200' } as const
const serverAt = (index: number, family: Family = 'v4'): string =>
  family === 'v4' ? `203.0.113.${11 + index}` : `2001:db8:5::${11 + index}`
const kNames = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
const kNginxServers = 3

describe.each(kPorts)('balance over %s', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance
  let nginx: BalancedNginx[]
  let sinks: RunningProcess[]

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    for (const index of kNames.keys()) {
      await network.server.output(['ip', 'addr', 'add', `${serverAt(index)}/24`, 'dev', 's0'])
      await network.server.output(['ip', 'addr', 'add', `${serverAt(index, 'v6')}/64`, 'dev', 's0', 'nodad'])
    }
    nginx = []
    for (let index = 0; index < kNginxServers; index += 1) {
      const addresses = [serverAt(index), serverAt(index, 'v6')]
      nginx.push(await startBalancedNginx(network, kNames[index] ?? '', addresses))
    }
    sinks = []
    for (let index = 0; index < 3; index += 1) sinks.push(await startSink(network.server, 8081 + index))
    appliance = await Appliance.start(network, { port, services: services() })
  })
  afterAll(() => network.close())

  function tls(): ServiceInput['tls'] {
    return { certificates: [trust.server.ecdsa] }
  }
  function shop(family: Family, more: Partial<ServiceInput> = {}, serverPort = 80): ServiceInput {
    const servers = [0, 1, 2].map((index) => ({
      name: kNames[index] ?? '',
      address: serverAt(index, family),
      port: serverPort,
    }))
    return { mode: 'balance', listen: { address: kVip[family], port: 443 }, servers, tls: tls(), ...more }
  }
  /** The sinks: server k on port 8081 + k % 3, by weight. */
  function sinkService(weights: readonly number[], more: Partial<ServiceInput> = {}): ServiceInput {
    const servers = weights.map((weight, index) => ({
      name: kNames[index] ?? '',
      address: serverAt(index),
      port: 8081 + (index % 3),
      weight,
    }))
    return { mode: 'balance', listen: { address: kSinkVip, port: 443 }, servers, tls: tls(), ...more }
  }
  function direct(): ServiceInput {
    const address = serverAt(0)
    return { mode: 'direct', listen: { address, port: 443 }, servers: [{ address, port: 80 }], tls: tls() }
  }
  function services(more: Record<string, ServiceInput> = {}): Record<string, ServiceInput> {
    return {
      'shop-v4': shop('v4'),
      'shop-v6': shop('v6'),
      direct: direct(),
      sinks: sinkService([1, 1, 1]),
      ...more,
    }
  }

  async function page(address: string, path = '/hello', tlsPort = 443): Promise<string> {
    const host = address.includes(':') ? `[${address}]` : address
    return network.client.output([
      'curl', '-sS', '--max-time', '15', '--cacert', trust.authority.certificate,
      '--resolve', `${kServerName}:${tlsPort}:${host}`, `https://${kServerName}:${tlsPort}${path}`,
    ]) // prettier-ignore
  }

  async function stateOf(service: string, server: string): Promise<string | undefined> {
    return (await appliance.servers()).find((one) => one.service === service && one.name === server)?.state
  }

  async function until(what: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 300; tries += 1) {
      if (await what()) return
      await sleep(100)
    }
    throw new Error(`never: ${what.toString()}`)
  }

  describe.each(kFamilies)('%s', (family) => {
    it('pages come from every server in turn, and each server sees the client’s address (A8)', async () => {
      const seen = new Set<string>()
      for (let index = 0; index < 6; index += 1) seen.add(await page(kVip[family]))
      expect([...seen].sort()).toEqual(['hello from a\n', 'hello from b\n', 'hello from c\n'])
      for (const one of nginx) expect(one.accessLog().at(-1)).toMatchObject({ client: kAddresses.client[family] })
    })

    it('the appliance answers for the virtual address, and only while it runs the service (A8)', async () => {
      const ping = ['ping', '-c1', '-W2', kVip[family]]
      expect((await network.client.run(ping)).code).toBe(0)
      const neighbours = await network.client.output(['ip', 'neigh', 'show', kVip[family]])
      const link = await network.appliance.output(['cat', '/sys/class/net/wan/address'])
      expect(neighbours).toContain(link.trim())
      const { [`shop-${family}`]: _gone, ...rest } = services()
      await appliance.reload(rest)
      expect(await network.appliance.output(['ip', 'addr', 'show', 'dev', 'wan'])).not.toContain(`${kVip[family]}/`)
      await appliance.reload(services())
      expect(await page(kVip[family])).toContain('hello')
    })

    it('from a pool the servers see its address, and learn of the client by a PROXY header (A8)', async () => {
      const balance = { pool: [kPool[family]], proxyProtocol: 'v2' as const, algorithm: 'round-robin' as const }
      await appliance.reload(services({ [`shop-${family}`]: shop(family, { balance }, 81) }))
      for (let index = 0; index < 3; index += 1) {
        expect(await page(kVip[family], `/pool-${index}`)).toContain(
          `from ${kPool[family]} for ${kAddresses.client[family]}`,
        )
      }
      await appliance.reload(services())
    })
  })

  it('direct and balance run at once, also to the same server (A17)', async () => {
    const grown = await growth(appliance, async () => {
      const pages = await Promise.all([serverAt(0), kVip.v4, kVip.v6, serverAt(0), kVip.v4].map((one) => page(one)))
      expect(pages[0]).toBe('hello from a\n')
      expect(pages.every((text) => text.startsWith('hello from'))).toBe(true)
    })
    expect(grown['flows_established']).toBe(5)
  })

  it(`${isFull ? '10,000' : '800'} connections are spread over 8 servers within 5 % of their weights (A8)`, async () => {
    const weights = [3, 1, 2, 1, 1, 2, 3, 3]
    const connections = isFull ? 10_000 : 800
    await appliance.reload(services({ sinks: sinkService(weights) }))
    const before = new Map((await sinkEntries()).map(({ name, opened }) => [name, opened]))
    const options = { connect: kSinkVip, port: 443, connections, seconds: 120 }
    const held = network.client.start([...kManyFiles, ...loadArguments('hold', options)])
    await held.until((stdout) => stdout.includes('"held"'), 120_000)
    const entries = await sinkEntries()
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    for (const [index, { name, sessions, opened }] of entries.entries()) {
      const fair = (connections * (weights[index] ?? 0)) / total
      expect(Math.abs(sessions - fair), `${name} has ${sessions}, fair is ${fair}`).toBeLessThanOrEqual(fair * 0.05)
      expect(opened - (before.get(name) ?? 0)).toBe(sessions)
    }
    await held.stop()
    await until(async () => (await sinkEntries()).every(({ sessions }) => sessions === 0))
    await appliance.reload(services())
  })

  it('a service may have several addresses and ports; its servers are counted once (A8)', async () => {
    const alsoListen = [
      { address: kVip.v4, port: 8443 },
      { address: '198.51.100.102', port: 443 },
    ]
    const { 'shop-v4': before, ...rest } = services()
    await appliance.reload({ ...rest, 'shop-v4': { ...before!, alsoListen, balance: { algorithm: 'round-robin' } } })
    const entriesOf = async () => (await appliance.servers()).filter(({ service }) => service === 'shop-v4')
    const openedBefore = (await entriesOf()).map(({ opened }) => opened)
    for (const [address, tlsPort] of [[kVip.v4, 443], [kVip.v4, 8443], ['198.51.100.102', 443]] as const) {
      const seen = new Set<string>()
      for (let index = 0; index < 3; index += 1) seen.add(await page(address, '/hello', tlsPort))
      expect([...seen].sort()).toEqual(['hello from a\n', 'hello from b\n', 'hello from c\n'])
    } // prettier-ignore
    const entries = await entriesOf()
    expect(entries.map(({ name, opened }, index) => [name, opened - (openedBefore[index] ?? 0)])).toEqual([
      ['a', 3],
      ['b', 3],
      ['c', 3],
    ])
    await appliance.admit('drain', 'shop-v4', 'a')
    for (const tlsPort of [443, 8443]) expect(await page(kVip.v4, '/hello', tlsPort)).not.toContain('from a')
    await appliance.admit('enable', 'shop-v4', 'a')
    await appliance.reload(services())
    expect(await network.appliance.output(['ip', 'addr', 'show', 'dev', 'wan'])).not.toContain('198.51.100.102')
    await expect(page('198.51.100.102')).rejects.toThrow()
  })

  async function sinkEntries() {
    return (await appliance.servers()).filter(({ service, state }) => service === 'sinks' && state !== 'leaving')
  }

  it('a server that is drained gets nothing new and keeps what it has; enabled, it gets connections again (A8)', async () => {
    await appliance.admit('drain', 'shop-v4', 'a')
    expect(await stateOf('shop-v4', 'a')).toBe('draining')
    const seen = new Set<string>()
    for (let index = 0; index < 6; index += 1) seen.add(await page(kVip.v4))
    expect([...seen].sort()).toEqual(['hello from b\n', 'hello from c\n'])
    await appliance.reload(services({ 'shop-v4': shop('v4', { truncation: 'forward' }) }))
    expect(await stateOf('shop-v4', 'a')).toBe('draining') // a reload is not the operator's word
    await appliance.admit('enable', 'shop-v4', 'a')
    for (let index = 0; index < 6; index += 1) seen.add(await page(kVip.v4))
    expect(seen).toContain('hello from a\n')
    await expect(appliance.admit('drain', 'shop-v4', 'nobody')).rejects.toThrow('no server "nobody"')
  })

  it('health checks take a server out and bring it back; the checks’ own answers reach the appliance’s kernel (A8)', async () => {
    const health = { check: 'http', path: '/ready', interval: '200ms', timeout: '200ms', rise: 1, fall: 2 } as const
    await appliance.reload(services({ 'shop-v4': shop('v4', { health }) }))
    await sleep(1_000)
    expect(await stateOf('shop-v4', 'b')).toBe('up')
    nginx[1]?.answerReady(503)
    await until(async () => (await stateOf('shop-v4', 'b')) === 'down')
    const seen = new Set<string>()
    for (let index = 0; index < 6; index += 1) seen.add(await page(kVip.v4))
    expect([...seen].sort()).toEqual(['hello from a\n', 'hello from c\n'])
    nginx[1]?.answerReady(200)
    await until(async () => (await stateOf('shop-v4', 'b')) === 'up')
    await appliance.reload(services())
  })

  it('flows of a server that was taken out end with RST when its limit is over, and no other (A8)', async () => {
    const service = (weights: readonly number[]) =>
      sinkService(weights, { balance: { algorithm: 'round-robin', drainLimit: '1s' } })
    await appliance.reload(services({ sinks: service([1, 1]) }))
    const held = network.client.start([
      ...kManyFiles,
      ...loadArguments('hold', { connect: kSinkVip, port: 443, connections: 10 }),
    ])
    await held.until((stdout) => stdout.includes('"held"'), 30_000)
    const grown = await growth(appliance, async () => {
      await appliance.reload(services({ sinks: service([1]) }))
      expect(await stateOf('sinks', 'b')).toBe('leaving')
      await until(async () => (await stateOf('sinks', 'b')) === undefined)
    })
    expect(grown['reset_server_removed']).toBe(5)
    expect((await sinkEntries()).map(({ name, sessions }) => [name, sessions])).toEqual([['a', 5]])
    await held.stop()
    await appliance.reload(services())
  })

  it('two servers killed under load lose what they had, and no new connection fails (A8)', async () => {
    const load = runLoad(network.client, 'requests', {
      connect: kSinkVip,
      port: 443,
      connections: 12,
      seconds: 4,
      path: '/bytes/1000',
    })
    await sleep(1_500)
    await Promise.all([sinks[1]?.stop('SIGKILL'), sinks[2]?.stop('SIGKILL')])
    const grown = await growth(appliance, async () => {
      const fresh = await runLoad(network.client, 'handshakes', {
        connect: kSinkVip,
        port: 443,
        connections: 8,
        seconds: 1,
      })
      expect(fresh.failures, fresh.failure).toBe(0)
      expect(fresh.perSecond).toBeGreaterThan(0)
    })
    expect(grown['flows_moved']).toBeGreaterThan(0)
    expect((await load).failures).toBe(8) // one request on each of the connections that the two had, no more
    expect(await stateOf('sinks', 'b')).toBe('shunned')
    for (const index of [1, 2]) sinks[index] = await startSink(network.server, 8081 + index)
  })

  it(`${isFull ? 100 : 20} changes of the configuration under load lose no connection (A8)`, async () => {
    const changes = isFull ? 100 : 20
    const pauseMs = isFull ? 600 : 150
    const options = { connect: kSinkVip, port: 443, connections: 16, path: '/bytes/1000' }
    const seconds = (changes * pauseMs) / 1_000 + 3
    const kept = runLoad(network.client, 'requests', { ...options, seconds })
    const fresh = runLoad(network.client, 'handshakes', { ...options, connections: 4, seconds })
    const shapes = [[1, 1, 1], [1, 2], [1, 1, 1, 1, 1], [5, 0, 1], [0, 1, 1]] // prettier-ignore
    const algorithms = ['least-sessions', 'round-robin', 'two-choices', 'consistent-hash'] as const
    for (let index = 0; index < changes; index += 1) {
      const weights = shapes[(index + 1) % shapes.length] ?? [] // the first differs from what runs
      const algorithm = algorithms[index % algorithms.length] ?? 'round-robin'
      const made = await appliance.reload(services({ sinks: sinkService(weights, { balance: { algorithm } }) }))
      expect(made).toHaveLength(1)
      await sleep(pauseMs)
    }
    const [one, other] = await Promise.all([kept, fresh])
    expect(one.failures, one.failure).toBe(0)
    expect(one.requests).toBeGreaterThan(100)
    expect(other.failures, other.failure).toBe(0)
    await appliance.reload(services())
  })

  it('an address that another station has is refused, and everything stays as it was', async () => {
    const taken = '198.51.100.77'
    await network.client.output(['ip', 'addr', 'add', `${taken}/24`, 'dev', 'c0'])
    const wrong = { ...shop('v4'), listen: { address: taken, port: 443 } }
    await expect(appliance.reload(services({ wrong }))).rejects.toThrow(
      /198\.51\.100\.77: station .* has this address already/,
    )
    expect(await page(kVip.v4)).toContain('hello')
    await network.client.output(['ip', 'addr', 'del', `${taken}/24`, 'dev', 'c0'])
    await appliance.reload(services())
  })

  it('when the appliance stops, its addresses are gone; after SIGKILL they have a lifetime', async () => {
    await appliance.stop()
    expect(await network.appliance.output(['ip', 'addr', 'show', 'dev', 'wan'])).not.toContain(kVip.v4)
    appliance = await Appliance.start(network, { port, services: services() })
    await appliance.stop('SIGKILL')
    expect(await network.appliance.output(['ip', 'addr', 'show', 'dev', 'wan'])).toMatch(
      /198\.51\.100\.100\/32.*\n\s+valid_lft (2\d|30)sec/,
    )
    appliance = await Appliance.start(network, { port, services: services() }) // takes over what was left
    expect(await page(kVip.v4)).toContain('hello')
  })
})
