// What goes wrong, from either side: the right alert or TCP answer, and a counter with the reason.
//
//   raw-client.py ── TLS, or not quite ── wan [ cutwater ] lan ── clear ── odd-server.py :7080, nginx :80
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { growth } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import type { ServiceName } from '../support/lab.js'
import { rawClient } from '../support/raw-client.js'
import type { RawOptions, RawResult, Step } from '../support/raw-client.js'
import { kOtherName, trustForTests } from '../support/trust.js'

const kVersions = ['1.3', '1.2'] as const

describe.each(kPorts)('failures over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    const trust = await trustForTests()
    lab = await Lab.create({
      port,
      services: {
        odd: {},
        absent: {},
        shop: { tls: { requireKnownName: true, certificates: [trust.server.ecdsa] } },
        node: { tls: { clientAuth: 'required', clientCa: trust.clientAuthority.certificate } },
        transfers: { timeouts: { handshake: '1s', idle: '2s' } },
      },
    })
  })
  afterAll(() => lab.close())

  function attempt(service: ServiceName, steps: readonly Step[], more: Partial<RawOptions> = {}): Promise<RawResult> {
    return rawClient(lab.network.client, { ...lab.target(service), ...more }, steps)
  }

  /** Runs an attempt and says what grew with it. */
  async function counted(
    action: () => Promise<RawResult>,
  ): Promise<{ result: RawResult; grown: Record<string, number> }> {
    let result: RawResult | undefined
    const grown = await growth(lab.appliance, async () => {
      result = await action()
      await new Promise((resolve) => setTimeout(resolve, 200)) // counters are read after the last packet has passed
    })
    return { result: result!, grown }
  }

  /** What the misbehaving server says about the end of the newest connection. */
  async function serverEnd(action: () => Promise<unknown>): Promise<string> {
    const before = lab.odd.stdout.length
    await action()
    const line = await lab.odd.until((stdout) => /\d+: (.*)\n/.exec(stdout.slice(before))?.[1], 5_000)
    return line
  }

  describe.each(kVersions)('TLS %s', (version) => {
    it('a client that closes in good order: the server sees a clean end (A16)', async () => {
      const end = await serverEnd(() =>
        attempt('odd', ['handshake', { send: 'sink\n' }, { send: 'data' }, 'closeNotify', 'fin', 'readToEnd'], {
          version,
        }),
      )
      expect(end).toBe('eof after 4')
    })

    it('a client that ends TCP without close_notify: the server sees a reset (A16)', async () => {
      let grown = {}
      const end = await serverEnd(async () => {
        ;({ grown } = await counted(() =>
          attempt('odd', ['handshake', { send: 'sink\n' }, { send: 'data' }, { wait: 100 }, 'fin', { wait: 300 }], {
            version,
          }),
        ))
      })
      expect(end).toMatch(/^reset/)
      expect(grown).toMatchObject({ reset_truncated: 1 })
    })

    it('a client that ends TCP in the middle of a record: the server sees a reset (A16, I4)', async () => {
      let grown = {}
      const end = await serverEnd(async () => {
        ;({ grown } = await counted(() =>
          attempt(
            'odd',
            ['handshake', { send: 'sink\n' }, { wait: 100 }, { cut: 'half of this'.repeat(20) }, 'fin', { wait: 300 }],
            { version },
          ),
        ))
      })
      expect(end).toBe('reset after 0')
      expect(grown).toMatchObject({ reset_truncated_in_record: 1 })
    })

    it('a client that resets: the server sees a reset', async () => {
      const end = await serverEnd(() =>
        attempt('odd', ['handshake', { send: 'sink\n' }, { wait: 100 }, 'reset'], { version }),
      )
      expect(end).toMatch(/^reset/)
    })

    it('a server that resets: the client sees a reset after the data, never a clean end (A16)', async () => {
      const { result, grown } = await counted(() =>
        attempt('odd', ['handshake', { send: 'reset-after 1000\n' }, 'readToEnd'], { version }),
      )
      expect(result).toMatchObject({ received: 1000, ended: 'reset' })
      expect(grown).toMatchObject({ reset_by_server: 1 })
    })

    it('a server that closes: the client gets everything, close_notify and FIN (A16)', async () => {
      const result = await attempt('odd', ['handshake', { send: 'close-after 100000\n' }, 'readToEnd'], { version })
      expect(result).toMatchObject({ received: 100_000, ended: 'close_notify', alert: null })
    })

    it('a client that closes its half: it still gets the answer (A16)', async () => {
      const result = await attempt(
        'odd',
        [
          'handshake',
          { send: 'echo\n' },
          { send: 'x'.repeat(5000) },
          { read: 5000 },
          'closeNotify',
          'fin',
          'readToEnd',
        ],
        { version },
      )
      expect(result).toMatchObject({ received: 5000, ended: 'close_notify' })
    })

    it('a record with a wrong tag: bad_record_mac to the client, a reset and not a byte of it to the server (A12, I4)', async () => {
      let counts: { result: RawResult; grown: Record<string, number> } | undefined
      const end = await serverEnd(async () => {
        counts = await counted(() =>
          attempt('odd', ['handshake', { send: 'sink\n' }, { wait: 100 }, { forge: 'forged' }, 'readToEnd'], {
            version,
          }),
        )
      })
      expect(counts?.result.alert).toMatch(/BAD_RECORD_MAC/)
      expect(counts?.grown).toMatchObject({ reset_bad_tag: 1 })
      expect(end).toBe('reset after 0')
    })

    it('a record that comes in two segments: held until it is whole, then delivered (A12)', async () => {
      const result = await attempt(
        'odd',
        [
          'handshake',
          { send: 'echo\n' },
          { sendInTwo: 'y'.repeat(900) },
          { read: 900 },
          'closeNotify',
          'fin',
          'readToEnd',
        ],
        { version },
      )
      expect(result).toMatchObject({ received: 900, ended: 'close_notify' })
    })

    it('an oversized record: record_overflow', async () => {
      const bytes = 16_384 + 256 + 1
      const header = `170303${bytes.toString(16).padStart(4, '0')}`
      const { result, grown } = await counted(() =>
        attempt('odd', ['handshake', { send: 'sink\n' }, { raw: header + '00'.repeat(2000) }, 'readToEnd'], {
          version,
        }),
      )
      expect(result.alert).toMatch(/RECORD_OVERFLOW/)
      expect(grown).toMatchObject({ reset_record_overflow: 1 })
    })

    it('a server name that no certificate has, where the service is strict: unrecognized_name', async () => {
      const { result, grown } = await counted(() =>
        attempt('shop', ['handshake'], { version, name: 'unknown.example' }),
      )
      expect(result).toMatchObject({ handshake: false })
      expect(result.alert).toMatch(/UNRECOGNIZED_NAME/)
      expect(grown).toMatchObject({ handshake_unknown_name: 1 })
    })

    it('client certificates: a good one passes', async () => {
      const { certificate, key } = lab.trust.client
      const request = 'GET /mutual HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
      const result = await attempt('node', ['handshake', { send: request }, 'readToEnd'], { version, certificate, key })
      expect(result).toMatchObject({ handshake: true, ended: 'close_notify', alert: null })
      expect(result.text).toContain('"/mutual"')
    })

    it('client certificates: an expired one is refused with certificate_expired (A5)', async () => {
      const { certificate, key } = lab.trust.expiredClient
      const { result, grown } = await counted(() =>
        attempt('node', ['handshake', 'readToEnd'], { version, certificate, key }),
      )
      expect(result.alert).toMatch(/CERTIFICATE_EXPIRED/)
      expect(grown).toMatchObject({ handshake_client_certificate_rejected: 1 })
    })

    it('client certificates: one of an unknown authority is refused with unknown_ca (A5)', async () => {
      const { certificate, key } = lab.trust.strangeClient
      const { result, grown } = await counted(() =>
        attempt('node', ['handshake', 'readToEnd'], { version, certificate, key }),
      )
      expect(result.alert).toMatch(/UNKNOWN_CA/)
      expect(grown).toMatchObject({ handshake_client_certificate_rejected: 1 })
    })

    it('client certificates: none at all is refused (A5)', async () => {
      const { result, grown } = await counted(() => attempt('node', ['handshake', 'readToEnd'], { version }))
      expect(result.alert).toMatch(version === '1.3' ? /CERTIFICATE_REQUIRED/ : /HANDSHAKE_FAILURE/)
      expect(grown).toMatchObject({ handshake_client_certificate_missing: 1 })
    })
  })

  it('says of each service why handshakes failed, and whose the last ones were (H9)', async () => {
    await attempt('shop', ['handshake'], { version: '1.3', name: 'nobody.example' })
    await attempt('node', ['handshake', 'readToEnd'], { version: '1.2' })
    const reports = new Map((await lab.appliance.failures()).map((report) => [report.service, report]))
    const shop = reports.get('shop-v4')!
    expect(shop.reasons.map(({ name }) => name)).toContain('unknown_name')
    expect(shop.reasons.map(({ name }) => name)).not.toContain('client_certificate_missing')
    expect(shop.recent[0]).toMatchObject({
      reason: 'unknown_name',
      serverName: 'nobody.example',
      alert: 112,
      client: expect.stringMatching(/^198\.51\.100\.2:\d+$/) as string,
    })
    expect(reports.get('node-v4')!.recent[0]).toMatchObject({ reason: 'client_certificate_missing', alert: 40 })
    expect(reports.has('absent-v4')).toBe(false)
    const { stdout } = await lab.appliance.command('failures', '--service', 'shop-v4')
    expect(stdout).toMatch(/shop-v4 +unknown_name +\d+/)
    expect(stdout).toContain('nobody.example')
    expect(stdout).not.toContain('node-v4')
  })

  it('chooses the certificate by SNI (A5)', async () => {
    const subjectFor = async (name: string): Promise<string> => {
      const { address, port: tlsPort } = lab.target('odd')
      const { stdout } = await lab.network.client.run(
        ['openssl', 's_client', '-connect', `${address}:${tlsPort}`, '-servername', name],
        { input: '' },
      )
      return /subject=CN = (\S+)/.exec(stdout)?.[1] ?? stdout
    }
    expect(await subjectFor(kOtherName)).toBe(kOtherName)
    expect(await subjectFor('shop.test')).toBe('shop.test')
  })

  it('a server that is not there: the client is refused, as the server would (A3)', async () => {
    const { result } = await counted(() => attempt('absent', ['handshake']))
    expect(result.ended).toBe('refused')
  })

  it('plain HTTP on the TLS port: an alert, the end, and a counter of its own', async () => {
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n').toString('hex')
    const { result, grown } = await counted(() => attempt('odd', [{ raw: request }, 'readRaw']))
    expect(result.rawHex).toMatch(/^150303000202|^150301000202/)
    expect(result.ended).toMatch(/fin|reset/)
    expect(grown).toMatchObject({ handshake_plain_http: 1 })
  })

  it('garbage instead of a hello: an alert, the end, a counter', async () => {
    const { result, grown } = await counted(() => attempt('odd', [{ raw: 'deadbeef'.repeat(64) }, 'readRaw']))
    expect(result.rawHex).toMatch(/^15030[13]000202/)
    expect(result.ended).toMatch(/fin|reset/)
    expect(grown).toMatchObject({ handshake_bad_record: 1 })
  })

  it('a hello that is framed rightly and makes no sense: decode_error or illegal_parameter, a counter', async () => {
    const hello = `16030100400100003c0303${'ff'.repeat(58)}`
    const { result, grown } = await counted(() => attempt('odd', [{ raw: hello }, 'readRaw']))
    expect(result.rawHex).toMatch(/^15030[13]000202/)
    expect(grown).toMatchObject({ handshake_bad_hello: 1 })
  })

  it('a client that says nothing: dropped after the handshake timeout', async () => {
    const { result, grown } = await counted(() => attempt('transfers', ['readRaw']))
    expect(result.ended).toMatch(/fin|reset/)
    expect(grown).toMatchObject({ reset_handshake_timeout: 1 })
  })

  it('a flow on which nothing moves: ended after the idle timeout', async () => {
    const { result, grown } = await counted(() => attempt('transfers', ['handshake', 'readToEnd']))
    expect(result.handshake).toBe(true)
    expect(result.ended).toMatch(/close_notify|fin|reset/)
    expect(grown).toMatchObject({ reset_idle_timeout: 1 })
  })
})
