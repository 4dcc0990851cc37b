// On the server's own host: the appliance runs beside the server it serves, in one network stack, at the host's own address. The set-up
// is that of docs/server-host.md, taken from the page itself.
//
//   client ── wan [ cutwater ] tls0 ~veth~ tls1 ── the host's stack ── 198.51.100.1:80 Node, :8081 sink
//                                                  (all of it one namespace)
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool, startSink } from '../../bench/e2e/load-tool.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { Capture } from '../support/capture.js'
import { kClients } from '../support/clients.js'
import { kFamilies, kPorts } from '../support/lab.js'
import { programFile } from '../support/servers.js'
import { expectTransferTo } from '../support/transfer.js'
import { trustForTests, type Trust } from '../support/trust.js'

const kServices = { pages: [443, 80], transfers: [9443, 8081] } as const

/** The shell lines of the page, for these ports in place of the page's one. */
function setUpOf(page: string): string {
  const script = /```sh\n(ip link add[^]*?)```/.exec(
    readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8'),
  )?.[1]
  if (script === undefined) throw new Error(`docs/${page} has no set-up`)
  return script.replaceAll(/^.*sport 80 .*\n/gm, (line) =>
    Object.values(kServices)
      .map(([, port]) => line.replace('sport 80', `sport ${port}`))
      .join(''),
  )
}

describe.each(kPorts)('on the server’s own host, over %s (H11)', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    await network.appliance.output(['sh', '-e'], { input: setUpOf('server-host.md') })
    const node = network.appliance.start([process.execPath, programFile('backend.mjs'), '80'])
    await node.until((stdout) => stdout.includes('ready'))
    await startSink(network.appliance, 8081, { hash: true })
    const services = Object.fromEntries(
      Object.entries(kServices).flatMap(([name, [listen, serverPort]]) =>
        kFamilies.map((family) => {
          const address = kAddresses.wan[family]
          return [
            `${name}-${family}`,
            {
              mode: 'direct' as const,
              listen: { address, port: listen },
              servers: [{ address, port: serverPort }],
              tls: { certificates: [trust.server.ecdsa] },
            },
          ]
        }),
      ),
    )
    const interfaces = { wan: { device: 'wan', port }, lan: { device: 'tls0', port } }
    appliance = await Appliance.start(network, { port, services, more: { interfaces } })
  })
  afterAll(() => network.close())

  describe.each(kFamilies)('%s', (family) => {
    const address = kAddresses.wan[family]

    it('a page; the server sees the client’s address, and nothing clear is on the client’s cable', async () => {
      const capture = await Capture.start(network, network.client, 'c0', 'tcp')
      const request = { host: network.client, trust, address, port: 443, path: '/own-host', version: '1.3' as const }
      const grown = await growth(appliance, async () => {
        const { body } = await kClients['curl']!(request)
        expect(JSON.parse(body)).toMatchObject({ path: '/own-host', client: kAddresses.client[family] })
      })
      expect(grown['flows_established']).toBe(1)
      const segments = await capture.stop()
      expect(segments.length).toBeGreaterThan(10)
      expect(segments.filter(({ payload }) => payload.includes('own-host'))).toEqual([])
    })

    it.each(['down', 'up'] as const)('8 transfers %s at once, byte for byte (I6)', (direction) =>
      expectTransferTo(network.client, { address, port: 9443 }, { direction, connections: 8, bytes: 2_000_000 }),
    )

    it('the clear port cannot be reached from outside, and from the host itself it can', async () => {
      const url = `http://${address.includes(':') ? `[${address}]` : address}:80/clear`
      const outside = await network.client.run(['curl', '-sS', '--max-time', '3', url])
      expect(outside.code).not.toBe(0)
      expect(await network.appliance.output(['curl', '-sS', '--max-time', '3', url])).toContain('/clear')
    })
  })
})
