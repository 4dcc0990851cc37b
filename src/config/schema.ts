/**
 * The configuration as people write it. Every key has its meaning, default and limits here and nowhere else;
 * docs/configuration.md is checked against this file, `defaults.ts` turns it into what the appliance runs on.
 */
import { z } from 'zod'

import { suiteNames } from './suites.js'
import {
  addressPrefix,
  choice,
  device,
  duration,
  durationOr,
  integer,
  ipAddress,
  list,
  mapping,
  name,
  named,
  oneOfMany,
  port,
  text,
} from './values.js'

export const modes = ['direct', 'balance', 'proxy'] as const
export const protocols = ['tls', 'tcp', 'tls-passthrough'] as const
export const congestionControls = ['cubic', 'bbr'] as const
export const releases = ['whole-record', 'streaming'] as const

/** One side of the appliance: a network device and how packets are taken from it. */
export const interfaceSchema = mapping({
  device: device(),
  port: choice(['xsk', 'packet']).default('xsk'),
  attach: choice(['auto', 'driver', 'generic']).default('auto'),
  copy: choice(['auto', 'zero-copy', 'copy']).default('auto'),
  vlan: integer(0, 4094, 'a VLAN number').default(0),
})

const endpointShape = { address: ipAddress(), port: port() }

export const serverSchema = mapping({
  ...endpointShape,
  name: name('the name of a server').optional(),
  weight: integer(0, 1_000, 'a weight').default(1),
  maxSessions: integer(0, 16_777_216, 'a number of sessions').default(0),
})

export const algorithms = ['least-sessions', 'round-robin', 'two-choices', 'consistent-hash'] as const

/** How a service with several servers uses them. */
export const balanceSchema = mapping({
  algorithm: choice(algorithms).default('least-sessions'),
  hash: choice(['address-and-port', 'address']).optional(),
  hashKey: text('any text that all nodes have in common').optional(),
  slowStart: duration({ min: '0s', max: '1h' }).default('0s'),
  drainLimit: duration({ min: '0s', max: '7d' }).default('10m'),
  failures: integer(0, 1_000, 'a number of failures').default(3),
  shunFor: duration({ min: '100ms', max: '1h' }).default('10s'),
  pool: list(ipAddress(), 'addresses', { min: 1, max: 256 }).optional(),
  proxyProtocol: choice(['none', 'v2', 'v2-tls']).default('none'),
  announce: choice(['auto', 'never']).default('auto'),
})

/** How the appliance finds out whether a server works. */
export const healthSchema = mapping({
  check: choice(['tcp', 'http']).default('tcp'),
  interval: duration({ min: '100ms', max: '1h' }).default('2s'),
  timeout: duration({ min: '10ms', max: '1m' }).default('1s'),
  rise: integer(1, 100, 'a number of checks').default(2),
  fall: integer(1, 100, 'a number of checks').default(3),
  port: port().optional(),
  path: z
    .string('expected a path that begins with "/"')
    .regex(/^\/[!-~]*$/, 'expected a path that begins with "/"')
    .optional(),
  host: name('a host name').optional(),
  status: list(integer(100, 599, 'an HTTP status'), 'HTTP statuses', { min: 1, max: 32 }).optional(),
})

export const certificateSchema = mapping({
  certificate: text('the path of a PEM file with the certificate and its chain'),
  key: text('the path of a PEM file with the private key'),
})

// YAML reads an unquoted 1.3 as a number; there is no doubt what was meant.
const versionSchema = z.preprocess(
  (value) => (value === 1.2 || value === 1.3 ? String(value) : value),
  choice(['1.2', '1.3']),
)

