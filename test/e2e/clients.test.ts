// Every client, each TLS version and suite, IPv4 and IPv6, both ports.
//
//   curl, s_client, gnutls-cli,                        AF_XDP or AF_PACKET
//   tstclnt, Node, Python, Chromium ── TLS ── wan [ cutwater, direct mode ] lan ── clear ── nginx :80
//   198.51.100.2, 2001:db8:c::2                                                  203.0.113.10, 2001:db8:5::10
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kAddresses } from '../../src/demo/network.js'
import { fetchByGo, kClients, kSuiteClients } from '../support/clients.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import { kSuites } from '../support/suites.js'
import { trustForTests } from '../support/trust.js'

const kVersions = ['1.3', '1.2'] as const

describe.each(kPorts)('real clients over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { shop: {} } })
  })
  afterAll(() => lab.close())

  it(`runs on the port that was asked for, and says so (H11)`, () => {
    expect(lab.appliance.ready.interfaces['wan']).toMatchObject({ port })
    expect(lab.appliance.ready.interfaces['lan']).toMatchObject({ port })
  })

  describe.each(kFamilies)('%s', (family) => {
    describe.each(Object.entries(kClients))('%s', (_, client) => {
      it.each(kVersions)(
        'fetches a page by TLS %s; the server sees its own address (A1, A2, A3, A5, A7)',
        async (version) => {
          const seenBefore = lab.nginx.accessLog().length
          const { host, trust } = { host: lab.network.client, trust: lab.trust }
          const answer = await client({ host, trust, ...lab.target('shop', family), path: '/hello', version })
          expect(answer.body).toContain('hello from nginx')
          if (answer.version !== undefined) expect(answer.version).toBe(version)
          const seen = lab.nginx.accessLog().slice(seenBefore)
          expect(seen.length).toBeGreaterThan(0)
          for (const line of seen) expect(line.client).toBe(kAddresses.client[family])
        },
      )
    })
  })

  it.each(kFamilies)('Go fetches pages, %s (A5)', async (family) => {
    const target = lab.target('shop', family)
    expect(await fetchByGo({ host: lab.network.client, ...target, path: '/hello' }, 3)).toBe(3)
  })

  describe.each(Object.entries(kSuites))('%s', (suite, { version }) => {
    const able = Object.entries(kSuiteClients).filter(([name]) => name !== 'python' || version === '1.2')
    it.each(able)('%s (A1, A2, A5)', async (_, client) => {
      const answer = await client({
        host: lab.network.client, trust: lab.trust, ...lab.target('shop'), path: '/hello', version, suite,
      }) // prettier-ignore
      expect(answer.body).toContain('hello from nginx')
    })
  })
})

// ECDSA P-256 is what all other tests use.
describe.each(kPorts)('kinds of server keys over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    const { server } = await trustForTests()
    lab = await Lab.create({
      port,
      services: {
        shop: { tls: { certificates: [server.ed25519] } },
        node: { tls: { certificates: [server.rsa] } },
      },
    })
  })
  afterAll(() => lab.close())

  describe.each(kVersions)('TLS %s', (version) => {
    it.each([
      ['Ed25519', 'shop'],
      ['RSA-2048', 'node'],
    ] as const)('%s: curl and gnutls-cli check it (A5)', async (_, service) => {
      for (const name of ['curl', 'gnutls-cli']) {
        const { host, trust } = { host: lab.network.client, trust: lab.trust }
        const answer = await kClients[name]!({ host, trust, ...lab.target(service), path: '/hello', version })
        expect(answer.body.length).toBeGreaterThan(40)
      }
    })
  })
})
