// TLS to the servers: proxy mode in front of nginx that ends TLS itself.
//
//   clients ── TLS ── wan [ cutwater ] lan ── TLS ── nginx :443 TLS 1.3, :444 TLS 1.2, :445 wants a certificate, :446 an expired
//                                                     one, :447 h2
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ServiceInput } from '../../src/config/schema.js'
import { makeCertificate } from '../../src/demo/certificates.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { Capture } from '../support/capture.js'
import { kFamilies, kPorts, type Family } from '../support/lab.js'
import { loseOneInAHundred } from '../support/loss.js'
import { startTlsNginx, type TlsNginx } from '../support/tls-nginx.js'
import { kOtherName, kServerName, trustForTests, type Trust } from '../support/trust.js'
import { type Wiring, withQueues } from '../support/wiring.js'

const kBytes = 20_000_000
/** Listen ports of the services, and what each leads to. */
const kServices = {
  tls13: 8001,
  tls12: 8002,
  known: 8003,
  unknown: 8004,
  wrongIssuer: 8005,
  wrongName: 8006,
  byAddress: 8007,
  expired: 8008,
  secondChance: 8009,
  requests: 8010,
  unverified: 8011,
  h2: 8012,
} as const
type Name = keyof typeof kServices

interface Bench {
  readonly network: Network
  readonly trust: Trust
  readonly nginx: TlsNginx
  readonly appliance: Appliance
}

async function open(port: 'xsk' | 'packet', more?: Record<string, unknown>, wiring?: Wiring): Promise<Bench> {
  const [network, trust] = await Promise.all([Network.create(), trustForTests()])
  await wiring?.(network)
  const expired = await makeCertificate(network.folder, trust.authority, {
    file: 'expired',
    name: kServerName,
    validity: 'expired',
  })
  const nginx = await startTlsNginx(network, [
    { port: 443, pair: trust.server.ecdsa, versions: 'TLSv1.3' },
    { port: 444, pair: trust.server.rsa, versions: 'TLSv1.2' },
    { port: 445, pair: trust.server.ecdsa, versions: 'TLSv1.2 TLSv1.3', clientAuthority: trust.clientAuthority },
    { port: 446, pair: expired, versions: 'TLSv1.3' },
    { port: 447, pair: trust.server.ed25519, versions: 'TLSv1.3', http2: true },
  ])
  writeFileSync(nginx.file('big'), randomBytes(kBytes))
  const services = Object.fromEntries(kFamilies.flatMap((family) => servicesFor(family, trust)))
  const appliance = await Appliance.start(network, { port, services, ...(more === undefined ? {} : { more }) })
  return { network, trust, nginx, appliance }
}

function servicesFor(family: Family, trust: Trust): [string, ServiceInput][] {
  const address = kAddresses.server[family]
  const good = { ca: trust.authority.certificate, name: kServerName }
  const { certificate, key } = trust.client
  const to = (
    name: Name,
    ports: readonly number[],
    serverTls: ServiceInput['serverTls'],
    more = {},
  ): [string, ServiceInput] => [
    `${name}-${family}`,
    {
      mode: 'proxy',
      listen: { address, port: kServices[name] },
      servers: ports.map((serverPort) => ({ name: `s${serverPort}`, address, port: serverPort })),
      tls: { certificates: [trust.server.ecdsa] },
      serverTls,
      ...more,
    },
  ]
  return [
    to('tls13', [443], good),
    to('tls12', [444], { ...good, versions: ['1.2'] }),
    to('known', [445], { ...good, certificate, key }),
    to('unknown', [445], { ...good, versions: ['1.2'] }),
    to('wrongIssuer', [443], { ...good, ca: trust.clientAuthority.certificate }),
    to('wrongName', [443], { ...good, name: kOtherName }),
    to('byAddress', [443], { ...good, name: address }),
    to('expired', [446], good),
    to('secondChance', [446, 443], good, { balance: { algorithm: 'round-robin', failures: 0 } }),
    to('requests', [443, 444], good, {
      routes: [{ match: { path: '/hello' }, servers: ['s443'] }, { servers: ['s444'] }],
    }),
    to('unverified', [446], { verify: 'none' }),
    to('h2', [447], good, { tls: { certificates: [trust.server.ecdsa], protocols: ['h2'] } }),
  ]
}

