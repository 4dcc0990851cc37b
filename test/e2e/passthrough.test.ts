// What is not opened: plain TCP in mode balance and proxy, TLS that the servers end themselves, and its way to servers of the other
// IP version.
//
//   curl, s_client, node ── wan [ cutwater ] lan ── nginx at .11, .12 (80; 81 wants a PROXY header; 443 its own TLS)
//                                                   greeter at .10 (2525), sink at .10 (8081)
//     balance  198.51.100.100, 2001:db8:c::100      proxy  198.51.100.101, 2001:db8:c::101
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool, startSink } from '../../bench/e2e/load-tool.js'
import type { ServiceInput } from '../../src/config/schema.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { startBalancedNginx, type BalancedNginx } from '../support/balanced-nginx.js'
import { kFamilies, kPorts, type Family } from '../support/lab.js'
import { loseOneInAHundred } from '../support/loss.js'
import { startGreeter } from '../support/servers.js'
import { expectTransferTo } from '../support/transfer.js'
import { kOtherName, kServerName, trustForTests, type Trust } from '../support/trust.js'

const kModes = ['balance', 'proxy'] as const
const kVip = {
  balance: { v4: '198.51.100.100', v6: '2001:db8:c::100' },
  proxy: { v4: '198.51.100.101', v6: '2001:db8:c::101' },
} as const
const kPool = { v4: '203.0.113.200', v6: '2001:db8:5::200' } as const
const kNames = ['a', 'b'] as const
const serverAt = (index: number, family: Family): string =>
  `${family === 'v4' ? '203.0.113.' : '2001:db8:5::'}${11 + index}`
const other = (family: Family): Family => (family === 'v4' ? 'v6' : 'v4')
/** Listen ports. */
const kWeb = 80
const kIntroduced = 81
const kTls = 443
const kTlsRouted = 444
const kMail = 25
const kBulk = 9000
const kMixed = 8443
const kMixedIntroduced = 8081
const kMixedTcp = 8082

