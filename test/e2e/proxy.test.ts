// Proxy mode: the appliance answers clients itself, and calls a server when TLS is up.
//
//   clients ── TLS ── wan [ cutwater ] lan ── clear ── nginx :80, Node :8080, the sink :8081
//                        443 shop  : proxy, with servers that refuse or are silent in front of the good one
//                       8443 node  : proxy, h2
//                       9443 transfers : proxy
//                       7443 odd   : direct, at the same time
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kAddresses } from '../../src/demo/network.js'
import { growth } from '../support/appliance.js'
import { kClients } from '../support/clients.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import { kServerName } from '../support/trust.js'
import { expectTransfer } from '../support/transfer.js'

/** One download that tells how much of it is cut-through. */
const kDownloadBytes = process.env['CUTWATER_FULL'] === '1' ? 100_000_000 : 20_000_000

describe.each(kPorts)('proxy mode over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({
      port,
      services: {
        shop: { mode: 'proxy' },
        node: { mode: 'proxy', tls: { protocols: ['h2', 'http/1.1'] } },
        transfers: { mode: 'proxy' },
        absent: { mode: 'proxy' },
        odd: {},
      },
    })
  })
  afterAll(() => lab.close())

  describe.each(kFamilies)('%s', (family) => {
    it.each(Object.keys(kClients))(
      '%s fetches a page over TLS 1.3 and 1.2; the server sees the client (A9)',
      async (name) => {
        for (const version of ['1.3', '1.2'] as const) {
          const seen = lab.nginx.accessLog().length
          const request = {
            host: lab.network.client,
            trust: lab.trust,
            ...lab.target('shop', family),
            path: '/hello',
            version,
          }
          expect((await kClients[name]!(request)).body).toContain('hello from nginx')
          expect(lab.nginx.accessLog().slice(seen)).toContainEqual(
            expect.objectContaining({ client: kAddresses.client[family], request: 'GET /hello HTTP/1.1', status: 200 }),
          )
        }
      },
    )

    it('the device answers the SYN, then calls the server itself', async () => {
      const request = {
        host: lab.network.client,
        trust: lab.trust,
        ...lab.target('shop', family),
        path: '/hello',
        version: '1.3' as const,
      }
      const grown = await growth(lab.appliance, () => kClients['curl']!(request))
      expect(grown).toMatchObject({ syns_answered: 1, cookies_taken: 1, connects_sent: 1, flows_established: 1 })
    })

    it('HTTP/2 by ALPN, many big answers at once', async () => {
      const { address, port: tlsPort } = lab.target('node', family)
      const url = `https://${kServerName}:${tlsPort}/bytes/1000000`
      const stdout = await lab.network.client.output([
        'curl', '-sS', '--http2', '--parallel', '--max-time', '30', '--cacert', lab.trust.authority.certificate,
        '--resolve', `${kServerName}:${tlsPort}:${family === 'v6' ? `[${address}]` : address}`, '-w', '%{http_version} %{size_download}\n',
        ...Array.from({ length: 8 }, () => ['-o', '/dev/null', url]).flat(),
      ]) // prettier-ignore
      expect(stdout).toBe('2 1000000\n'.repeat(8))
    })

    it.each(['down', 'up'] as const)('32 transfers %s at once, byte for byte (I6)', (direction) =>
      expectTransfer(lab, { direction, family, connections: 32, bytes: 2_000_000 }),
    )

    it('a download runs in cut-through: at least 95 of 100 packets (A11)', async () => {
      const grown = await growth(lab.appliance, () =>
        expectTransfer(lab, { direction: 'down', family, connections: 1, bytes: kDownloadBytes }),
      )
      const through = (grown['cut_through_down_packets'] ?? 0) + (grown['cut_through_up_packets'] ?? 0)
      const other = (grown['held_down_packets'] ?? 0) + (grown['custody_up_packets'] ?? 0)
      expect(through).toBeGreaterThan(10_000)
      console.log(
        `${port}, ${family}: ${through} packets of ${through + other} cut-through, ${((100 * through) / (through + other)).toFixed(2)} %`,
      )
      expect(through / (through + other)).toBeGreaterThan(0.95)
    })

    it('a server that refuses: the client gets an alert, not a clean end; counted', async () => {
      const { address, port: tlsPort } = lab.target('absent', family)
      const grown = await growth(lab.appliance, async () => {
        const result = await lab.network.client.run([
          'curl', '-sS', '--http1.1', '--max-time', '10', '--cacert', lab.trust.authority.certificate,
          '--resolve', `${kServerName}:${tlsPort}:${family === 'v6' ? `[${address}]` : address}`, `https://${kServerName}:${tlsPort}/`,
        ]) // prettier-ignore
        expect(result.code).not.toBe(0)
        expect(result.stderr).toMatch(/alert internal error|internal error/)
      })
      expect(grown['reset_server_refused']).toBe(1)
    })
  })
})
