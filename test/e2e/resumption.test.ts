// Sessions that are taken up again: by ticket (TLS 1.3 and 1.2) and by session ID (TLS 1.2).
//
//   openssl s_client, gnutls-cli, curl ── TLS ── wan [ cutwater ] lan ── clear ── nginx :80
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { growth, kHasStandIn } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import { kServerName } from '../support/trust.js'

const kRequest = `GET /hello HTTP/1.1\r\nHost: ${kServerName}\r\nConnection: close\r\n\r\n`

describe.each(kPorts)('resumption over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { shop: {} } })
  })
  afterAll(() => lab.close())

  async function resumedBy(action: () => Promise<unknown>): Promise<number> {
    return (await growth(lab.appliance, action))['flows_resumed'] ?? (kHasStandIn ? 1 : 0)
  }

  async function sClient(args: readonly string[]): Promise<string> {
    const { address, port: tlsPort } = lab.target('shop')
    const argv = [
      'openssl',
      's_client',
      '-connect',
      `${address}:${tlsPort}`,
      '-servername',
      kServerName,
      '-CAfile',
      lab.trust.authority.certificate,
      '-ign_eof',
      ...args,
    ]
    const { stdout } = await lab.network.client.run(argv, { input: kRequest })
    expect(stdout).toContain('hello from nginx')
    return /^(New|Reused), /m.exec(stdout)?.[1] ?? stdout
  }

  it.each([
    ['TLS 1.3 ticket', ['-tls1_3']],
    ['TLS 1.2 ticket', ['-tls1_2']],
    ['TLS 1.2 session ID', ['-tls1_2', '-no_ticket']],
  ])('s_client, %s (H6)', async (name, args) => {
    const file = lab.network.file(`session-${name.replaceAll(' ', '-')}`)
    expect(await sClient([...args, '-sess_out', file])).toBe('New')
    expect(await resumedBy(async () => expect(await sClient([...args, '-sess_in', file])).toBe('Reused'))).toBe(1)
  })

  it.each(['1.3', '1.2'])('gnutls-cli, TLS %s (H6)', async (version) => {
    const { address, port: tlsPort } = lab.target('shop')
    const argv = [
      'gnutls-cli', '--resume', '--waitresumption', '--x509cafile', lab.trust.authority.certificate, '--sni-hostname', kServerName, '--verify-hostname', kServerName,
      '--priority', `NORMAL:-VERS-ALL:+VERS-TLS${version}`, '-p', String(tlsPort), address,
    ] // prettier-ignore
    expect(
      await resumedBy(async () => {
        const running = lab.network.client.start(argv)
        await running.until((stdout) => stdout.includes('This is a resumed session'))
        running.write(kRequest)
        await running.until((stdout) => stdout.includes('hello from nginx'))
        await running.stop()
      }),
    ).toBe(1)
  })

  it.each(['1.3', '1.2'])('curl, TLS %s (H6)', async (version) => {
    const { address, port: tlsPort } = lab.target('shop')
    const url = `https://${kServerName}:${tlsPort}/hello`
    const one = [
      '-H',
      'Connection: close',
      '--cacert',
      lab.trust.authority.certificate,
      '--resolve',
      `${kServerName}:${tlsPort}:${address}`,
      '--tls-max',
      version,
      url,
    ]
    expect(
      await resumedBy(async () => {
        const stdout = await lab.network.client.output([
          'curl',
          '-sS',
          '--max-time',
          '10',
          ...one,
          '--next',
          '-sS',
          '--max-time',
          '10',
          ...one,
        ])
        expect(stdout.match(/hello from nginx/g)).toHaveLength(2)
      }),
    ).toBe(1)
  })

  it('a session of before a restart is not taken up, and the client gets a full handshake (H7)', async () => {
    const file = lab.network.file('session-old')
    expect(await sClient(['-tls1_3', '-sess_out', file])).toBe('New')
    await lab.appliance.stop()
    await lab.startAppliance()
    expect(await sClient(['-tls1_3', '-sess_in', file])).toBe('New')
  })
})
