// What an operator reads who gets the servers of a service, their choice or their checks wrong.
import { describe, expect, it } from 'vitest'
import { parseSource } from '../../../src/config/parse.js'
import { parseText } from '../../../src/config/source.js'
import { good, problemsOf } from '../../support/configuration.js'

describe('A8: services with several servers', () => {
  it.each<[string, string, string]>([
    [
      '    tls:',
      '    balance: { algorithm: round-robin }\n    tls:',
      'shop.yaml:8:5: services.shop.balance: has no effect in mode "direct"',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    servers: [ { address: 10.0.0.1, port: 80, weight: 0 } ]',
      'shop.yaml:8:14: services.shop.servers: every weight is 0: nobody could be served',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    servers: [ { address: 10.0.0.1, port: 80 }, { address: 10.0.0.1, port: 80 } ]',
      'shop.yaml:8:49: services.shop.servers[1]: the same address and port as an earlier server; use weight',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    servers: [ { name: a, address: 10.0.0.1, port: 80 }, { name: a, address: 10.0.0.2, port: 80 } ]',
      'shop.yaml:8:66: services.shop.servers[1].name: another server is called "a"',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    balance: { pool: [ "2001:db8::1" ] }\n    servers: [ { address: 10.0.0.1, port: 80 } ]',
      'shop.yaml:8:24: services.shop.balance.pool[0]: must be of the IP version of the servers',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    balance: { pool: [ 10.0.0.1 ] }\n    servers: [ { address: 10.0.0.1, port: 80 } ]',
      'shop.yaml:8:24: services.shop.balance.pool[0]: is the address of the service or of a server',
    ],
    [
      '    servers: [ { address: 203.0.113.10, port: 80 } ]',
      '    mode: balance\n    balance: { hash: address }\n    servers: [ { address: 10.0.0.1, port: 80 } ]',
      'shop.yaml:8:16: services.shop.balance.hash: has no effect unless algorithm is "consistent-hash"',
    ],
    [
      '    tls:',
      '    health: { path: /ready }\n    tls:',
      'shop.yaml:8:15: services.shop.health.path: has no effect unless check is "http"',
    ],
    [
      '    tls:',
      '    health: { timeout: 5s, interval: 2s }\n    tls:',
      'shop.yaml:8:24: services.shop.health.timeout: longer than the interval, "2s"',
    ],
  ])('with %j as %j says exactly what is wrong', (from, to, problem) => {
    expect(problemsOf(good.replace(from, to))).toEqual([problem])
  })

  it('a pool, a hash by address and checks over HTTP are understood', () => {
    const text = good
      .replace(
        'servers: [ { address: 203.0.113.10',
        'servers: [ { maxSessions: 9, weight: 0, address: 10.0.0.2, port: 80 }, { address: 10.0.0.1',
      )
      .replace(
        '    tls:',
        `    mode: balance
    balance: { algorithm: consistent-hash, hash: address, hashKey: blue, pool: [ 10.0.0.9 ], proxyProtocol: v2-tls }
    health: { check: http, status: [ 200, 204 ] }
    tls:`,
      )
    const service = parseSource(parseText('shop.yaml', text), '/').services.get('shop')
    expect(service?.servers[0]).toMatchObject({ weight: 0, maxSessions: 9 })
    expect(service?.balance).toMatchObject({
      hash: 'address',
      hashKey: 'blue',
      pool: ['10.0.0.9'],
      proxyProtocol: 'v2-tls',
    })
    expect(service?.health).toMatchObject({ check: 'http', path: '/', status: [200, 204], rise: 2, fall: 3 })
  })
})
