// Every client is answered with a HelloRetryRequest first (hello.retry: always), and rules about hellos.
//
//   curl, s_client,
//   tstclnt, Node, Python, Chromium ── TLS ── wan [ cutwater, direct mode ] lan ── clear ── nginx :80
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { growth } from '../support/appliance.js'
import { fetchByGo, kClients } from '../support/clients.js'
import { Lab, kFamilies } from '../support/lab.js'
import { kServerName } from '../support/trust.js'

const kRequest = `GET /hello HTTP/1.1\r\nHost: ${kServerName}\r\nConnection: close\r\n\r\n`

describe('hello.retry: always', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({
      port: 'xsk',
      services: {
        shop: { hello: { retry: 'always' } },
        node: {
          hello: {
            rules: [
              { source: '198.51.100.0/24', name: 'allowed.example', action: 'allow' },
              { name: '*.example', action: 'limit', perSecond: 1, burst: 2 },
            ],
          },
        },
      },
    })
  })
  afterAll(() => lab.close())

  const sClient = async (service: 'shop' | 'node', args: readonly string[]): Promise<string> => {
    const { address, port } = lab.target(service)
    const argv = ['openssl', 's_client', '-connect', `${address}:${port}`, '-CAfile', lab.trust.authority.certificate]
    const { stdout, stderr } = await lab.network.client.run([...argv, ...args], { input: kRequest })
    return stdout + stderr
  }

  describe.each(kFamilies)('%s', (family) => {
    it.each(Object.entries(kClients))('%s by TLS 1.3 (H3)', async (_, client) => {
      const { host, trust } = { host: lab.network.client, trust: lab.trust }
      const target = lab.target('shop', family)
      const fetch = () => client({ host, trust, ...target, path: '/hello', version: '1.3' })
      const grown = await growth(lab.appliance, async () => expect((await fetch()).body).toContain('hello from nginx'))
      expect(grown['hellos_retried']).toBeGreaterThan(0)
      expect(grown['cookies_accepted']).toBe(grown['hellos_retried'])
      expect(grown['cookies_refused'] ?? 0).toBe(0)
    })
  })

  it('Go (H3)', async () => {
    const grown = await growth(lab.appliance, async () => {
      expect(await fetchByGo({ host: lab.network.client, ...lab.target('shop'), path: '/hello' }, 3)).toBe(3)
    })
    expect(grown['cookies_accepted']).toBe(3)
  })

  it.each(['X25519', 'P-256', 'P-384', 'P-521', 'X448:P-384', 'ffdhe2048:P-256'])(
    's_client with the groups %s (H3)',
    async (groups) => {
      const args = ['-tls1_3', '-groups', groups, '-servername', kServerName, '-ign_eof']
      expect(await sClient('shop', args)).toContain('hello from nginx')
    },
  )

  it('a client that offers a session is asked back like all others, and resumes (H3, H6)', async () => {
    const file = lab.network.file('retried-session')
    const args = ['-tls1_3', '-servername', kServerName, '-ign_eof']
    const grown = await growth(lab.appliance, async () => {
      expect(await sClient('shop', [...args, '-sess_out', file])).toContain('New, TLSv1.3')
      const second = await sClient('shop', [...args, '-sess_in', file])
      expect(second).toContain('Reused, TLSv1.3')
      expect(second).toContain('hello from nginx')
    })
    expect(grown['cookies_accepted']).toBe(2)
    expect(grown['flows_resumed']).toBe(1)
  })

  it('TLS 1.2 is served without (H3)', async () => {
    expect(await sClient('shop', ['-tls1_2', '-servername', kServerName, '-ign_eof'])).toContain('hello from nginx')
  })

  it('a rate holds for the names it is about, and is counted (H9)', async () => {
    const hello = (name: string) => sClient('node', ['-tls1_3', '-servername', name])
    const grown = await growth(lab.appliance, async () => {
      for (let n = 0; n < 5; ++n) expect(await hello('allowed.example')).not.toContain('alert access denied')
      let refused = 0
      for (let n = 0; n < 6; ++n) if ((await hello('shop.example')).includes('alert access denied')) ++refused
      expect(refused).toBeGreaterThan(0)
    })
    expect(grown['handshake_too_many']).toBeGreaterThan(0)
  })
})