export const tlsSchema = mapping({
  versions: list(versionSchema, 'versions', { min: 1, max: 2 }).default(['1.2', '1.3']),
  certificates: list(certificateSchema, 'certificates', { min: 1, max: 1_024 }),
  protocols: list(
    text('a protocol name such as "h2" or "http/1.1"').max(255, 'expected at most 255 bytes'),
    'protocols',
    {
      min: 0,
      max: 32,
    },
  ).default([]),
  suites: list(oneOfMany(suiteNames, 'the IANA name of an AEAD suite'), 'suites', { min: 1, max: 32 }).optional(),
  clientAuth: choice(['none', 'optional', 'required']).default('none'),
  clientCa: text('the path of a PEM file with the accepted issuers').optional(),
  requireKnownName: z.boolean('expected true or false').default(false),
  sessionLifetime: duration({ min: '0s', max: '7d' }).default('2h'),
  tickets: integer(0, 16, 'a number of tickets').default(2),
  legacyRsaKeyExchange: z.boolean('expected true or false').default(false),
})

/** TLS with the servers, as their client. */
export const serverTlsSchema = mapping({
  verify: choice(['full', 'none']).default('full'),
  name: z
    .string('expected a host name or an IP address')
    .regex(/^[\w.:-]{1,253}$/, 'expected a host name or an IP address')
    .optional(),
  ca: text('the path of a PEM file with the accepted issuers').optional(),
  certificate: text('the path of a PEM file with the certificate and its chain').optional(),
  key: text('the path of a PEM file with the private key').optional(),
  versions: list(versionSchema, 'versions', { min: 1, max: 2 }).default(['1.2', '1.3']),
  truncation: choice(['reset', 'forward']).default('reset'),
})

export const timeoutsSchema = mapping({
  idle: duration({ min: '1s', max: '7d' }).default('5m'),
  handshake: duration({ min: '100ms', max: '5m' }).default('10s'),
})

/** What becomes of hellos that match: every part that is set must. */
export const helloRuleSchema = mapping({
  source: addressPrefix().optional(),
  name: text('a name such as "shop.example" or "*.example"').max(255, 'expected at most 255 bytes').optional(),
  protocol: text('a protocol name such as "h2"').max(255, 'expected at most 255 bytes').optional(),
  fingerprint: z
    .string('expected a JA4 fingerprint')
    .regex(/^[tq][0-9sd]{2}[di]\d{4}\w{2}_[0-9a-f]{12}_[0-9a-f]{12}$/, 'expected a JA4 fingerprint')
    .optional(),
  action: choice(['allow', 'deny', 'limit']),
  perSecond: integer(1, 1_000_000, 'hellos a second').default(10),
  burst: integer(1, 1_000_000, 'a number of hellos').default(20),
})

export const helloSchema = mapping({
  retry: choice(['never', 'auto', 'always']).default('auto'),
  queueTimeout: duration({ min: '10ms', max: '1m' }).default('3s'),
  rules: list(helloRuleSchema, 'rules', { min: 0, max: 256 }).default([]),
})

const token = (what: string) => text(what).regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, `expected ${what}`)
const visible = (what: string) => z.string(`expected ${what}`).regex(/^[ -~]{0,1024}$/, `expected ${what}`)
const urlPath = (what: string) => z.string(`expected ${what}`).regex(/^\/[!-~]{0,1023}$/, `expected ${what}`)

const fieldMatch = (what: string) =>
  mapping({
    name: token(`the name of a ${what}`),
    value: visible(`the value of a ${what}: printable characters`).optional(),
  })

/** What a route looks at: every part that is set must match. */
export const matchSchema = mapping({
  sni: text('a name such as "shop.example" or "*.example"').max(255, 'expected at most 255 bytes').optional(),
  alpn: text('a protocol name such as "h2"').max(255, 'expected at most 255 bytes').optional(),
  method: list(token('an HTTP method such as "GET"'), 'methods', { min: 1, max: 16 }).optional(),
  host: text('a name such as "shop.example" or "*.example"').max(255, 'expected at most 255 bytes').optional(),
  path: urlPath('a path that begins with "/"').optional(),
  exactPath: urlPath('a path that begins with "/"').optional(),
  header: fieldMatch('header').optional(),
  cookie: fieldMatch('cookie').optional(),
})

/** Parts of a match that are read in each HTTP/1.1 request, not in the hello. */
export const requestParts = ['method', 'host', 'path', 'exactPath', 'header', 'cookie'] as const

