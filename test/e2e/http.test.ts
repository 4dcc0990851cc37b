// HTTP through the splice: connections that are kept, several requests on each, HTTP/2 by ALPN.
//
//   Node, curl ── TLS ── wan [ cutwater ] lan ── clear ── nginx :80, Node :8080 (HTTP/1.1 and h2c)
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kAddresses } from '../../src/demo/network.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'
import { programFile } from '../support/servers.js'
import { kServerName } from '../support/trust.js'

interface NodeAnswer {
  readonly status: number
  readonly body: string
  readonly localPorts: readonly number[]
  readonly protocol?: string
}

describe.each(kPorts)('HTTP over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { shop: {}, node: { tls: { protocols: ['h2', 'http/1.1'] } } } })
  })
  afterAll(() => lab.close())

  async function nodeClient(options: object): Promise<NodeAnswer> {
    const all = { name: kServerName, version: '1.3', ca: lab.trust.authority.certificate, path: '/hello', ...options }
    return JSON.parse(
      await lab.network.client.output([process.execPath, programFile('node-client.mjs'), JSON.stringify(all)]),
    ) as NodeAnswer
  }

  it.each(kFamilies)(
    'keeps a connection for many requests: one TCP connection, client to server (A3, %s)',
    async (family) => {
      const seenBefore = lab.nginx.accessLog().length
      const answer = await nodeClient({ ...lab.target('shop', family), requests: 20 })
      expect(new Set(answer.localPorts).size).toBe(1)
      const seen = lab.nginx.accessLog().slice(seenBefore)
      expect(seen.map((line) => line.requests)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
      // The server's end of the connection is the client's own: same address, same port.
      for (const line of seen)
        expect([line.client, line.port]).toEqual([kAddresses.client[family], answer.localPorts[0]])
    },
  )

  it('agrees on h2 by ALPN and carries HTTP/2 to a server that speaks it in clear (A5)', async () => {
    const answer = await nodeClient({ ...lab.target('node'), protocol: 'h2', requests: 10, path: '/over-h2' })
    expect(answer.protocol).toBe('h2')
    expect(JSON.parse(answer.body)).toMatchObject({
      protocol: '2.0',
      client: kAddresses.client.v4,
      requests: 10,
      path: '/over-h2',
    })
  })

  it('multiplexes big answers on one HTTP/2 connection', async () => {
    const { address, port: tlsPort } = lab.target('node')
    const url = `https://${kServerName}:${tlsPort}/bytes/1000000`
    const { stdout } = await lab.network.client.run([
      'curl', '-sS', '--http2', '--parallel', '--max-time', '30', '--cacert', lab.trust.authority.certificate,
      '--resolve', `${kServerName}:${tlsPort}:${address}`, '-w', '%{http_version} %{size_download}\n',
      ...Array.from({ length: 8 }, () => ['-o', '/dev/null', url]).flat(),
    ]) // prettier-ignore
    expect(stdout).toBe('2 1000000\n'.repeat(8))
  })

  it('does not agree on h2 where the service does not offer it', async () => {
    const { address, port: tlsPort } = lab.target('shop')
    const stdout = await lab.network.client.output([
      'curl', '-sS', '--http2', '--max-time', '10', '--cacert', lab.trust.authority.certificate, '-o', '/dev/null',
      '--resolve', `${kServerName}:${tlsPort}:${address}`, '-w', '%{http_version}', `https://${kServerName}:${tlsPort}/hello`,
    ]) // prettier-ignore
    expect(stdout).toBe('1.1')
  })

  it('carries a conversation of many small exchanges in both directions', async () => {
    const { address, port: tlsPort } = lab.target('shop')
    const urls = Array.from({ length: 200 }, (_, index) => `https://${kServerName}:${tlsPort}/missing-${index}`)
    const stdout = await lab.network.client.output([
      'curl', '-sS', '--http1.1', '--max-time', '30', '--cacert', lab.trust.authority.certificate,
      '--resolve', `${kServerName}:${tlsPort}:${address}`, '-w', '%{http_code} %{num_connects}\n', ...urls.flatMap((url) => ['-o', '/dev/null', url]),
    ]) // prettier-ignore
    expect(stdout).toBe(`404 1\n${'404 0\n'.repeat(199)}`)
  })
})
