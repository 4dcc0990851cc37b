import { describe, expect, it } from 'vitest'
import { parseSource } from '../../../src/config/parse.js'
import { parseText } from '../../../src/config/source.js'
import { good, problemsOf } from '../../support/configuration.js'

const proxy = good.replace('    listen:', '    mode: proxy\n    listen:')
const withTls = (serverTls: string, base = proxy) => `${base}    serverTls: ${serverTls}\n`

describe('serverTls', () => {
  it('is read with its defaults, paths from the file’s folder', () => {
    const text = withTls('{ ca: ca.pem, name: backend.test }')
    const config = parseSource(parseText('shop.yaml', text), '/etc/cutwater')
    expect(config.services.get('shop')?.serverTls).toEqual({
      verify: 'full',
      name: 'backend.test',
      caPath: '/etc/cutwater/ca.pem',
      certificate: undefined,
      versions: ['1.2', '1.3'],
      truncation: 'reset',
    })
  })

  it.each([
    ['{}', /serverTls\.ca.*missing/, /serverTls\.name.*missing/],
    ['{ ca: ca.pem }', /serverTls\.name.*missing/],
    ['{ name: backend.test }', /serverTls\.ca.*missing/],
    ['{ verify: none, ca: ca.pem }', /serverTls\.ca.*has no effect/],
    ['{ verify: none, certificate: a.crt }', /serverTls\.key.*missing/],
    ['{ verify: none, key: a.key }', /serverTls\.certificate.*missing/],
    ['{ ca: ca.pem, name: "a b" }', /expected a host name or an IP address/],
    ['{ verify: some }', /serverTls\.verify/],
  ])('%s is refused', (serverTls, ...expected) => {
    const problems = problemsOf(withTls(serverTls)).join('\n')
    for (const one of expected) expect(problems).toMatch(one)
  })

  it('needs mode proxy and TLS towards clients, and goes with no PROXY header', () => {
    const all = '{ ca: ca.pem, name: backend.test }'
    expect(problemsOf(withTls(all, good)).join('\n')).toMatch(/serverTls.*needs mode "proxy"/)
    const tcp = proxy.replace(/ {4}tls:.*\n/, '    protocol: tcp\n')
    expect(problemsOf(withTls(all, tcp)).join('\n')).toMatch(/serverTls.*needs protocol "tls"/)
    const introduced = `${withTls(all)}    balance: { pool: [203.0.113.99], proxyProtocol: v2 }\n`
    expect(problemsOf(introduced).join('\n')).toMatch(/proxyProtocol.*cannot be used with serverTls/)
  })
})
