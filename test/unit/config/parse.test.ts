import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { parseConfig, parseSource, readConfig } from '../../../src/config/parse.js'
import type { ConfigInput } from '../../../src/config/schema.js'
import { parseText } from '../../../src/config/source.js'
import type { CutwaterError } from '../../../src/errors.js'
import { catchError, good, problemsOf } from '../../support/configuration.js'

const folder = mkdtempSync(join(tmpdir(), 'cutwater-parse-'))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('parse', () => {
  it('fills in every default', () => {
    const config = parseSource(parseText('shop.yaml', good), '/etc/cutwater')
    expect(config).toEqual({
      name: 'cutwater',
      interfaces: new Map([
        ['wan', { device: 'eth0', port: 'xsk', attach: 'auto', copy: 'auto', vlan: 0 }],
        ['lan', { device: 'eth1', port: 'xsk', attach: 'auto', copy: 'auto', vlan: 0 }],
      ]),
      services: new Map([
        [
          'shop',
          {
            mode: 'direct',
            protocol: 'tls',
            clientSide: 'wan',
            serverSide: 'lan',
            listen: { address: '203.0.113.10', port: 443 },
            alsoListen: [],
            servers: [{ name: '203.0.113.10:80', address: '203.0.113.10', port: 80, weight: 1, maxSessions: 0 }],
            routes: [],
            http: undefined,
            balance: {
              algorithm: 'least-sessions',
              hash: 'address-and-port',
              hashKey: '',
              slowStartMs: 0,
              drainLimitMs: 600_000,
              failures: 3,
              shunForMs: 10_000,
              pool: [],
              proxyProtocol: 'none',
              announce: 'auto',
            },
            health: undefined,
            truncation: 'reset',
            release: 'whole-record',
            custodyCongestion: 'cubic',
            idleTimeoutMs: 300_000,
            handshakeTimeoutMs: 10_000,
            rekeyAfterRecords: 0,
            hello: { retry: 'auto', queueTimeoutMs: 3_000, rules: [] },
            tls: {
              versions: ['1.2', '1.3'],
              certificates: [{ certificatePath: '/etc/cutwater/shop.crt', keyPath: '/etc/cutwater/shop.key' }],
              protocols: [],
              suites: [],
              clientAuth: 'none',
              clientCaPath: undefined,
              requireKnownName: false,
              sessionLifetimeS: 7_200,
              tickets: 2,
              legacyRsaKeyExchange: false,
            },
          },
        ],
      ]),
      secure: { place: 'thread', remote: undefined },
      workers: {
        count: 1,
        firstCpu: undefined,
        secureThreads: 1,
        maxFlows: 65_536,
        maxHalfOpen: 65_536,
        maxHandshakes: 8_192,
        chunks: 16_384,
        busyPollUs: 50,
      },
      aead: 'fastest',
      keyLogPath: undefined,
      metrics: undefined,
    })
  })

  // Each line: a change to the good file, and what the operator reads. Lines and columns count from 1.
  it.each<[string, string, string]>([
    [
      'port: 443',
      'port: "https"',
      'shop.yaml:6:44: services.shop.listen.port: expected a port, 1 to 65535, got "https"',
    ],
    ['port: 443', 'port: 0', 'shop.yaml:6:44: services.shop.listen.port: expected a port, 1 to 65535, got 0'],
    ['port: 443', 'port: 65536', 'shop.yaml:6:44: services.shop.listen.port: expected a port, 1 to 65535, got 65536'],
    ['port: 443', 'port: 1.5', 'shop.yaml:6:44: services.shop.listen.port: expected a port, 1 to 65535, got 1.5'],
    [', port: 443', '', 'shop.yaml:6:13: services.shop.listen.port: missing: expected a port, 1 to 65535'],
    ['port: xsk', 'port: xks', 'shop.yaml:2:30: interfaces.wan.port: expected one of "xsk", "packet", got "xks"'],
    ['port: xsk', 'prot: xsk', 'shop.yaml:2:24: interfaces.wan.prot: unknown key; did you mean "port"?'],
    [
      'port: xsk',
      'colour: red',
      'shop.yaml:2:24: interfaces.wan.colour: unknown key; known here: device, port, attach, copy, vlan',
    ],
    [
      'device: eth0',
      'device: an-endless-device-name',
      'shop.yaml:2:18: interfaces.wan.device: expected the name of a network device, such as "eth0", got "an-endless-device-name"',
    ],
    [
      'address: 203.0.113.10, port: 443',
      'address: shop.example, port: 443',
      'shop.yaml:6:24: services.shop.listen.address: expected an IPv4 or IPv6 address, got "shop.example"',
    ],
    [
      'address: 203.0.113.10, port: 443',
      'address: "fe80::1%eth0", port: 443',
      'shop.yaml:6:24: services.shop.listen.address: expected an IPv4 or IPv6 address, got "fe80::1%eth0"',
    ],
    [
      'address: 203.0.113.10, port: 80',
      'address: 203.0.113.11, port: 80',
      'shop.yaml:7:27: services.shop.servers[0].address: in mode "direct" the server has the address clients connect to, "203.0.113.10"',
    ],
    [
      'address: 203.0.113.10, port: 80',
      'address: "2001:db8::10", port: 80',
      'shop.yaml:7:27: services.shop.servers[0].address: a server of another IP version than listen.address, "203.0.113.10", needs mode "proxy" and a balance.pool',
    ],
    [
      '  shop:\n',
      '  "sh op":\n',
      'shop.yaml:5:3: services."sh op": expected the name of a service of letters, digits, ".", "_" and "-", at most 63 long, got "sh op"',
    ],
    [
      'tls: { ',
      'tls: { versions: [1.1], ',
      'shop.yaml:8:23: services.shop.tls.versions[0]: expected one of "1.2", "1.3", got 1.1',
    ],
    [
      'tls: { ',
      'tls: { versions: [], ',
      'shop.yaml:8:22: services.shop.tls.versions: expected at least 1 of versions, got a list',
    ],
    [
      'tls: { ',
      'tls: { suites: [TLS_AES_128_GCM_SHA265], ',
      'shop.yaml:8:21: services.shop.tls.suites[0]: expected the IANA name of an AEAD suite (did you mean "TLS_AES_128_GCM_SHA256"?), got "TLS_AES_128_GCM_SHA265"',
    ],
    [
      'tls: { ',
      'tls: { suites: [TLS_AES_128_GCM_SHA256], ',
      'shop.yaml:8:20: services.shop.tls.suites: no suite of TLS 1.2, which tls.versions has',
    ],
    [
      'tls: { ',
      'tls: { versions: ["1.2"], suites: [TLS_RSA_WITH_AES_128_GCM_SHA256], ',
      'shop.yaml:8:40: services.shop.tls.suites[0]: TLS_RSA_WITH_AES_128_GCM_SHA256 has no forward secrecy: tls.legacyRsaKeyExchange: true allows it, for old clients',
    ],
    [
      'tls: { ',
      'tls: { clientAuth: required, ',
      'shop.yaml:8:10: services.shop.tls.clientCa: missing: clientAuth "required" needs the issuers to accept',
    ],
    [
      'tls: { ',
      'tls: { clientCa: ca.pem, ',
      'shop.yaml:8:22: services.shop.tls.clientCa: has no effect unless clientAuth is "optional" or "required"',
    ],
    [
      'tls: { ',
      'tls: { sessionLifetime: 7200, ',
      'shop.yaml:8:29: services.shop.tls.sessionLifetime: expected a time with its unit, from "0s" to "7d", got 7200',
    ],
    [
      '    tls:',
      '    mode: balance\n    tls:',
      'shop.yaml:7:27: services.shop.servers[0].address: the address of the service itself; if that server is to be reached there, use mode "direct"',
    ],
    [
      '    tls:',
      '    clientSide: wam\n    tls:',
      'shop.yaml:8:17: services.shop.clientSide: no interface is called "wam"; did you mean "wan"?',
    ],
    [
      '  lan: { device: eth1 }',
      '  dmz: { device: eth1 }',
      'shop.yaml:6:5: services.shop.serverSide: missing: no interface is called "lan", so say which of "wan", "dmz" it is',
    ],
    [
      'device: eth1',
      'device: eth0',
      'shop.yaml:3:18: interfaces.lan.device: "eth0" is interface "wan" already; for one arm, give both sides of the service that name',
    ],
    [
      'interfaces:',
      'workers: 2\ncpus: [1]\ninterfaces:',
      'shop.yaml:2:7: cpus: expected one CPU for each worker, that is 2, got 1',
    ],
    [
      'interfaces:',
      'workers: 2\ncpus: [1, 3]\ninterfaces:',
      'shop.yaml:2:11: cpus[1]: this version pins workers to consecutive CPUs: expected 2',
    ],
    [
      'interfaces:',
      'busyPoll: 2s\ninterfaces:',
      'shop.yaml:1:11: busyPoll: expected a time with its unit, from "0us" to "1s", or "always", got "2s"',
    ],
    [
      'interfaces:',
      'secure: { place: remote }\ninterfaces:',
      'shop.yaml:1:9: secure.remote: missing: place "remote" needs the address and certificates',
    ],
    [
      'interfaces:',
      'secure: { remote: { address: "far:7000", certificate: a, key: b, ca: c } }\ninterfaces:',
      'shop.yaml:1:19: secure.remote: has no effect with place "thread"',
    ],
    [
      'interfaces:',
      'secure: { place: remote, remote: { address: far, certificate: a, key: b, ca: c } }\ninterfaces:',
      'shop.yaml:1:45: secure.remote.address: expected "HOST:PORT", got "far"',
    ],
    ['interfaces:', 'metrics:\ninterfaces:', 'shop.yaml:1:9: metrics: expected a mapping, got nothing'],
    [
      'interfaces:',
      'metrcis: { port: 9090 }\ninterfaces:',
      'shop.yaml:1:1: metrcis: unknown key; did you mean "metrics"?',
    ],
  ])('with %j as %j says exactly what is wrong', (from, to, problem) => {
    expect(good).toContain(from)
    expect(problemsOf(good.replace(from, to))).toEqual([problem])
  })

  it('reports every problem of a file at once, in the order of its lines', () => {
    const text = good
      .replace('port: xsk', 'prot: xsk')
      .replace('port: 443', 'port: https')
      .replace('port: 80', 'port: 0')
      .replace('key: shop.key', 'kee: shop.key')
    const lines = problemsOf(text).map((problem) => problem.split(':').slice(1, 2).join())
    expect(lines).toEqual(['2', '6', '7', '8', '8'])
  })

  it('wants at least one interface and one service', () => {
    expect(problemsOf('interfaces: {}\nservices: {}\n')).toEqual([
      'shop.yaml:1:13: interfaces: there must be at least one',
      'shop.yaml:2:11: services: there must be at least one',
    ])
  })

  it('checks a sound service although another one is broken', () => {
    const other = `  other:
    mode: balance
    listen: { address: 203.0.113.11, port: 443 }
    servers: [ { address: 203.0.113.11, port: 80 } ]
    tls: { certificates: [ { certificate: shop.crt, key: shop.key } ] }
`
    const problems = problemsOf(good.replace('port: 443', 'port: https') + other)
    expect(problems).toHaveLength(2)
    expect(problems[1]).toContain('services.other.servers[0].address: the address of the service itself')
  })

  it('refuses two services at one listener, however its address is spelled', () => {
    const service = (address: string) => `
    listen: { address: "${address}", port: 443 }
    servers: [ { address: "${address}", port: 80 } ]
    tls: { certificates: [ { certificate: a.crt, key: a.key } ] }`
    const text = `interfaces: { one: { device: eth0 } }
services:
  a:${service('2001:db8::1')}
  b:${service('2001:0db8:0:0::1')}
`
    expect(problemsOf(text)).toEqual(['shop.yaml:8:13: services.b.listen: service "a" listens there already'])
  })

  it('uses the only interface for both sides (one arm)', () => {
    const text = good.replace('  lan: { device: eth1 }\n', '').replace('wan:', 'arm:')
    const service = parseSource(parseText('shop.yaml', text), '/').services.get('shop')
    expect([service?.clientSide, service?.serverSide]).toEqual(['arm', 'arm'])
  })

  it.each([
    ['', 'shop.yaml:1:1: expected a mapping, got nothing'],
    ['- a\n', 'shop.yaml:1:1: expected a mapping, got a list'],
    ['just words', 'shop.yaml:1:1: expected a mapping, got "just words"'],
    ['a: [1\nb: 2', 'shop.yaml:2:1: flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a: 1\na: 2', 'shop.yaml:2:1: map keys must be unique'],
    ['a: "open', 'shop.yaml:1:9: missing closing "quote'],
  ])('%j as a whole file says %j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  it('never prints a private key that was pasted where its path belongs', () => {
    const pasted = good.replace('port: xsk', 'port: "-----BEGIN PRIVATE KEY-----\\nsecret"')
    const text = problemsOf(pasted).join('\n')
    expect(text).toContain('got PEM text (give the path of a file)')
    expect(text).not.toContain('secret')
  })

  it('refuses text that is nested however deep', () => {
    for (const opening of [': ', '- ', '[ ', '{a: '])
      for (const depth of [10, 1_000, 100_000])
        expect(problemsOf(opening.repeat(depth)).join()).toMatch(/^shop\.yaml:\d+:\d+: ./)
  })

  it('never prints a private key that was pasted where a key of the file belongs', () => {
    const pasted = good.replace('services:', '? "-----BEGIN PRIVATE KEY----- MIIEvQ"\n: 1\nservices:')
    expect(problemsOf(pasted).join()).not.toContain('MIIEvQ')
  })

  it('follows anchors, and stops at an alias bomb', () => {
    const anchored = good.replace('{ device: eth0, port: xsk }', '&side { device: eth0, port: xsk }')
    expect(problemsOf(anchored.replace('lan: { device: eth1 }', 'lan: *side'))[0]).toContain('interfaces.lan.device')
    const lines = ['a: &a0 [x,x,x,x,x,x,x,x,x,x]']
    for (let level = 1; level < 9; level++) lines.push(`b${level}: &a${level} [${`*a${level - 1},`.repeat(10)}]`)
    expect(problemsOf(lines.join('\n')).join()).toMatch(/alias/i)
  })
})

