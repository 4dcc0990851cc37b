/**
 * Any text as a configuration file: a `Config`, or CONFIG_INVALID whose every line names a place in the file. Never another
 * error, never a silent half. Texts come from three sources: values built along the schema and written as YAML, stored files
 * with bytes and lines changed, and both mixed. A few hundred each time; `npm run fuzz -- config` goes on for as long as asked.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import fc from 'fast-check'
import { describe, it } from 'vitest'
import { stringify } from 'yaml'

import { parseSource } from '../../../src/config/parse.js'
import { parseText } from '../../../src/config/source.js'
import { CutwaterError } from '../../../src/errors.js'

const seconds = Number(process.env['CUTWATER_FUZZ_SECONDS'] ?? 0)
const corpus = fileURLToPath(new URL('../../fuzz/corpus/config/', import.meta.url))
const stored = readdirSync(corpus).map((file) => readFileSync(corpus + file, 'utf8'))

// ---- values along the schema, mostly right

const junk = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      null,
      true,
      -1,
      0,
      0.5,
      1e308,
      '',
      ' ',
      '1.3',
      'always',
      '5m',
      '__proto__',
      'constructor',
    ),
  },
  { weight: 2, arbitrary: fc.anything({ maxDepth: 2, withBigInt: false, withDate: true, withNullPrototype: true }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)
/** The right thing nine times in ten. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: junk })
const key = mostly(fc.constantFrom('wan', 'lan', 'shop', 'a.b', 'device', 'toString', '__proto__')).map((value) =>
  typeof value === 'string' ? value : JSON.stringify(value),
)
const address = mostly(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('203.0.113.10')))
const port = mostly(fc.integer({ min: 1, max: 65_535 }))
const length = mostly(
  fc.constantFrom('1s', '5m', '100ms', '7d', '8d', '0us', '1h30m', '1 s', '-1s', '9'.repeat(400) + 's'),
)
const endpoint = { address, port }
const record = (model: Record<string, fc.Arbitrary<unknown>>) => mostly(fc.record(model, { requiredKeys: [] }))
const whole = (model: Record<string, fc.Arbitrary<unknown>>) => mostly(fc.record(model))
const list = (item: fc.Arbitrary<unknown>) => mostly(fc.array(item, { maxLength: 3 }))

const networkDevice = mostly(
  fc.record(
    {
      device: mostly(fc.constantFrom('eth0', 'eth1')),
      port: mostly(fc.constantFrom('xsk', 'packet')),
      vlan: mostly(fc.nat(5_000)),
    },
    { requiredKeys: ['device'] },
  ),
)
const tls = mostly(
  fc.record(
    {
      certificates: list(
        whole({
          certificate: mostly(fc.constant('a.crt')),
          key: mostly(fc.constantFrom('a.key', '-----BEGIN PRIVATE KEY-----\nx')),
        }),
      ),
      versions: list(fc.constantFrom<unknown>('1.2', '1.3', 1.2, 1.3, 1.1)),
      protocols: list(fc.constantFrom('h2', 'http/1.1', '')),
      suites: list(fc.constantFrom('TLS_AES_128_GCM_SHA256', 'TLS_RSA_WITH_RC4_128_SHA', 'TLS_AES_128_GCM_SHA265')),
      clientAuth: mostly(fc.constantFrom('none', 'optional', 'required')),
      clientCa: mostly(fc.constant('ca.pem')),
      sessionLifetime: length,
      tickets: mostly(fc.nat(20)),
    },
    { requiredKeys: ['certificates'] },
  ),
)
const service = mostly(
  fc.record(
    {
      listen: whole(endpoint),
      servers: list(record({ ...endpoint, weight: mostly(fc.nat(1_200)), name: key })),
      tls,
      mode: mostly(fc.constantFrom('direct', 'balance', 'proxy')),
      clientSide: key,
      serverSide: key,
      release: mostly(fc.constantFrom('whole-record', 'streaming')),
      custody: record({ congestion: mostly(fc.constantFrom('cubic', 'bbr')) }),
      timeouts: record({ idle: length, handshake: length }),
      rekeyAfterRecords: mostly(fc.maxSafeNat()),
    },
    { requiredKeys: ['listen', 'servers', 'tls'] },
  ),
)
const config = fc.record(
  {
    interfaces: mostly(fc.dictionary(key, networkDevice, { maxKeys: 3, noNullPrototype: false })),
    services: mostly(fc.dictionary(key, service, { maxKeys: 3, noNullPrototype: false })),
    workers: mostly(fc.nat(70)),
    cpus: list(fc.nat(5_000)),
    busyPoll: length,
    metrics: whole(endpoint),
    aead: mostly(fc.constantFrom('openssl', 'ipsec-mb')),
  },
  { requiredKeys: ['interfaces', 'services'] },
)
const written = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: config }, { weight: 1, arbitrary: junk }),
    fc.constantFrom<'BLOCK' | 'FLOW'>('BLOCK', 'FLOW'),
    fc.constantFrom(1, 2, 7),
  )
  .map(([value, style, indent]) => {
    try {
      const text: unknown = stringify(value, {
        collectionStyle: style === 'FLOW' ? 'flow' : 'block',
        indent,
        aliasDuplicateObjects: true,
      })
      return typeof text === 'string' ? text : '' // nothing is no text
    } catch {
      return '' // a value that YAML has no words for
    }
  })

// ---- stored files, changed

const tokens = [
  '[',
  ']',
  '{',
  '}',
  ':',
  ': ',
  '- ',
  '? ',
  '&a ',
  '*a',
  '|\n',
  '>-\n',
  '"',
  "'",
  '\n',
  '\t',
  '\r',
  '#',
  '---\n',
  '...\n',
  '!!',
  '%',
  '<<: ',
  '\0',
  '\ufeff',
  '\ud800',
  '1e999',
  '0x',
  'null',
  '~',
  '__proto__: ',
  'interfaces: ',
  'services: ',
]
interface Change {
  readonly at: number
  readonly cut: number
  readonly put: string
  readonly times: number
}
const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(2_000),
  cut: fc.oneof({ weight: 4, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(400) }),
  put: fc.oneof(
    fc.constantFrom(...tokens),
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.nat(400).map((from) => (stored[from % stored.length] ?? '').slice(from, from + 60)),
  ),
  times: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(2, 50, 3_000) }),
})
const changed = fc
  .tuple(fc.oneof(fc.constantFrom(...stored), written), fc.array(change, { maxLength: 6 }))
  .map(([text, changes]) =>
    changes.reduce((now, { at, cut, put, times }) => {
      const from = now.length === 0 ? 0 : at % (now.length + 1)
      return (now.slice(0, from) + put.repeat(times) + now.slice(from + cut)).slice(0, 20_000)
    }, text),
  )

function require(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what)
}

/** The promise. */
function check(text: string): void {
  let parsed
  try {
    parsed = parseSource(parseText('fuzz.yaml', text), '/etc/cutwater')
  } catch (error) {
    if (!(error instanceof CutwaterError)) throw error
    require(error.code === 'CONFIG_INVALID', error.code)
    require(error.problems.length > 0, 'no problem is named')
    const lines = text.split('\n').length
    for (const problem of error.problems) {
      const line = Number(/^fuzz\.yaml:(\d+):\d+: ./s.exec(problem)?.[1])
      require(line >= 1 && line <= lines, `no place, or none that is there: ${problem}`)
      const isWord = text.includes('undefined') || !problem.includes('undefined')
      require(isWord && !/\[object|-----BEGIN/.test(problem), `says what it should not: ${problem}`)
    }
    return
  }
  require(parsed.interfaces.size > 0 && parsed.services.size > 0, 'nothing to run')
  for (const { servers, listen } of parsed.services.values())
    require(servers.length > 0 && listen.port >= 1, 'half a service')
}

const plan =
  seconds > 0
    ? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: (seconds * 1_000) / 2 }
    : { numRuns: 200, seed: 1 } // the same each time: what fails in the gate must fail again at the desk

describe('any text as a configuration', () => {
  it.each(stored)('a stored file %#', (text) => {
    check(text)
  })
  for (const [name, texts] of Object.entries({ 'written along the schema': written, 'changed by hand': changed })) {
    it(`${name}: a configuration, or problems with their places`, { timeout: (seconds + 60) * 1_000 }, () => {
      let executions = 0
      fc.assert(
        fc.property(texts, (text) => {
          executions += 1
          check(text)
        }),
        plan,
      )
      if (seconds > 0) console.log(`config, ${name}: ${executions} executions`)
    })
  }
})
