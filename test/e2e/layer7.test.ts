// Layer 7: requests of one connection go to several servers, one at a time; what is no sound HTTP/1.1 goes to none.
//
//   client ── TLS ── wan [ cutwater ] lan ── clear ── 203.0.113.10 :80 nginx (/static)   :8082 b (/b)   :8083 c (everything else)   :8085 HTTP/2
//     198.51.100.100:443 and [2001:db8:c::100]:443  shop: routes by path, header, cookie; X-Forwarded-For and -Proto
//     198.51.100.100:8443                           names: routes by SNI and ALPN, no request is read
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildLoadTool } from '../../bench/e2e/load-tool.js'
import type { ServiceInput } from '../../src/config/schema.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { Appliance, growth } from '../support/appliance.js'
import { Capture, resentFrom } from '../support/capture.js'
import { kFamilies, kPorts, type Family } from '../support/lab.js'
import { programFile, startNginx, startNodeServer, type Nginx } from '../support/servers.js'
import { kServerName, trustForTests, type Trust } from '../support/trust.js'

const isFull = process.env['CUTWATER_FULL'] === '1'
const kRequests = isFull ? 10_000 : 1_500
const kVip = { v4: '198.51.100.100', v6: '2001:db8:c::100' } as const

interface Step {
  readonly send?: string
  readonly expect?: number
  readonly isHead?: boolean
  readonly bytes?: number
  readonly end?: boolean
  readonly pause?: number
  readonly mix?: number
  readonly prefixes?: readonly string[]
}
interface Talk {
  readonly received: Buffer
  readonly ended: boolean
  readonly error?: string
  readonly mixed: Readonly<Record<string, number>>
}
/** What the echo server says of a request. */
interface Seen {
  readonly server: string
  readonly method: string
  readonly url: string
  readonly headers: readonly string[]
  readonly bytes: number
  readonly sha256: string
}