function curl({ network, trust }: Bench, family: Family, name: Name, path: string, more: readonly string[] = []) {
  const port = kServices[name]
  const address = kAddresses.server[family]
  return network.client.run([
    'curl', '-sS', '--http1.1', '--max-time', '60', '--cacert', trust.authority.certificate, ...more,
    '--resolve', `${kServerName}:${port}:${family === 'v6' ? `[${address}]` : address}`, `https://${kServerName}:${port}${path}`,
  ], { timeoutMs: 70_000 }) // prettier-ignore
}

async function fetched(bench: Bench, family: Family, name: Name, path: string, more: readonly string[] = []) {
  const { code, stdout, stderr } = await curl(bench, family, name, path, more)
  if (code !== 0) throw new Error(`curl: ${code} ${stderr}`)
  return stdout
}

const digestOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

async function expectBigFile(bench: Bench, family: Family, name: Name, direction: 'down' | 'up') {
  const mine = bench.network.file(`mine-${name}-${family}-${direction}`)
  if (direction === 'down') {
    await fetched(bench, family, name, '/big', ['-o', mine])
    expect(digestOf(mine)).toBe(digestOf(bench.nginx.file('big')))
  } else {
    writeFileSync(mine, randomBytes(kBytes))
    const put = `put-${name}-${family}`
    expect(await fetched(bench, family, name, `/${put}`, ['-T', mine, '-w', '%{http_code}', '-o', '/dev/null'])).toBe(
      '201',
    )
    expect(digestOf(bench.nginx.file(put))).toBe(digestOf(mine))
  }
}

describe.each(kPorts)('TLS to servers over %s', (port) => {
  let bench: Bench
  beforeAll(async () => {
    bench = await open(port)
  })
  afterAll(() => bench.network.close())

  describe.each(kFamilies)('%s', (family) => {
    it.each([
      ['tls13', 'TLSv1.3', kServerName],
      ['tls12', 'TLSv1.2', kServerName],
      ['byAddress', 'TLSv1.3', '-'],
    ] as const)(
      '%s: a page, over %s; the server sees the client, and the name that it must have (A9)',
      async (name, version, sni) => {
        const grown = await growth(bench.appliance, async () => {
          expect(await fetched(bench, family, name, '/hello')).toMatch(/^hello from 44[34]\n$/)
        })
        expect(grown).toMatchObject({ flows_established: 1, connects_sent: 1, server_tls_established: 1 })
        const seen = bench.nginx.log().at(-1)?.split(' ') ?? []
        expect([seen[1], seen[3], seen[4]]).toEqual([version, sni, kAddresses.client[family]])
      },
    )

    it('nothing but TLS is on the servers’ wire', async () => {
      const capture = await Capture.start(bench.network, bench.network.server, 's0', 'tcp port 443')
      expect(await fetched(bench, family, 'tls13', '/hello')).toBe('hello from 443\n')
      const segments = (await capture.stop()).filter(({ payload }) => payload.length > 0)
      expect(segments.length).toBeGreaterThan(4)
      const text = Buffer.concat(segments.map(({ payload }) => payload)).toString('latin1')
      expect(text).not.toMatch(/hello from|GET \/hello|HTTP\/1/)
      for (const way of [
        segments.filter((one) => one.toPort === 443),
        segments.filter((one) => one.fromPort === 443),
      ]) {
        expect(recordTypes(Buffer.concat(way.map(({ payload }) => payload)))).toMatch(
          /^(22|20|23|21)( (22|20|23|21))*$/,
        )
      }
    })

    it.each(['tls13', 'tls12'] as const)('%s: 20 MB down and up, byte for byte (I6)', async (name) => {
      await expectBigFile(bench, family, name, 'down')
      await expectBigFile(bench, family, name, 'up')
    })

    it.each([
      ['wrongIssuer', 'handshake_server_untrusted'],
      ['wrongName', 'handshake_server_wrong_name'],
      ['expired', 'handshake_server_expired'],
    ] as const)('%s: the client gets an alert, the server nothing; counted as %s', async (name, counter) => {
      const before = bench.nginx.log().length
      const grown = await growth(bench.appliance, async () => {
        const { code, stderr } = await curl(bench, family, name, '/hello')
        expect(code).not.toBe(0)
        expect(stderr).toMatch(/internal error/)
      })
      expect(grown).toMatchObject({ [counter]: 1, reset_server_tls_failed: 1 })
      expect(
        bench.nginx
          .log()
          .slice(before)
          .filter((line) => line.includes('/hello')),
      ).toEqual([])
    })

    it('a server that asks for a certificate gets ours (A9)', async () => {
      expect(await fetched(bench, family, 'known', '/who')).toBe('CN=client.example\n')
    })

    it('one that gets none says so itself, as it would say it to anybody', async () => {
      expect(await fetched(bench, family, 'unknown', '/who')).toContain('No required SSL certificate was sent')
    })

    it('the next server is asked when the first cannot be believed', async () => {
      for (let i = 0; i < 4; i += 1)
        expect(await fetched(bench, family, 'secondChance', '/hello')).toBe('hello from 443\n')
    })

    it('without verification an expired certificate will do', async () => {
      expect(await fetched(bench, family, 'unverified', '/hello')).toBe('hello from 446\n')
    })

    it('HTTP/2 by ALPN to a server that speaks it', async () => {
      const said = await fetched(bench, family, 'h2', '/hello', ['--http2', '-w', '%{http_version}'])
      expect(said).toBe('hello from 447\n2')
    })

    it('requests of one connection go to two servers in TLS and back (A10)', async () => {
      const { network, trust } = bench
      const address = kAddresses.server[family]
      const url = `https://${kServerName}:${kServices.requests}`
      const grown = await growth(bench.appliance, async () => {
        const said = await network.client.output([
          'curl', '-sS', '--http1.1', '--max-time', '30', '--cacert', trust.authority.certificate,
          '--resolve', `${kServerName}:${kServices.requests}:${family === 'v6' ? `[${address}]` : address}`,
          ...Array.from({ length: 6 }, (_, i) => [`${url}/hello`, `${url}/who?${i}`]).flat(),
        ]) // prettier-ignore
        expect(said).toBe('hello from 443\n\n'.repeat(6))
      })
      expect(grown).toMatchObject({ flows_established: 1, requests_passed: 12, server_tls_established: 2 })
    })

    it('`flows` tells what is spoken with the server', async () => {
      const client = bench.network.client.start([
        'openssl', 's_client', '-quiet', '-connect', `${family === 'v6' ? `[${kAddresses.server.v6}]` : kAddresses.server.v4}:${kServices.tls12}`,
        '-CAfile', bench.trust.authority.certificate,
      ]) // prettier-ignore
      try {
        client.write('GET /hello HTTP/1.1\r\nHost: x\r\n\r\n')
        await client.until((stdout) => stdout.includes('hello from 444'))
        const flows = await bench.appliance.flows()
        expect(flows.find((flow) => flow.service === `tls12-${family}` && flow.state === 'established')).toMatchObject({
          version: 'TLS 1.3',
          serverVersion: 'TLS 1.2',
        })
      } finally {
        await client.stop()
      }
    })
  })

  it('16 downloads at once', async () => {
    await Promise.all(
      Array.from({ length: 16 }, async (_, i) => {
        const mine = bench.network.file(`many-${i}`)
        await fetched(bench, 'v4', i % 2 === 0 ? 'tls13' : 'tls12', '/big', ['-o', mine, '-r', '0-999999'])
        expect(readFileSync(mine).equals(readFileSync(bench.nginx.file('big')).subarray(0, 1_000_000))).toBe(true)
      }),
    )
  })
})

