// A flood of SYNs from a million addresses, as fast as one core of the client sends them up to kMost, and honest clients beside it.
//
//   cutwater-load syns (raw packets) ─┬─ wan [ cutwater ] lan ── sink :8081
//   cutwater-load hold (honest)      ─┘    proxy:   203.0.113.10:9443, 2001:db8:5::10:9443
//                                          balance: 198.51.100.100:9443
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool, kManyFiles, loadArguments, startSink } from '../../bench/e2e/load-tool.js'
import type { Mode, ServiceInput } from '../../src/config/schema.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { memoryBytes, processTree } from '../../src/demo/process-memory.js'
import { Appliance, growth } from '../support/appliance.js'
import { kPorts } from '../support/lab.js'
import { trustForTests, type Trust } from '../support/trust.js'

const isFull = process.env['CUTWATER_FULL'] === '1'
const kFloodSeconds = isFull ? 30 : 3 // at least
const kMost = 500_000 // a second: at a million the cable itself loses half of all packets, the honest ones too
const kPatience = Math.max(kFloodSeconds, 60) // of honest clients: it loses some in any flood, and TCP sends them again
const kHonest = isFull ? 2_000 : 200
const kHalfOpen = 8_192
const kPort = 9443
const kSinkPort = 8081
const kVip = '198.51.100.100'

interface HoldLine {
  readonly established: number
  readonly failed: number
  readonly failure: string
}

describe.each(kPorts)('a flood of SYNs over %s', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    await startSink(network.server, kSinkPort)
    const { v4, v6 } = kAddresses.server
    const services = {
      'proxy-v4': service('proxy', v4, v4),
      'proxy-v6': service('proxy', v6, v6),
      balance: service('balance', kVip, v4),
    }
    appliance = await Appliance.start(network, { port, services, more: { maxHalfOpen: kHalfOpen } })
    await connectThroughFlood(kAddresses.server.v4, { seconds: 1 }) // what the first packets cost once is not the price of a flood
  })
  afterAll(() => network.close())

  function service(mode: Mode, address: string, server: string): ServiceInput {
    return {
      mode,
      listen: { address, port: kPort },
      servers: [{ address: server, port: kSinkPort }],
      timeouts: { handshake: `${kPatience}s` },
      tls: { certificates: [trust.server.ecdsa] },
    }
  }

  /** Honest clients connect through the flood, which ends when they have: how many of `kHonest` stood in time, and what the flood came to. */
  async function connectThroughFlood(
    address: string,
    { seconds = kFloodSeconds, patience = seconds }: { seconds?: number; patience?: number } = {},
  ): Promise<{ line: HoldLine; perSecond: number; syns: number }> {
    const mac = (await network.appliance.output(['cat', '/sys/class/net/wan/address'])).trim()
    const target = { connect: address, port: kPort }
    await network.client.output(['ping', '-c1', '-W2', address]) // the way is known
    const flood = network.client.start(
      loadArguments('syns', { ...target, device: 'c0', mac, seconds: Math.max(seconds, patience) + 1, most: kMost }),
    )
    const enough = setTimeout(seconds * 1_000)
    const held = network.client.start([
      ...kManyFiles,
      ...loadArguments('hold', { ...target, connections: kHonest, seconds: patience }),
    ])
    const line = await held.until((stdout) => stdout.split('\n').find((text) => text.includes('"held"')), 120_000)
    await enough
    const { stdout } = await flood.stop()
    held.endInput()
    await held.ended
    return { line: JSON.parse(line) as HoldLine, ...(JSON.parse(stdout) as { perSecond: number; syns: number }) }
  }

  it.each([
    ['IPv4', kAddresses.server.v4],
    ['IPv6', kAddresses.server.v6],
  ])('costs a proxy service no memory, and honest clients over %s connect (A9)', async (_, address) => {
    const pids = processTree(appliance.ready.pid)
    const before = memoryBytes(pids)
    let most = before
    const watch = setInterval(() => (most = Math.max(most, memoryBytes(pids))), 250)
    let result: Awaited<ReturnType<typeof connectThroughFlood>> | undefined
    const grown = await growth(appliance, async () => {
      result = await connectThroughFlood(address, { patience: kPatience })
    })
    clearInterval(watch)
    const { line, perSecond, syns } = result!
    console.log(
      `${port}, proxy, ${address}: ${syns} SYNs at ${perSecond}/s, ${grown['syns_answered']} answered; honest ` +
        `${line.established} of ${kHonest}; memory +${((most - before) / 1024).toFixed(0)} kB`,
    )
    expect(syns).toBeGreaterThan(50_000)
    expect(grown['syns_answered']).toBeGreaterThan(kHonest)
    expect(line.established, line.failure).toBeGreaterThanOrEqual(kHonest * 0.99)
    // No SYN of millions made a flow: there are the honest ones alone, and those of the time before whose hello comes late.
    expect(grown['flows_opened']).toBeLessThan(kHonest * 2)
    expect(grown['connects_sent']).toBeLessThanOrEqual(kHonest * 2)
    expect(most - before).toBeLessThan(4 * 1024 * 1024)
    expect(await appliance.counter('half_open_live')).toBe(0)
  })

  it('fills the half-open table of a balanced service and no more; what stood before stands (A8)', async () => {
    const held = network.client.start([
      ...kManyFiles,
      ...loadArguments('hold', { connect: kVip, port: kPort, connections: 50, seconds: 20, path: '/bytes/100' }),
    ])
    await held.until((stdout) => stdout.includes('"held"'), 30_000)
    await connectThroughFlood(kVip, { seconds: 1 })
    const pids = processTree(appliance.ready.pid)
    const before = memoryBytes(pids)
    let result: Awaited<ReturnType<typeof connectThroughFlood>> | undefined
    const grown = await growth(appliance, async () => {
      result = await connectThroughFlood(kVip)
    })
    const more = memoryBytes(pids) - before
    const { line, perSecond, syns } = result!
    console.log(
      `${port}, balance: ${syns} SYNs at ${perSecond}/s, ${grown['flows_opened']} passed on, ${grown['reset_half_open_reaped']} gave ` +
        `way; honest ${line.established} of ${kHonest}; memory +${(more / 1024).toFixed(0)} kB`,
    )
    expect(await appliance.counter('half_open_live')).toBeLessThanOrEqual(kHalfOpen)
    expect(more).toBeLessThan(kHalfOpen * 1024) // places of the table that were never touched before; a flood makes a million clients
    held.write('check\n')
    const checked = await held.until((stdout) => stdout.split('\n').find((text) => text.includes('"checked"')), 60_000)
    expect(JSON.parse(checked)).toMatchObject({ answered: 50, failed: 0 })
    held.endInput()
    await held.ended
  })
})