describe.each(kPorts)('what passes untouched over %s', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance
  let nginx: BalancedNginx[]

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    nginx = []
    for (const [index, name] of kNames.entries()) {
      const addresses = kFamilies.map((family) => serverAt(index, family))
      await network.server.output(['ip', 'addr', 'add', `${addresses[0]}/24`, 'dev', 's0'])
      await network.server.output(['ip', 'addr', 'add', `${addresses[1]}/64`, 'dev', 's0', 'nodad'])
      nginx.push(await startBalancedNginx(network, name, addresses, trust.server.ecdsa))
    }
    await startGreeter(network, 2525)
    await startSink(network.server, 8081, { hash: true })
    appliance = await Appliance.start(network, { port, services: services() })
  })
  afterAll(() => network.close())

  function services(): Record<string, ServiceInput> {
    const all: Record<string, ServiceInput> = {}
    for (const family of kFamilies) {
      const web = (serverPort: number, of: Family = family): ServiceInput['servers'] =>
        kNames.map((name, index) => ({ name, address: serverAt(index, of), port: serverPort }))
      const one = (serverPort: number): ServiceInput['servers'] => [
        { address: kAddresses.server[family], port: serverPort },
      ]
      const introduced = (of: Family) => ({ pool: [kPool[of]], proxyProtocol: 'v2' as const })
      for (const mode of kModes) {
        const tcp = (listenPort: number, servers: ServiceInput['servers']): ServiceInput => ({
          mode,
          protocol: 'tcp',
          listen: { address: kVip[mode][family], port: listenPort },
          servers,
        })
        all[`web-${mode}-${family}`] = tcp(kWeb, web(80))
        all[`introduced-${mode}-${family}`] = { ...tcp(kIntroduced, web(81)), balance: introduced(family) }
        all[`mail-${mode}-${family}`] = tcp(kMail, one(2525))
        all[`bulk-${mode}-${family}`] = tcp(kBulk, one(8081))
      }
      const listen = (listenPort: number) => ({ address: kVip.proxy[family], port: listenPort })
      const tls = { certificates: [trust.server.ecdsa] }
      all[`tls-${family}`] = { mode: 'proxy', protocol: 'tls-passthrough', listen: listen(kTls), servers: web(443) }
      all[`tls-routed-${family}`] = {
        mode: 'proxy',
        protocol: 'tls-passthrough',
        listen: listen(kTlsRouted),
        servers: web(443),
        routes: [
          { match: { sni: kOtherName }, servers: ['b'] },
          { match: { sni: '*.test' }, servers: ['a'] },
        ],
      }
      const mixed = { mode: 'proxy' as const, balance: introduced(other(family)) }
      all[`mixed-${family}`] = { ...mixed, listen: listen(kMixed), servers: web(81, other(family)), tls }
      all[`mixed-tcp-${family}`] = {
        ...mixed,
        protocol: 'tcp',
        listen: listen(kMixedIntroduced),
        servers: web(81, other(family)),
      }
      all[`mixed-bulk-${family}`] = {
        mode: 'proxy',
        protocol: 'tcp',
        listen: listen(kMixedTcp),
        servers: [{ address: kAddresses.server[other(family)], port: 8081 }],
        balance: { pool: [kPool[other(family)]] },
      }
    }
    return all
  }

  const hostOf = (address: string) => (address.includes(':') ? `[${address}]` : address)
  const page = (address: string, tcpPort: number, path = '/hello'): Promise<string> =>
    network.client.output(['curl', '-sS', '--max-time', '15', `http://${hostOf(address)}:${tcpPort}${path}`])
  const securePage = (
    address: string,
    tlsPort: number,
    more: readonly string[],
    path = '/hello',
    name = kServerName,
  ): Promise<string> =>
    network.client.output([
      'curl', '-sS', '--max-time', '15', '--cacert', trust.authority.certificate, ...more,
      '--resolve', `${name}:${tlsPort}:${hostOf(address)}`, `https://${name}:${tlsPort}${path}`,
    ]) // prettier-ignore

  describe.each(kModes)('plain TCP in mode %s', (mode) => {
    describe.each(kFamilies)('%s', (family) => {
      const address = kVip[mode][family]

      it(`pages come from every server, which see the client’s address; counted (${mode === 'balance' ? 'A8' : 'A9'})`, async () => {
        const grown = await growth(appliance, async () => {
          const seen = new Set<string>()
          for (let index = 0; index < 4; index += 1) seen.add(await page(address, kWeb))
          expect([...seen].sort()).toEqual(['hello from a\n', 'hello from b\n'])
        })
        for (const one of nginx) expect(one.accessLog().at(-1)).toMatchObject({ client: kAddresses.client[family] })
        expect(grown).toMatchObject({ flows_passed: 4, passed_up_packets: expect.any(Number) as number })
        expect(grown['flows_established']).toBeUndefined()
        expect(grown['passed_down_bytes']).toBeGreaterThan(400)
      })

      it('from a pool with a PROXY header in front of the client’s first byte', async () => {
        expect(await page(address, kIntroduced, '/x')).toBe(`from ${kPool[family]} for ${kAddresses.client[family]}\n`)
      })

      it('a server may speak first, and each end may end first', async () => {
        const script = `
          const socket = require('node:net').connect({ port: ${kMail}, host: '${address}', allowHalfOpen: true })
          let heard = ''
          socket.on('data', (data) => { heard += data; if (heard === '220 hello\\r\\n') socket.end('last words') })
          socket.on('end', () => console.log(JSON.stringify(heard)))
          socket.on('error', (error) => console.log(String(error)))`
        const grown = await growth(appliance, async () => {
          const said = await network.client.output([process.execPath, '-e', script], { timeoutMs: 15_000 })
          expect(said.trim()).toBe(JSON.stringify('220 hello\r\nlast words'))
        })
        expect(grown['flows_closed']).toBeGreaterThanOrEqual(1) // flows of the test before may linger
      })

      it.each(['down', 'up'] as const)('8 transfers %s at once, byte for byte (I6)', (direction) =>
        expectTransferTo(
          network.client,
          { address, port: kBulk, plain: true },
          { direction, connections: 8, bytes: 1_000_000 },
        ),
      )
    })
  })

  describe.each(kFamilies)('TLS that servers end themselves, %s', (family) => {
    const address = kVip.proxy[family]

    it.each([
      ['TLS 1.3 and h2', ['--tlsv1.3', '--http2']],
      ['TLS 1.2', ['--tls-max', '1.2']],
    ])('curl checks the server’s own certificate: %s', async (_, more) => {
      const grown = await growth(appliance, async () => {
        expect(await securePage(address, kTls, more)).toMatch(/hello from [ab]\n/)
      })
      expect(grown).toMatchObject({ flows_passed: 1, connects_sent: 1, cookies_taken: 1 })
      expect(grown['flows_established']).toBeUndefined()
      expect(nginx.some((one) => one.accessLog().at(-1)?.client === kAddresses.client[family])).toBe(true)
    })

    it('s_client resumes its session at the server', async () => {
      const session = network.file(`session-${family}`)
      const client = (...more: string[]) =>
        network.client.output(
          ['openssl', 's_client', '-connect', `${hostOf(address)}:${kTls}`, '-servername', kServerName, '-tls1_2', '-CAfile', trust.authority.certificate, ...more],
          { input: `GET /hello HTTP/1.0\r\n\r\n` },
        ) // prettier-ignore
      await appliance.admit('drain', `tls-${family}`, 'b') // each server has its own ticket keys
      expect(await client('-sess_out', session)).toContain('New, TLSv1.2')
      expect(await client('-sess_in', session)).toContain('Reused, TLSv1.2')
      await appliance.admit('enable', `tls-${family}`, 'b')
    })

    it('servers are chosen by the name in the hello; a name that no route has is refused (A10)', async () => {
      for (let index = 0; index < 3; index += 1) {
        expect(await securePage(address, kTlsRouted, [])).toBe('hello from a\n')
        expect(await securePage(address, kTlsRouted, ['-k'], '/hello', kOtherName)).toBe('hello from b\n')
      }
      const grown = await growth(appliance, async () => {
        const refused = securePage(address, kTlsRouted, ['-k'], '/hello', 'elsewhere.example')
        await expect(refused).rejects.toThrow(/unrecognized name|alert/)
      })
      expect(grown['reset_no_route']).toBe(1)
      expect(grown['connects_sent']).toBeUndefined()
    })

    it('what is no hello is refused with an alert, and no server hears of it', async () => {
      const grown = await growth(appliance, async () => {
        const { code } = await network.client.run([
          'curl',
          '-sS',
          '--max-time',
          '5',
          `http://${hostOf(address)}:${kTls}/`,
        ])
        expect(code).not.toBe(0)
      })
      expect(grown['handshake_plain_http']).toBe(1)
      expect(grown['connects_sent']).toBeUndefined()
    })
  })

  describe.each(kFamilies)('%s clients and servers of the other version', (family) => {
    const address = kVip.proxy[family]
    const pool = kPool[other(family)]

    it('TLS that ends here: the server learns of the client by the PROXY header (A9)', async () => {
      expect(await securePage(address, kMixed, [], '/x')).toBe(`from ${pool} for ${kAddresses.client[family]}\n`)
    })

    it('plain TCP, too', async () => {
      expect(await page(address, kMixedIntroduced, '/x')).toBe(`from ${pool} for ${kAddresses.client[family]}\n`)
    })

    it.each(['down', 'up'] as const)('8 transfers %s at once, byte for byte (I6)', (direction) =>
      expectTransferTo(
        network.client,
        { address, port: kMixedTcp, plain: true },
        { direction, connections: 8, bytes: 1_000_000 },
      ),
    )
  })

  // Last: the hosts lose packets from here on.
  describe('over lines that lose one packet in a hundred', () => {
    beforeAll(() => Promise.all([network.client, network.server].map(loseOneInAHundred)))

    it.each(kModes.flatMap((mode) => (['down', 'up'] as const).map((direction) => [mode, direction] as const)))(
      'mode %s: 4 transfers %s, byte for byte (I6)',
      (mode, direction) =>
        expectTransferTo(
          network.client,
          { address: kVip[mode].v4, port: kBulk, plain: true },
          { direction, connections: 4, bytes: 500_000 },
        ),
    )

    it.each(kModes)('mode %s: no PROXY header is lost for good', async (mode) => {
      const urls = Array.from({ length: 30 }, (_, index) => `http://${kVip[mode].v4}:${kIntroduced}/${index}`)
      const said = await network.client.output(
        ['curl', '-sS', '--parallel', '--parallel-max', '20', '--max-time', '60', '-H', 'Connection: close', ...urls],
        { timeoutMs: 90_000 },
      )
      expect(said).toBe(`from ${kPool.v4} for ${kAddresses.client.v4}\n`.repeat(30))
    })
  })
})
