// What is on the wire, captured outside the appliance on both sides; and what is not in the appliance's kernel.
//
//   client ── c0 (tcpdump: TLS records, nothing else) ── wan [ cutwater ] lan ── s0 (tcpdump: clear HTTP) ── server
//                                             no TCP socket in this namespace
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { kAddresses } from '../../src/demo/network.js'
import { kHasStandIn } from '../support/appliance.js'
import { Capture, recordsOf, streamFrom } from '../support/capture.js'
import type { Segment } from '../support/capture.js'
import { kClients } from '../support/clients.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import type { Family } from '../support/lab.js'
import { patternOf } from '../support/pattern.js'

interface Both {
  readonly clientSide: readonly Segment[]
  readonly serverSide: readonly Segment[]
}

describe.each(kPorts)('the wire over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { shop: {}, transfers: {} } })
  })
  afterAll(() => lab.close())

  async function capturing(action: () => Promise<unknown>): Promise<Both> {
    const client = await Capture.start(lab.network, lab.network.client, 'c0')
    const server = await Capture.start(lab.network, lab.network.server, 's0')
    await action()
    return { clientSide: await client.stop(), serverSide: await server.stop() }
  }

  function fetchPage(family: Family, version: '1.2' | '1.3'): Promise<unknown> {
    return kClients['curl']!({
      host: lab.network.client,
      trust: lab.trust,
      ...lab.target('shop', family),
      path: '/hello',
      version,
    })
  }

  function clientPort(segments: readonly Segment[], to: number): number {
    return segments.find((segment) => segment.toPort === to && segment.flags === 'S')!.fromPort
  }

  describe.each(kFamilies)('%s', (family) => {
    it.each(['1.3', '1.2'] as const)(
      'TLS records on the client side, clear HTTP on the server side (A1, A2, TLS %s)',
      async (version) => {
        const { clientSide, serverSide } = await capturing(() => fetchPage(family, version))
        const from = clientPort(clientSide, 443)
        const up = recordsOf(streamFrom(clientSide, from, 443))
        const down = recordsOf(streamFrom(clientSide, 443, from))
        expect(up[0]?.type).toBe(22)
        expect(down[0]?.type).toBe(22)
        expect(down.some((record) => record.type === 23)).toBe(true)
        expect(Buffer.concat(clientSide.map((segment) => segment.payload)).includes('HTTP/1.1')).toBe(false)
        if (kHasStandIn) return
        expect(streamFrom(serverSide, from, 80).toString()).toMatch(/^GET \/hello HTTP\/1\.1\r\n/)
        expect(streamFrom(serverSide, 80, from).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*hello from nginx/)
      },
    )

    it('addresses and the client port are the same on both sides, the server port alone is not (A3, A7)', async () => {
      const { clientSide, serverSide } = await capturing(() => fetchPage(family, '1.3'))
      const from = clientPort(clientSide, 443)
      const [clientAddress, serverAddress] = [kAddresses.client[family], kAddresses.server[family]]
      for (const segment of serverSide) {
        const ends = [`${segment.from} ${segment.fromPort}`, `${segment.to} ${segment.toPort}`].sort()
        expect(ends).toEqual([`${clientAddress} ${from}`, `${serverAddress} 80`].sort())
      }
      const synOf = (segments: readonly Segment[], to: number): Segment =>
        segments.find((one) => one.toPort === to && one.flags === 'S')!
      expect(synOf(serverSide, 80).seq).toBe(synOf(clientSide, 443).seq) // one TCP connection, negotiated through the device
    })
  })

  it('the MSS is reduced towards the server so that a full segment and its record fit into one packet (A4)', async () => {
    const bytes = 300_000
    const target = lab.target('transfers')
    const { clientSide, serverSide } = await capturing(() =>
      runLoad(lab.network.client, 'bulk', {
        connect: target.address,
        port: target.port,
        bytes,
        connections: 1,
        path: `/bytes/${bytes}`,
      }),
    )
    const mssOf = (segment: Segment): number => {
      for (let at = 0; at < segment.options.length;) {
        const kind = segment.options[at]!
        if (kind === 2) return segment.options.readUInt16BE(at + 2)
        at += kind === 1 ? 1 : segment.options[at + 1]!
      }
      return Number.NaN
    }
    const from = clientPort(clientSide, target.port)
    expect(mssOf(clientSide.find((segment) => segment.flags === 'S')!)).toBe(1460)
    expect(mssOf(serverSide.find((segment) => segment.flags === 'S')!)).toBeLessThanOrEqual(1460 - 22)
    // Every packet that carries application data to the client starts with a record and holds whole ones.
    const data = clientSide.filter((segment) => segment.fromPort === target.port && segment.payload[0] === 23)
    expect(data.length).toBeGreaterThan(200)
    for (const { payload } of data)
      expect(recordsOf(payload).reduce((sum, record) => sum + 5 + record.bytes, 0)).toBe(payload.length)
    expect(streamFrom(serverSide, 8081, from).subarray(-bytes).equals(patternOf(bytes))).toBe(true)
  })

  it('opens no TCP socket in the appliance, by the kernel’s own count (A1)', async () => {
    const { appliance } = lab.network
    const kernelView = async (): Promise<Record<string, number>> => {
      const [sockets, counters] = await Promise.all([
        appliance.output(['cat', '/proc/net/sockstat', '/proc/net/sockstat6']),
        appliance.output(['cat', '/proc/net/snmp']),
      ])
      const [names, values] = counters
        .split('\n')
        .filter((line) => line.startsWith('Tcp:'))
        .map((line) => line.split(' '))
      const tcp = Object.fromEntries(names!.map((name, index) => [name, Number(values![index])]))
      const inUse = [...sockets.matchAll(/^TCP6?: inuse (\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
      return {
        inUse,
        active: tcp['ActiveOpens']!,
        passive: tcp['PassiveOpens']!,
        inSegs: tcp['InSegs']!,
        outSegs: tcp['OutSegs']!,
      }
    }
    const target = lab.target('transfers')
    const run = runLoad(lab.network.client, 'bulk', {
      connect: target.address,
      port: target.port,
      bytes: 3_000_000,
      connections: 16,
      path: '/bytes/3000000',
      seconds: 30,
    })
    const during = kernelView()
    expect(await run).toMatchObject({ failures: 0, done: 16 })
    for (const view of [await during, await kernelView()]) {
      expect(view).toEqual({ inUse: 0, active: 0, passive: 0, inSegs: 0, outSegs: 0 })
    }
    const listed = await appliance.output(['sh', '-c', 'tail -q -n +2 /proc/net/tcp /proc/net/tcp6'])
    expect(listed).toBe('')
  })
})
