// What an operator reads who gets the routes of a service wrong, and what the appliance is told when they are right.
import { describe, expect, it } from 'vitest'
import { parseSource } from '../../../src/config/parse.js'
import { parseText } from '../../../src/config/source.js'
import { good, problemsOf } from '../../support/configuration.js'

const service = (routes: string, more = '') =>
  good.replace(
    '    servers: [ { address: 203.0.113.10, port: 80 } ]',
    `    mode: proxy\n    servers: [ { name: a, address: 10.0.0.1, port: 80 }, { name: b, address: 10.0.0.2, port: 80, weight: 0 } ]\n    routes: ${routes}${more}`,
  )

describe('A10: routes', () => {
  it.each<[string, string]>([
    ['[ { servers: [ a, c ] } ]', 'shop.yaml:9:31: services.shop.routes[0].servers[1]: no server is called "c"'],
    [
      '[ { servers: [ a, b, a ] } ]',
      'shop.yaml:9:34: services.shop.routes[0].servers[2]: "a" is in this route already',
    ],
    ['[ { servers: [ a ] } ]', 'shop.yaml:8:58: services.shop.servers[1]: no route leads to this server'],
    [
      '[ { match: { sni: x.example }, servers: [ b ] }, { servers: [ a ] } ]',
      'shop.yaml:9:53: services.shop.routes[0].servers: every weight is 0: nobody could be served',
    ],
    [
      '[ { servers: [ a, b ] }, { match: { sni: x.example }, servers: [ a ] } ]',
      'shop.yaml:9:38: services.shop.routes[1]: never reached: routes[0] matches everything',
    ],
    [
      '[ { match: { alpn: h2 }, servers: [ a, b ] } ]',
      'shop.yaml:9:32: services.shop.routes[0].match.alpn: not one of tls.protocols, so nobody will speak it; there is none',
    ],
    [
      '[ { match: { path: api }, servers: [ a, b ] } ]',
      'shop.yaml:9:32: services.shop.routes[0].match.path: expected a path that begins with "/", got "api"',
    ],
    [
      '[ { match: { path: /a, exactPath: /a }, servers: [ a, b ] } ]',
      'shop.yaml:9:36: services.shop.routes[0].match.exactPath: either path or exactPath',
    ],
  ])('%s: says exactly what is wrong', (routes, problem) => {
    const problems = problemsOf(service(routes))
    expect(problems.map((line) => line.replace(/; (did you mean|there is ").*$/, ''))).toContain(problem)
  })

  it('routes and http need mode proxy, and PROXY headers and streaming go with neither', () => {
    expect(problemsOf(service('[ { servers: [ a, b ] } ]').replace('mode: proxy', 'mode: balance'))).toEqual([
      'shop.yaml:9:5: services.shop.routes: needs mode "proxy": in mode "balance" the server is chosen before the client has said what it wants',
    ])
    expect(problemsOf(good.replace('    tls:', '    http: {}\n    tls:'))).toEqual([
      'shop.yaml:8:5: services.shop.http: has no effect in mode "direct"; requests are read in mode "proxy"',
    ])
    const more = '\n    http: {}\n    release: streaming\n    balance: { proxyProtocol: v2 }'
    const problems = problemsOf(service('[ { servers: [ a, b ] } ]', more)).join('\n')
    expect(problems).toContain('services.shop.balance.proxyProtocol: cannot be used where requests are read')
    expect(problems).toContain('services.shop.release: cannot be used where requests are read')
  })

  it('names, paths, headers and cookies are understood', () => {
    const routes = `[ { match: { sni: WWW.example, method: [ GET ], host: Shop.example, path: /api, header: { name: X-Beta, value: '1' },
      cookie: { name: group } }, servers: [ b, a ] }, { servers: [ a ] } ]`
    const parsed = parseSource(parseText('shop.yaml', service(routes)), '/').services.get('shop')
    expect(parsed?.routes).toEqual([
      {
        sni: 'www.example',
        alpn: '',
        methods: ['GET'],
        host: 'shop.example',
        path: '/api',
        isPathExact: false,
        header: { name: 'x-beta', value: '1', hasValue: true },
        cookie: { name: 'group', value: '', hasValue: false },
        servers: [1, 0],
      },
      expect.objectContaining({ sni: '', path: '', servers: [0] }),
    ])
    expect(parsed?.http).toEqual({ isForwarded: false, maxHeadBytes: 16_384 })
  })
})