export const routeSchema = mapping({
  match: matchSchema.prefault({}),
  servers: list(text('the name of a server'), 'names of servers', { min: 1, max: 1_024 }),
})

/** HTTP/1.1 read and guarded, each request. */
export const httpSchema = mapping({
  forwarded: z.boolean('expected true or false').default(false),
  maxHead: integer(1_024, 65_536, 'a number of bytes').default(16_384),
})

/** What the appliance has acknowledged to a client and sends to the server itself. */
export const custodySchema = mapping({
  congestion: choice(congestionControls).default('cubic'),
})

/** One listener. */
export const serviceSchema = mapping({
  mode: choice(modes).default('direct'),
  protocol: choice(protocols).default('tls'),
  clientSide: name('the name of an interface').optional(),
  serverSide: name('the name of an interface').optional(),
  listen: mapping(endpointShape),
  alsoListen: list(mapping(endpointShape), 'addresses and ports', { min: 0, max: 64 }).default([]),
  servers: list(serverSchema, 'servers', { min: 1, max: 1_024 }),
  routes: list(routeSchema, 'routes', { min: 1, max: 64 }).optional(),
  http: httpSchema.optional(),
  balance: balanceSchema.optional(),
  health: healthSchema.optional(),
  truncation: choice(['reset', 'forward']).default('reset'),
  release: choice(releases).default('whole-record'),
  custody: custodySchema.prefault({}),
  timeouts: timeoutsSchema.prefault({}),
  rekeyAfterRecords: integer(0, Number.MAX_SAFE_INTEGER, 'a number of records').default(0),
  hello: helloSchema.prefault({}),
  tls: tlsSchema.optional(),
  serverTls: serverTlsSchema.optional(),
})

/** Secure processors on another host: where, and how both prove who they are. */
export const remoteSchema = mapping({
  address: text('"HOST:PORT"').regex(/^.+:\d{1,5}$/, 'expected "HOST:PORT"'),
  name: text('the name in its certificate').optional(),
  certificate: text('the path of a PEM file'),
  key: text('the path of a PEM file'),
  ca: text('the path of a PEM file'),
})

export const secureSchema = mapping({
  place: choice(['thread', 'process', 'remote']).default('thread'),
  remote: remoteSchema.optional(),
})

export const metricsSchema = mapping({
  address: ipAddress().default('127.0.0.1'),
  port: port(),
})

export const configSchema = mapping({
  name: name('the name of this instance').default('cutwater'),
  interfaces: named('an interface', interfaceSchema),
  services: named('a service', serviceSchema),
  workers: integer(1, 64, 'a number of workers').default(1),
  cpus: list(integer(0, 4_095, 'a CPU number'), 'CPU numbers', { min: 1, max: 64 }).optional(),
  secureThreads: integer(1, 64, 'a number of threads').default(1),
  secure: secureSchema.prefault({}),
  maxFlows: integer(64, 16_777_216, 'a number of flows').default(65_536),
  maxHalfOpen: integer(64, 16_777_216, 'a number of clients').default(65_536),
  maxHandshakes: integer(64, 1_048_576, 'a number of handshakes').default(8_192),
  chunks: integer(1_024, 4_194_304, 'a number of chunks').default(16_384),
  busyPoll: durationOr('always', { min: '0us', max: '1s' }).default('50us'),
  aead: choice(['ipsec-mb', 'openssl']).optional(),
  keyLog: text('the path of a file').optional(),
  metrics: metricsSchema.optional(),
})

/** What may be written in a configuration file or handed to `Appliance.start`. */
export type ConfigInput = z.input<typeof configSchema>
export type ServiceInput = z.input<typeof serviceSchema>
export type InterfaceInput = z.input<typeof interfaceSchema>
export type Algorithm = (typeof algorithms)[number]
export type Mode = (typeof modes)[number]
export type Protocol = (typeof protocols)[number]
export type Release = (typeof releases)[number]
export type CongestionControl = (typeof congestionControls)[number]

/**
 * Gives a TypeScript configuration its types.
 *
 * @example
 * export const config = defineConfig({ interfaces: { … }, services: { … } })
 */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