describe('TLS to servers over a network that loses packets', () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await open('packet')
    await loseOneInAHundred(bench.network.client)
    await loseOneInAHundred(bench.network.server)
  })
  afterAll(() => bench.network.close())

  it.each(['down', 'up'] as const)('20 MB %s, byte for byte (I6)', (direction) =>
    expectBigFile(bench, 'v4', 'tls13', direction),
  )
})

describe('TLS to servers with processors in a process, two workers', () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await open('xsk', { secure: { place: 'process' }, workers: 2 }, withQueues(2))
  })
  afterAll(() => bench.network.close())

  it('serves, with our certificate where it is asked for; each worker has both flows of its clients (H4)', async () => {
    const grown = await growth(bench.appliance, async () => {
      for (let i = 0; i < 8; i += 1) {
        expect(await fetched(bench, 'v4', 'tls13', '/hello')).toBe('hello from 443\n')
        expect(await fetched(bench, 'v6', 'known', '/who')).toBe('CN=client.example\n')
      }
    })
    expect(grown).toMatchObject({ server_tls_established: 16 })
    expect(grown['packets_handed_over']).toBeGreaterThan(0)
    expect((await curl(bench, 'v4', 'wrongName', '/hello')).code).not.toBe(0)
  })
})

/** The content types of a stream of records; anything else: what is wrong. */
function recordTypes(stream: Buffer): string {
  const types: number[] = []
  let at = 0
  while (at + 5 <= stream.length) {
    types.push(stream[at] ?? -1)
    at += 5 + stream.readUInt16BE(at + 3)
  }
  return at === stream.length ? types.join(' ') : `cut at ${at} of ${stream.length}`
}
