// Clients that know nothing but RSA key exchange, where a service serves them: answered from a template, and nobody works for them
// before their secret is there.
//
//   s_client, curl, gnutls-cli ── TLS 1.2, RSA key exchange ── wan [ cutwater, direct mode ] lan ── clear ── nginx :80
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addManyClients } from '../../bench/flood/flood.js'
import { kManyFiles, loadArguments } from '../../bench/e2e/load-tool.js'
import { kAddresses } from '../../src/demo/network.js'
import { memoryBytes, processTree } from '../../src/demo/process-memory.js'
import { growth, kHasStandIn } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import { kServerName, trustForTests } from '../support/trust.js'
import type { Trust } from '../support/trust.js'

const kRequest = `GET /hello HTTP/1.1\r\nHost: ${kServerName}\r\nConnection: close\r\n\r\n`
const kSuite = 'AES128-GCM-SHA256'
const kMaxHalfOpen = 16_384

const legacy = (trust: Trust) => ({ certificates: [trust.server.rsa], legacyRsaKeyExchange: true })

async function sClient(lab: Lab, service: 'shop' | 'node', args: readonly string[]): Promise<string> {
  const { address, port } = lab.target(service)
  const argv = [
    'openssl', 's_client', '-connect', `${address}:${port}`, '-CAfile', lab.trust.authority.certificate, '-verify_return_error',
    '-servername', kServerName, '-tls1_2', '-cipher', kSuite, '-ign_eof',
  ] // prettier-ignore
  const { stdout, stderr } = await lab.network.client.run([...argv, ...args], { input: kRequest })
  return stdout + stderr
}

async function curl(lab: Lab, service: 'shop' | 'node', args: readonly string[] = []): Promise<string> {
  const { address, port } = lab.target(service)
  return lab.network.client.output([
    'curl', '-sS', '--http1.1', '--max-time', '15', '--cacert', lab.trust.authority.certificate, '--tlsv1.2', '--tls-max', '1.2',
    '--ciphers', kSuite, '--resolve', `${kServerName}:${port}:${address}`, `https://${kServerName}:${port}/hello`, ...args,
  ]) // prettier-ignore
}

async function gnutls(lab: Lab, service: 'shop' | 'node'): Promise<string> {
  const { address, port } = lab.target(service)
  const running = lab.network.client.start([
    'gnutls-cli', '--x509cafile', lab.trust.authority.certificate, '--sni-hostname', kServerName, '--verify-hostname', kServerName,
    '--priority', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:-CIPHER-ALL:+AES-128-GCM', '-p', String(port), address,
  ]) // prettier-ignore
  try {
    running.write(kRequest)
    return await running.until((stdout) => stdout.includes('Peer has closed') && stdout, 30_000)
  } finally {
    await running.stop()
  }
}

const kDeferred = { hellos_deferred: 1, replies_handed_over: 1, tls12_established: 1 }

