// What an operator reads who asks for what only TLS that ends here can do, in a service whose bytes pass untouched.
import { describe, expect, it } from 'vitest'
import { good, problemsOf } from '../../support/configuration.js'

const kTls = '    tls: { certificates: [ { certificate: shop.crt, key: shop.key } ] }\n'
const kServers = '    servers: [ { address: 203.0.113.10, port: 80 } ]\n'

/** A service of that protocol and mode, with more keys. */
const service = (protocol: string, mode: string, more = '') =>
  good
    .replace(kTls, more)
    .replace(
      kServers,
      `    servers: [ { address: 10.0.0.1, port: 80 } ]\n    mode: ${mode}\n    protocol: ${protocol}\n`,
    )

describe('A8, A9: services whose bytes pass untouched', () => {
  it.each([
    ['tcp', 'balance'],
    ['tcp', 'proxy'],
    ['tls-passthrough', 'proxy'],
  ])('%s in mode %s needs no certificates', (protocol, mode) => {
    expect(() => problemsOf(service(protocol, mode))).toThrow('nothing was thrown')
  })

  it.each<[string, string, string]>([
    [
      'tls without certificates',
      service('tls', 'proxy'),
      'services.shop.tls: missing: protocol "tls" needs certificates',
    ],
    [
      'tcp straight to its server',
      service('tcp', 'direct').replace('10.0.0.1', '203.0.113.10'),
      'services.shop.protocol: "tcp" needs mode "balance" or "proxy": what is to go straight to its server needs no service',
    ],
    [
      'a hello to be read after the server was chosen',
      service('tls-passthrough', 'balance'),
      'services.shop.protocol: "tls-passthrough" needs mode "proxy", which hears the client first; in mode "balance" use "tcp"',
    ],
    ['certificates', service('tcp', 'proxy', kTls), 'services.shop.tls: has no effect with protocol "tcp"'],
    [
      'rules for hellos',
      service('tcp', 'proxy', '    hello: { rules: [ { action: deny } ] }\n'),
      'services.shop.hello.rules: has no effect with protocol "tcp"',
    ],
    [
      'retries',
      service('tls-passthrough', 'proxy', '    hello: { retry: always }\n'),
      'services.shop.hello.retry: has no effect with protocol "tls-passthrough"',
    ],
    [
      'how custody sends',
      service('tcp', 'proxy', '    custody: { congestion: bbr }\n'),
      'services.shop.custody.congestion: has no effect with protocol "tcp"',
    ],
    [
      'a header about TLS',
      service('tcp', 'proxy', '    balance: { pool: [ 10.0.0.9 ], proxyProtocol: v2-tls }\n'),
      'services.shop.balance.proxyProtocol: with protocol "tcp" there is no TLS here to tell of: use "v2"',
    ],
    [
      'routes for plain TCP',
      service('tcp', 'proxy', '    routes: [ { servers: [ "10.0.0.1:80" ] } ]\n'),
      'services.shop.routes: cannot be used with protocol "tcp": nothing is read of what clients say',
    ],
    [
      'routes by what the server has yet to agree on',
      service('tls-passthrough', 'proxy', '    routes: [ { match: { alpn: h2 }, servers: [ "10.0.0.1:80" ] } ]\n'),
      'services.shop.routes[0].match.alpn: cannot be used with protocol "tls-passthrough": only sni is read',
    ],
    [
      'servers of the other IP version without a pool',
      service('tcp', 'proxy').replace('10.0.0.1', '"2001:db8::1"'),
      'services.shop.servers[0].address: a server of another IP version than listen.address, "203.0.113.10", needs a balance.pool of its own version',
    ],
    [
      'a pool of the wrong version',
      service('tcp', 'proxy', '    balance: { pool: [ 10.0.0.9 ] }\n').replace('10.0.0.1', '"2001:db8::1"'),
      'services.shop.balance.pool[0]: must be of the IP version of the servers',
    ],
  ])('%s: says exactly what is wrong', (_, text, problem) => {
    expect(problemsOf(text).map((line) => line.replace(/^shop\.yaml:\d+:\d+: /, ''))).toContain(problem)
  })
})