describe('files', () => {
  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const rejection = (file: string) =>
    readConfig(file).then(
      () => undefined,
      (error: unknown) => error as CutwaterError,
    )

  it.each([
    ['a.ts', (value: string) => `import type {} from 'node:fs'\nexport const config: object = ${value}\n`],
    ['a.mts', (value: string) => `export default ${value} satisfies object\n`],
    ['a.mjs', (value: string) => `export default ${value}\n`],
    ['a.js', (value: string) => `export const config = ${value}\n`],
    ['a.json', (value: string) => value],
    ['a.yml', (value: string) => value],
  ])('%s gives the same as YAML', async (name, wrap) => {
    const expected = parseSource(parseText('x', good), folder)
    const value: ConfigInput = {
      interfaces: { wan: { device: 'eth0', port: 'xsk' }, lan: { device: 'eth1' } },
      services: {
        shop: {
          listen: { address: '203.0.113.10', port: 443 },
          servers: [{ address: '203.0.113.10', port: 80 }],
          tls: { certificates: [{ certificate: 'shop.crt', key: 'shop.key' }] },
        },
      },
    }
    expect(await readConfig(write(name, wrap(JSON.stringify(value))))).toEqual(expected)
  })

  it('names the line of a mistake in JSON', async () => {
    const file = write('bad.json', '{\n  "interfaces": {},\n  "services": [],\n  "workers": "two"\n}\n')
    expect((await rejection(file))?.problems).toEqual([
      `${file}:3:15: services: expected a mapping from the name of a service to its keys, got a list`,
      `${file}:4:14: workers: expected a number of workers, 1 to 64, got "two"`,
    ])
  })

  it.each([
    ['missing.yaml', undefined, 'CONFIG_UNREADABLE', 'no such file'],
    ['config.toml', 'a = 1', 'CONFIG_UNREADABLE', 'cannot tell what kind of file this is'],
    ['empty.mjs', 'export const other = 1', 'CONFIG_INVALID', 'expected a default export, or one named "config"'],
    ['throws.mjs', 'throw new Error("no luck")', 'CONFIG_UNREADABLE', 'no luck'],
    ['broken.ts', 'export const config = {', 'CONFIG_UNREADABLE', ''],
  ])('%s is refused', async (name, text, code, message) => {
    const file = text === undefined ? join(folder, name) : write(name, text)
    const error = await rejection(file)
    expect(error?.code).toBe(code)
    expect(error?.message).toContain(message)
    expect(error?.message).toContain(name)
  })

  it('takes paths relative to the file, and to a given directory for a value', async () => {
    const file = write('paths.yaml', good)
    const tls = (await readConfig(file)).services.get('shop')?.tls
    expect(tls?.certificates[0]?.keyPath).toBe(join(folder, 'shop.key'))
  })
})

describe('values', () => {
  it('has no lines, but the same words', () => {
    const error = catchError(() => parseConfig({ interfaces: {}, services: {}, workers: 0 }))
    expect(error.problems).toEqual(['configuration: workers: expected a number of workers, 1 to 64, got 0'])
  })

  it.each([undefined, null, 1, 'text', [], () => 1])('%o is no configuration', (value) => {
    expect(catchError(() => parseConfig(value)).code).toBe('CONFIG_INVALID')
  })
})