describe.skipIf(kHasStandIn).each([...kPorts.map((port) => [port, 'thread'] as const), ['packet', 'process'] as const])(
  'RSA key exchange over %s, processors in a %s',
  (port, place) => {
    let lab: Lab
    beforeAll(async () => {
      const trust = await trustForTests()
      lab = await Lab.create({
        port,
        services: {
          shop: { tls: legacy(trust) },
          node: { tls: { ...legacy(trust), clientAuth: 'required', clientCa: trust.clientAuthority.certificate } },
        },
        more: { secure: { place } },
      })
    })
    afterAll(() => lab.close())

    it('s_client (H3, H4, H5)', async () => {
      const grown = await growth(lab.appliance, async () => {
        const said = await sClient(lab, 'shop', [])
        expect(said).toContain('hello from nginx')
        expect(said).toContain(`Cipher is ${kSuite}`)
      })
      expect(grown).toMatchObject(kDeferred)
    })

    it('curl (H3, H4, H5)', async () => {
      const grown = await growth(lab.appliance, async () => {
        expect(await curl(lab, 'shop')).toContain('hello from nginx')
      })
      expect(grown).toMatchObject(kDeferred)
    })

    it('gnutls-cli (H3, H4, H5)', async () => {
      const grown = await growth(lab.appliance, async () => {
        expect(await gnutls(lab, 'shop')).toContain('hello from nginx')
      })
      expect(grown).toMatchObject(kDeferred)
    })

    it.each([
      ['by its ID', ['-no_ticket']],
      ['by ticket', []],
    ] as const)('a session of a deferred handshake is taken up %s (H5, H6)', async (name, args) => {
      const file = lab.network.file(`session-${name.replaceAll(' ', '-')}`)
      expect(await sClient(lab, 'shop', [...args, '-sess_out', file])).toContain('New, TLSv1.2')
      const grown = await growth(lab.appliance, async () => {
        const said = await sClient(lab, 'shop', [...args, '-sess_in', file])
        expect(said).toContain('Reused, TLSv1.2')
        expect(said).toContain('hello from nginx')
      })
      expect(grown).toMatchObject({ flows_resumed: 1 })
      expect(grown['hellos_deferred'] ?? 0).toBe(0)
    })

    it('a client shows its certificate (A5, H3)', async () => {
      const { certificate, key } = lab.trust.client
      const grown = await growth(lab.appliance, async () => {
        expect(await curl(lab, 'node', ['--cert', certificate, '--key', key])).not.toBe('')
      })
      expect(grown).toMatchObject(kDeferred)
    })

    it('a client without one is refused by the processor, with its reply (H3, H4)', async () => {
      const grown = await growth(lab.appliance, async () => {
        expect(await sClient(lab, 'node', [])).toContain('alert handshake failure')
      })
      expect(grown).toMatchObject({
        hellos_deferred: 1,
        replies_handed_over: 1,
        handshake_client_certificate_missing: 1,
      })
    })

    it('a client that does not trust the certificate says so, and nobody ever worked for it (H4)', async () => {
      const { address, port: at } = lab.target('shop')
      const argv = ['curl', '-sS', '--tls-max', '1.2', '--ciphers', kSuite, `https://${address}:${at}/hello`]
      const grown = await growth(lab.appliance, async () => {
        expect((await lab.network.client.run(argv)).code).not.toBe(0)
      })
      expect(grown).toMatchObject({ hellos_deferred: 1, handshake_client_alert: 1 })
      expect(grown['replies_handed_over'] ?? 0).toBe(0)
    })
  },
)

describe.skipIf(kHasStandIn || process.getuid?.() !== 0)(
  'a flood of hellos with RSA key exchange that never continue',
  () => {
    let lab: Lab
    beforeAll(async () => {
      const trust = await trustForTests()
      lab = await Lab.create({
        port: 'xsk',
        services: { transfers: { mode: 'proxy', tls: legacy(trust) } },
        more: { maxHalfOpen: kMaxHalfOpen },
      })
      await addManyClients(lab.network)
    })
    afterAll(() => lab.close())

    it('finds memory at its cap, the processors idle, and leaves others their handshakes (H3, H4, H8)', async () => {
      const { address, port } = lab.target('transfers')
      const { client } = lab.network
      const options = {
      connect: address, port, 'bind-range': '10.64.0.0/12', device: 'c0', gateway: kAddresses.wan.v4, rate: 10_000, seconds: 8,
      tls: '1.2', suite: kSuite,
    } // prettier-ignore
      const pids = processTree(lab.appliance.ready.pid)
      const flooding = client.start([...kManyFiles, ...loadArguments('flood', options)])
      await flooding.until((stdout) => stdout.includes('ready'))
      const until = async (name: string, least: number): Promise<void> => {
        while (((await lab.appliance.counters()).get(name) ?? 0) < least)
          await new Promise((done) => setTimeout(done, 100))
      }
      await until('hellos_deferred', 12_000)
      const third = memoryBytes(pids)
      await until('hellos_deferred', 25_000)
      const counted = await lab.appliance.counters()
      expect(counted.get('replies_handed_over') ?? 0).toBe(0)
      expect(counted.get('tls12_established') ?? 0).toBe(0)
      expect(counted.get('reset_half_open_reaped')).toBeGreaterThan(0)
      expect(counted.get('half_open_live')).toBeLessThanOrEqual(kMaxHalfOpen)
      expect(memoryBytes(pids) - third).toBeLessThan(64 * 2 ** 20)
      const argv = [
      'curl', '-sS', '--retry', '5', '--retry-all-errors', '--max-time', '60', '-k', '--tls-max', '1.2', '--ciphers', kSuite, '-o', '/dev/null',
      '-w', '%{http_code}', `https://${address}:${port}/bytes/1000`,
    ] // prettier-ignore
      expect(await client.output(argv)).toBe('200')
      await flooding.stop()
    })
  },
)