// What is read, and where it goes, does not depend on the port.
describe.each(isFull ? kPorts : (['xsk'] as const))('layer 7 over %s', (port) => {
  let network: Network
  let trust: Trust
  let appliance: Appliance
  let nginx: Nginx
  const echoes = new Map<string, RunningProcess>()

  beforeAll(async () => {
    ;[network, trust] = await Promise.all([Network.create(), trustForTests(), buildLoadTool()])
    mkdirSync(network.file('files/static'), { recursive: true })
    for (let page = 0; page < 7; page += 1)
      writeFileSync(network.file(`files/static/page-${page}.txt`), Buffer.alloc(1_000 * page + 1, `page ${page} `))
    nginx = await startNginx(network)
    await startEcho('b', 8082)
    await startEcho('c', 8083)
    await startEcho('d', 8084)
    await startNodeServer(network, 8085)
    appliance = await Appliance.start(network, {
      port,
      services: { 'shop-v4': shop('v4'), 'shop-v6': shop('v6'), names: names() },
    })
  })
  afterAll(() => network.close())

  async function startEcho(name: string, serverPort: number): Promise<void> {
    const argv = [
      process.execPath,
      programFile('echo-server.mjs'),
      name,
      '::',
      String(serverPort),
      network.file(`${name}.log`),
    ]
    const running = network.server.start(argv)
    await running.until((stdout) => stdout.includes('ready'))
    echoes.set(name, running)
  }

  function serversOf(family: Family): ServiceInput['servers'] {
    const address = kAddresses.server[family]
    return [
      { name: 'a', address, port: 80 },
      { name: 'b', address, port: 8082 },
      { name: 'c', address, port: 8083 },
      { name: 'd', address, port: 8084 },
      { name: 'nobody', address, port: 6080 },
    ]
  }
  function shop(family: Family): ServiceInput {
    return {
      mode: 'proxy',
      listen: { address: kVip[family], port: 443 },
      servers: serversOf(family),
      routes: [
        { match: { path: '/static' }, servers: ['a'] },
        { match: { header: { name: 'X-To', value: 'b' } }, servers: ['b'] },
        { match: { cookie: { name: 'to', value: 'b' }, method: ['GET'] }, servers: ['b'] },
        { match: { path: '/b' }, servers: ['b'] },
        { match: { path: '/d' }, servers: ['d'] },
        { match: { path: '/nobody' }, servers: ['nobody'] },
        { match: { path: '/c' }, servers: ['c'] },
      ],
      http: { forwarded: true, maxHead: 4096 },
      tls: { certificates: [trust.server.ecdsa], protocols: ['h2', 'http/1.1'] },
    }
  }
  function names(): ServiceInput {
    return {
      mode: 'proxy',
      listen: { address: kVip.v4, port: 8443 },
      servers: [
        ...serversOf('v4').filter(({ name }) => name === 'b' || name === 'c' || name === 'd'),
        { name: 'h2', address: kAddresses.server.v4, port: 8085 },
      ],
      routes: [
        { match: { sni: kServerName, alpn: 'http/1.1' }, servers: ['b'] },
        { match: { alpn: 'h2' }, servers: ['h2'] },
        { match: { sni: kServerName }, servers: ['c'] },
        { servers: ['d'] },
      ],
      tls: { certificates: [trust.server.ecdsa], protocols: ['h2', 'http/1.1'] },
    }
  }

  async function talk(steps: readonly Step[], more: object = {}): Promise<Talk> {
    const options = { address: kVip.v4, port: 443, name: kServerName, ca: trust.authority.certificate, steps, ...more }
    const stdout = await network.client.output([
      process.execPath,
      programFile('http-client.mjs'),
      JSON.stringify(options),
    ])
    const { received, ...rest } = JSON.parse(stdout) as Omit<Talk, 'received'> & { received: string }
    return { ...rest, received: Buffer.from(received, 'base64') }
  }
  const send = (text: string): { send: string } => ({ send: Buffer.from(text, 'latin1').toString('base64') })
  const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: ${kServerName}\r\n${more}\r\n`

  async function ask(text: string): Promise<Seen> {
    const { received, error } = await talk([{ ...send(text), expect: 1 }])
    expect(error).toBeUndefined()
    expect(received.toString()).toMatch(/^HTTP\/1\.1 200/)
    return JSON.parse(received.subarray(received.indexOf('\r\n\r\n') + 4).toString()) as Seen
  }

  it.each(kFamilies)(
    `${kRequests} requests of one connection reach three servers by path, bodies and answers byte for byte (A10, %s)`,
    async (family) => {
      const requests = family === 'v4' ? kRequests : 300
      const grown = await growth(appliance, async () => {
        const mix = { mix: requests, prefixes: ['/static', '/b', '/c'] }
        const { error, mixed } = await talk([mix], { address: kVip[family] })
        expect(error).toBeUndefined()
        expect(Object.keys(mixed).sort()).toEqual(['/b', '/c', '/static'])
      })
      expect(grown).toMatchObject({ requests_passed: requests, requests_switched: requests - 1, flows_established: 1 })
      expect(grown['connects_sent']).toBe(3) // one to each: the others' connections were kept
      expect(nginx.accessLog().at(-1)).toMatchObject({
        client: kAddresses.client[family],
        requests: Math.ceil(requests / 3),
      })
    },
    120_000,
  )

  it('requests of many connections at once, packets captured: no byte was sent twice with another content (I3, I6)', async () => {
    const capture = await Capture.start(network, network.client, 'c0', 'tcp port 443')
    const talks = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        talk([{ mix: 60, prefixes: ['/b', '/static', '/c'] }], index % 2 === 0 ? {} : { version: 'TLSv1.2' }),
      ),
    )
    for (const { error } of talks) expect(error).toBeUndefined()
    expect(resentFrom(await capture.stop(), 443).contradictions).toEqual([])
  })

  it('pipelined requests to three servers are answered in order', async () => {
    const paths = ['/b/1', '/c/2', '/static/page-1.txt', '/b/3', '/b/4', '/c/5']
    const { received, error } = await talk([{ ...send(paths.map((path) => get(path)).join('')), expect: paths.length }])
    expect(error).toBeUndefined()
    const seen = [...received.toString().matchAll(/"url":"([^"]+)"|\r\n\r\n(page 1)/g)].map(
      ([, url, page]) => url ?? page,
    )
    expect(seen).toEqual(['/b/1', '/c/2', 'page 1', '/b/3', '/b/4', '/c/5'])
  })

  it('routes by header, cookie and method; what no route fits is refused with 404', async () => {
    expect((await ask(get('/c', 'X-To: b\r\n'))).server).toBe('b')
    expect((await ask(get('/c', 'Cookie: x=y; to=b\r\n'))).server).toBe('b')
    expect((await ask(get('/c').replace('GET', 'DELETE').replace('\r\n\r\n', '\r\nCookie: to=b\r\n\r\n'))).server).toBe(
      'c',
    )
    const grown = await growth(appliance, async () => {
      const { received, ended } = await talk([{ ...send(get('/elsewhere')), end: true }])
      expect(received.toString()).toMatch(/^HTTP\/1\.1 404 /)
      expect(ended).toBe(true)
    })
    expect(grown['reset_no_route']).toBe(1)
    expect(grown['requests_passed']).toBeUndefined()
  })

  it('the server is told of the client, and what the client says there is taken out', async () => {
    const { headers } = await ask(
      get('/c', 'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: http\r\nForwarded: for=6.6.6.6\r\n'),
    )
    expect(headers).toEqual([
      'Host',
      kServerName,
      'X-Forwarded-For',
      kAddresses.client.v4,
      'X-Forwarded-Proto',
      'https',
    ])
  })

  it('100-continue: the client waits for the server’s word, and then sends', async () => {
    const body = 'x'.repeat(5_000)
    const head = `POST /c HTTP/1.1\r\nHost: ${kServerName}\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n`
    const { received, error } = await talk([
      { ...send(head), bytes: 25 },
      { ...send(body), expect: 1 },
    ])
    expect(error).toBeUndefined()
    expect(received.toString()).toContain(createHash('sha256').update(body).digest('hex'))
  })

  it('an upgraded connection is a tunnel to its server, and both ways run', async () => {
    const head = get('/b', 'Connection: Upgrade\r\nUpgrade: echo\r\n')
    const said = 'GET /c HTTP/1.1\r\nnot a request\0 any more'
    const { received } = await talk([
      { ...send(head), expect: 1, isHead: true },
      { ...send(said), bytes: said.length },
    ])
    expect(received.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /)
    expect(received.toString('latin1').endsWith(said)).toBe(true)
  })

  it('a download runs in cut-through here, too: at least 95 of 100 packets (A11)', async () => {
    const bytes = 20_000_000
    const grown = await growth(appliance, async () => {
      const stdout = await network.client.output([
        'curl', '-sS', '--http1.1', '--max-time', '60', '--cacert', trust.authority.certificate, '-o', '/dev/null', '-w', '%{size_download} %{http_code}',
        '--resolve', `${kServerName}:443:${kVip.v4}`, `https://${kServerName}/b/bytes/${bytes}`,
      ]) // prettier-ignore
      expect(stdout).toBe(`${bytes} 200`)
    })
    const through = grown['cut_through_down_packets'] ?? 0
    const other = (grown['held_down_packets'] ?? 0) + (grown['custody_up_packets'] ?? 0)
    expect(through).toBeGreaterThan(10_000)
    expect(through / (through + other)).toBeGreaterThan(0.95)
  })

  const kHead = `POST /b HTTP/1.1\r\nHost: ${kServerName}\r\n`
  it.each<[string, string, string, string]>([
    [
      'length and chunks',
      `${kHead}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`,
      'length_and_coding',
      '400',
    ],
    ['two lengths', `${kHead}Content-Length: 6\r\nContent-Length: 5\r\n\r\nhello!`, 'bad_length', '400'],
    ['a coding nobody else reads', `${kHead}Transfer-Encoding: xchunked\r\n\r\n`, 'bad_coding', '400'],
    ['space before the colon', `${kHead}Transfer-Encoding : chunked\r\n\r\n`, 'bad_field', '400'],
    ['a folded header', `${kHead}X: a\r\n Content-Length: 5\r\n\r\n`, 'folded', '400'],
    ['a bare LF', `${kHead}X: a\nContent-Length: 5\r\n\r\n`, 'bare_line_end', '400'],
    ['a bare CR', `${kHead}X: a\rContent-Length: 5\r\n\r\n`, 'bare_line_end', '400'],
    ['NUL', `${kHead}X: a\0b\r\n\r\n`, 'bare_line_end', '400'],
    ['two hosts', `${kHead}Host: other\r\n\r\n`, 'host_repeated', '400'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 'host_missing', '400'],
    [
      'a chunk size that is none',
      `${kHead}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`,
      'bad_chunk',
      '400',
    ],
    ['a target that is none', `GET /a b HTTP/1.1\r\nHost: ${kServerName}\r\n\r\n`, 'bad_target', '400'],
    ['HTTP/2 without ALPN', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'bad_line', '400'],
    ['a head without end', `${kHead}X: ${'a'.repeat(5_000)}`, 'head_too_long', '431'],
  ])('refused, and behind a good request as well: %s (A10)', async (_, text, reason, status) => {
    const grown = await growth(appliance, async () => {
      const { received, ended } = await talk([
        { ...send(get('/c/good')), expect: 1 },
        { ...send(text), end: true },
      ])
      expect(received.toString()).toMatch(new RegExp(`^HTTP/1\\.1 200 [^]*HTTP/1\\.1 ${status} [^]*\r\n\r\n$`))
      expect(ended).toBe(true)
    })
    expect(grown[`request_${reason}`]).toBe(1)
    expect(grown['reset_bad_request']).toBe(1)
    const reached = readFileSync(network.file('b.log'), 'utf8').trim().split('\n').slice(-1)[0] ?? ''
    expect(reached).not.toContain('"bytes":6')
  })

  describe('servers that fail', () => {
    it('one that ends without a word: 502, and the connection ends cleanly', async () => {
      const grown = await growth(appliance, async () => {
        const { received, ended } = await talk([{ ...send(get('/c/die')), end: true }])
        expect(received.toString()).toMatch(/^HTTP\/1\.1 502 /)
        expect(ended).toBe(true)
      })
      expect(grown['reset_server_lost']).toBe(1)
    })

    it('one whose answer could be read in two ways: 502, and not a byte of it', async () => {
      const grown = await growth(appliance, async () => {
        const { received } = await talk([{ ...send(get('/c/bad')), end: true }])
        expect(received.toString()).toMatch(/^HTTP\/1\.1 502 [^]*\r\n\r\n$/)
      })
      expect(grown['reset_bad_response']).toBe(1)
    })

    it('one that ends in the middle of an answer: the client gets what came, and the end', async () => {
      const { received, ended } = await talk([{ ...send(get('/c/half')), end: true }])
      expect(received.toString()).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nx{50}$/)
      expect(ended).toBe(true)
    })

    it('one that says "close" closes', async () => {
      const { received, ended } = await talk([{ ...send(get('/c/last')), expect: 1 }, { end: true }])
      expect(received.toString()).toContain('"url":"/c/last"')
      expect(ended).toBe(true)
    })

    it('one that is not there: 502', async () => {
      const { received } = await talk([
        { ...send(get('/c/1')), expect: 1 },
        { ...send(get('/nobody')), end: true },
      ])
      expect(received.toString()).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 502 /)
    })

    it('one that went between two requests is called again, and the client does not notice', async () => {
      const steps = [{ ...send(get('/d/1')), expect: 1 }, { ...send(get('/c/2')), expect: 1 }, { pause: 2_500 }]
      const talking = talk([...steps, { ...send(get('/d/3')), expect: 1 }])
      await expect
        .poll(async () => (await appliance.flows()).find((flow) => flow.requests === 2 && flow.parked === 1), {
          timeout: 5_000,
        })
        .toBeDefined()
      await echoes.get('d')!.stop('SIGKILL')
      await startEcho('d', 8084)
      const { received, error } = await talking
      expect(error).toBeUndefined()
      expect([...received.toString().matchAll(/"url":"([^"]+)"/g)].map(([, url]) => url)).toEqual([
        '/d/1',
        '/c/2',
        '/d/3',
      ])
    })
  })

  it('a connection is seen with its requests, its server and the state of each direction', async () => {
    const talking = talk([{ ...send(get('/b/1')), expect: 1 }, { ...send(get('/c/2')), expect: 1 }, { pause: 1_500 }])
    await expect
      .poll(async () => (await appliance.flows()).find((flow) => flow.requests === 2), { timeout: 5_000 })
      .toMatchObject({ server: `${kAddresses.server.v4}:8083`, parked: 1, up: 'cut-through', down: 'cut-through' })
    await talking
  })

  it('names and protocols decide for whole connections', async () => {
    const to = async (more: object): Promise<string> => {
      const { received } = await talk([{ ...send(get('/x')), expect: 1 }], { port: 8443, ...more })
      return /"server":"(\w)"/.exec(received.toString())?.[1] ?? 'none'
    }
    expect(await to({ alpn: 'http/1.1' })).toBe('b')
    expect(await to({})).toBe('c')
  })

  it('an HTTP/2 connection goes whole to the server its protocol names: 200 requests, 20 at once, all of one connection (A10)', async () => {
    const grown = await growth(appliance, async () => {
      const stdout = await network.client.output([
        'curl', '-sS', '--http2', '--parallel', '--parallel-max', '20', '--max-time', '30', '--cacert', trust.authority.certificate,
        '--resolve', `${kServerName}:8443:${kVip.v4}`, `https://${kServerName}:8443/page-[1-200]`,
      ]) // prettier-ignore
      const seen = [...stdout.matchAll(/"path":"([^"]+)","protocol":"2.0","client":"([^"]+)"/g)]
      expect(new Set(seen.map(([, path]) => path)).size).toBe(200)
      expect(new Set(seen.map(([, , client]) => client))).toEqual(new Set([kAddresses.client.v4]))
    })
    expect(grown).toMatchObject({ flows_established: 1, connects_sent: 1 })
    expect(grown['requests_passed'] ?? 0).toBe(0) // none of them was read
  })

  it('with one packet in a hundred lost on both sides, every byte arrives, and none is sealed twice in another way (I3, I6)', async () => {
    const drop = (hook: string): string =>
      `chain ${hook} { type filter hook ${hook} priority 0\n meta l4proto tcp numgen random mod 100 < 1 drop\n }\n`
    const hosts = [network.client, network.server]
    for (const host of hosts)
      await host.output(['nft', '-f', '-'], {
        input: `table inet loss {\n${drop('prerouting')}${drop('postrouting')}}\n`,
      })
    const capture = await Capture.start(network, network.client, 'c0', 'tcp port 443')
    const grown = await growth(appliance, async () => {
      const mix = { mix: 90, prefixes: ['/b', '/static', '/c'] }
      for (const { error } of await Promise.all(Array.from({ length: 4 }, () => talk([mix]))))
        expect(error).toBeUndefined()
    })
    const resent = resentFrom(await capture.stop(), 443)
    for (const host of hosts) await host.output(['nft', 'delete', 'table', 'inet', 'loss'])
    expect(resent.bytes).toBeGreaterThan(0)
    expect(resent.contradictions).toEqual([])
    expect(grown).toMatchObject({ requests_passed: 360 })
    expect(grown['reset_plaintext_changed'] ?? 0).toBe(0)
  }, 60_000)

  it('nothing is left when all have gone', async () => {
    await expect.poll(() => appliance.counter('flows_live'), { timeout: 20_000 }).toBe(0)
    expect((await appliance.servers()).map(({ sessions }) => sessions)).toEqual(
      (await appliance.servers()).map(() => 0),
    )
  })
})
