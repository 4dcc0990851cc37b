/** From what was written to what the appliance runs on: units in names, paths absolute, choices made. */
import { resolve } from 'node:path'

import type { z } from 'zod'

import {
  type CongestionControl,
  type Algorithm,
  balanceSchema,
  type configSchema,
  httpSchema,
  type Mode,
  type Protocol,
  type Release,
  requestParts,
  type serviceSchema,
} from './schema.js'
import { suites, type SuiteName } from './suites.js'
import { parsePrefix, toMs } from './values.js'

export interface Config {
  readonly name: string
  readonly interfaces: ReadonlyMap<string, InterfaceConfig>
  readonly services: ReadonlyMap<string, ServiceConfig>
  readonly workers: WorkersConfig
  /** Where TLS handshakes are worked on, and the private keys are. */
  readonly secure: SecureConfig
  readonly aead: 'ipsec-mb' | 'openssl' | 'fastest'
  readonly keyLogPath: string | undefined
  readonly metrics: Endpoint | undefined
}

export interface SecureConfig {
  readonly place: 'thread' | 'process' | 'remote'
  readonly remote: RemoteConfig | undefined
}

/** Secure processors on another host. */
export interface RemoteConfig {
  /** "host:port". */
  readonly address: string
  /** That its certificate must have. */
  readonly name: string
  readonly certificatePath: string
  readonly keyPath: string
  readonly caPath: string
}

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface InterfaceConfig {
  readonly device: string
  readonly port: 'xsk' | 'packet'
  readonly attach: 'auto' | 'driver' | 'generic'
  readonly copy: 'auto' | 'zero-copy' | 'copy'
  /** 0: untagged. */
  readonly vlan: number
}

export interface WorkersConfig {
  readonly count: number
  /** The first worker's CPU; the others follow. Undefined: not pinned. */
  readonly firstCpu: number | undefined
  readonly secureThreads: number
  readonly maxFlows: number
  readonly maxHalfOpen: number
  /** At the secure processors, over all their threads. */
  readonly maxHandshakes: number
  readonly chunks: number
  /** Infinity: never sleeps. */
  readonly busyPollUs: number
}

export interface ServiceConfig {
  readonly mode: Mode
  /** What clients speak, and whether it is opened here. */
  readonly protocol: Protocol
  readonly clientSide: string
  readonly serverSide: string
  readonly listen: Endpoint
  readonly alsoListen: readonly Endpoint[]
  readonly servers: readonly ServerConfig[]
  /** In order; the first that matches. Empty: all servers for everybody. */
  readonly routes: readonly RouteConfig[]
  /** Undefined: what clients and servers say is not looked at. */
  readonly http: HttpConfig | undefined
  readonly balance: BalanceConfig
  /** Undefined: servers are not checked, only watched. */
  readonly health: HealthConfig | undefined
  readonly truncation: 'reset' | 'forward'
  readonly release: Release
  /** Of what is sent from custody. */
  readonly custodyCongestion: CongestionControl
  readonly idleTimeoutMs: number
  readonly handshakeTimeoutMs: number
  /** 0: the suite's own limit. */
  readonly rekeyAfterRecords: number
  readonly hello: HelloConfig
  /** Undefined unless `protocol` is "tls". */
  readonly tls: TlsConfig | undefined
  /** Undefined: servers are spoken to in clear. */
  readonly serverTls: ServerTlsConfig | undefined
}

/** Empty parts match everything. Names and header names are in lower case. */
export interface RouteConfig {
  readonly sni: string
  readonly alpn: string
  readonly methods: readonly string[]
  readonly host: string
  readonly path: string
  readonly isPathExact: boolean
  readonly header: FieldMatch
  readonly cookie: FieldMatch
  /** Indices into `ServiceConfig.servers`. */
  readonly servers: readonly number[]
}

/** No name: anything. No value: it must be there. */
export interface FieldMatch {
  readonly name: string
  readonly value: string
  readonly hasValue: boolean
}

export interface HttpConfig {
  /** Whether servers are told of the client by X-Forwarded-For and X-Forwarded-Proto. */
  readonly isForwarded: boolean
  readonly maxHeadBytes: number
}

export interface HelloConfig {
  readonly retry: 'never' | 'auto' | 'always'
  readonly queueTimeoutMs: number
  readonly rules: readonly HelloRule[]
}

/** Empty parts match everything. */
export interface HelloRule {
  readonly source: { readonly address: string; readonly bits: number } | undefined
  readonly name: string
  readonly protocol: string
  readonly fingerprint: string
  readonly action: 'allow' | 'deny' | 'limit'
  readonly perSecond: number
  readonly burst: number
}

export interface ServerConfig extends Endpoint {
  readonly name: string
  readonly weight: number
  /** 0: no cap. */
  readonly maxSessions: number
}

export interface BalanceConfig {
  readonly algorithm: Algorithm
  readonly hash: 'address-and-port' | 'address'
  readonly hashKey: string
  readonly slowStartMs: number
  readonly drainLimitMs: number
  /** 0: failures shun nobody. */
  readonly failures: number
  readonly shunForMs: number
  /** Empty: servers see the client's own address. */
  readonly pool: readonly string[]
  readonly proxyProtocol: 'none' | 'v2' | 'v2-tls'
  readonly announce: 'auto' | 'never'
}

export interface HealthConfig {
  readonly check: 'tcp' | 'http'
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
  /** Undefined: the server's own. */
  readonly port: number | undefined
  readonly path: string
  /** Undefined: the server's address. */
  readonly host: string | undefined
  /** Statuses that count as well. */
  readonly status: readonly number[]
}

export interface TlsConfig {
  readonly versions: readonly ('1.2' | '1.3')[]
  readonly certificates: readonly CertificatePaths[]
  readonly protocols: readonly string[]
  /** IANA numbers in order of preference; empty: all. */
  readonly suites: readonly number[]
  readonly clientAuth: 'none' | 'optional' | 'required'
  readonly clientCaPath: string | undefined
  readonly requireKnownName: boolean
  readonly sessionLifetimeS: number
  readonly tickets: number
  readonly legacyRsaKeyExchange: boolean
}

/** TLS with the servers, as their client. */
export interface ServerTlsConfig {
  readonly verify: 'full' | 'none'
  /** That their certificates must have; a host name is sent as SNI. Empty: none. */
  readonly name: string
  readonly caPath: string | undefined
  readonly certificate: CertificatePaths | undefined
  readonly versions: readonly ('1.2' | '1.3')[]
  readonly truncation: 'reset' | 'forward'
}

export interface CertificatePaths {
  readonly certificatePath: string
  readonly keyPath: string
}

type Written = z.output<typeof configSchema>
type WrittenService = z.output<typeof serviceSchema>

/** Which interface a side means when the service does not say: the only one, or the one of the usual name. */
export function sideOf(
  service: WrittenService,
  side: 'clientSide' | 'serverSide',
  interfaces: readonly string[],
): string {
  const said = service[side]
  if (said !== undefined) return said
  if (interfaces.length === 1 && interfaces[0] !== undefined) return interfaces[0]
  return side === 'clientSide' ? 'wan' : 'lan'
}

/** Requires: `written` has passed every check. Relative paths start at `directory`. */
export function toConfig(written: Written, directory: string): Config {
  const interfaces = Object.keys(written.interfaces)
  return {
    name: written.name,
    interfaces: new Map(Object.entries(written.interfaces)),
    services: new Map(
      Object.entries(written.services).map(([name, service]) => [name, toService(service, interfaces, directory)]),
    ),
    workers: {
      count: written.workers,
      firstCpu: written.cpus?.[0],
      secureThreads: written.secureThreads,
      maxFlows: written.maxFlows,
      maxHalfOpen: written.maxHalfOpen,
      maxHandshakes: written.maxHandshakes,
      chunks: written.chunks,
      busyPollUs: written.busyPoll === 'always' ? Infinity : Math.round(ms(written.busyPoll) * 1_000),
    },
    secure: toSecure(written.secure, directory),
    aead: written.aead ?? 'fastest',
    keyLogPath: written.keyLog === undefined ? undefined : resolve(directory, written.keyLog),
    metrics: written.metrics,
  }
}

function toService(service: WrittenService, interfaces: readonly string[], directory: string): ServiceConfig {
  return {
    mode: service.mode,
    protocol: service.protocol,
    clientSide: sideOf(service, 'clientSide', interfaces),
    serverSide: sideOf(service, 'serverSide', interfaces),
    listen: service.listen,
    alsoListen: service.alsoListen,
    servers: service.servers.map((server) => ({
      name: server.name ?? formatEndpoint(server),
      address: server.address,
      port: server.port,
      weight: server.weight,
      maxSessions: server.maxSessions,
    })),
    routes: toRoutes(service),
    http: readsRequests(service) ? toHttp(service.http ?? httpSchema.parse({})) : undefined,
    balance: toBalance(service.balance ?? balanceSchema.parse({})),
    health: service.health === undefined ? undefined : toHealth(service.health),
    truncation: service.truncation,
    release: service.release,
    custodyCongestion: service.custody.congestion,
    idleTimeoutMs: ms(service.timeouts.idle),
    handshakeTimeoutMs: ms(service.timeouts.handshake),
    rekeyAfterRecords: service.rekeyAfterRecords,
    hello: toHello(service.hello),
    tls: service.tls === undefined ? undefined : toTls(service.tls, directory),
    serverTls: service.serverTls === undefined ? undefined : toServerTls(service.serverTls, directory),
  }
}

/** Whether HTTP/1.1 is read: a route looks at requests, or the service says so. */
export function readsRequests({ http, routes = [] }: WrittenService): boolean {
  return http !== undefined || routes.some(({ match }) => requestParts.some((part) => match[part] !== undefined))
}

function toRoutes({ routes = [], servers }: WrittenService): RouteConfig[] {
  const names = servers.map((server) => server.name ?? formatEndpoint(server))
  return routes.map(({ match, servers: wanted }) => ({
    sni: (match.sni ?? '').toLowerCase(),
    alpn: match.alpn ?? '',
    methods: match.method ?? [],
    host: (match.host ?? '').toLowerCase(),
    path: match.exactPath ?? match.path ?? '',
    isPathExact: match.exactPath !== undefined,
    header: toFieldMatch(match.header, (name) => name.toLowerCase()),
    cookie: toFieldMatch(match.cookie, (name) => name),
    servers: wanted.map((name) => names.indexOf(name)),
  }))
}

function toFieldMatch(
  field: { name: string; value?: string | undefined } | undefined,
  spell: (name: string) => string,
): FieldMatch {
  return { name: spell(field?.name ?? ''), value: field?.value ?? '', hasValue: field?.value !== undefined }
}

function toHttp({ forwarded, maxHead }: NonNullable<WrittenService['http']>): HttpConfig {
  return { isForwarded: forwarded, maxHeadBytes: maxHead }
}

function toHello(hello: WrittenService['hello']): HelloConfig {
  return {
    retry: hello.retry,
    queueTimeoutMs: ms(hello.queueTimeout),
    rules: hello.rules.map((rule) => ({
      source: rule.source === undefined ? undefined : parsePrefix(rule.source),
      name: (rule.name ?? '').toLowerCase(),
      protocol: rule.protocol ?? '',
      fingerprint: rule.fingerprint ?? '',
      action: rule.action,
      perSecond: rule.perSecond,
      burst: rule.burst,
    })),
  }
}

function toBalance(balance: NonNullable<WrittenService['balance']>): BalanceConfig {
  return {
    algorithm: balance.algorithm,
    hash: balance.hash ?? 'address-and-port',
    hashKey: balance.hashKey ?? '',
    slowStartMs: ms(balance.slowStart),
    drainLimitMs: ms(balance.drainLimit),
    failures: balance.failures,
    shunForMs: ms(balance.shunFor),
    pool: balance.pool ?? [],
    proxyProtocol: balance.proxyProtocol,
    announce: balance.announce,
  }
}

function toHealth(health: NonNullable<WrittenService['health']>): HealthConfig {
  return {
    check: health.check,
    intervalMs: ms(health.interval),
    timeoutMs: ms(health.timeout),
    rise: health.rise,
    fall: health.fall,
    port: health.port,
    path: health.path ?? '/',
    host: health.host,
    status: health.status ?? [200],
  }
}

function toTls(tls: NonNullable<WrittenService['tls']>, directory: string): TlsConfig {
  return {
    versions: tls.versions,
    certificates: tls.certificates.map(({ certificate, key }) => ({
      certificatePath: resolve(directory, certificate),
      keyPath: resolve(directory, key),
    })),
    protocols: tls.protocols,
    suites: (tls.suites ?? []).map((suite: SuiteName) => suites[suite].iana),
    clientAuth: tls.clientAuth,
    clientCaPath: tls.clientCa === undefined ? undefined : resolve(directory, tls.clientCa),
    requireKnownName: tls.requireKnownName,
    sessionLifetimeS: Math.round(ms(tls.sessionLifetime) / 1_000),
    tickets: tls.tickets,
    legacyRsaKeyExchange: tls.legacyRsaKeyExchange,
  }
}

function toServerTls(tls: NonNullable<WrittenService['serverTls']>, directory: string): ServerTlsConfig {
  const { verify, name, ca, certificate, key, versions, truncation } = tls
  return {
    verify,
    name: name ?? '',
    caPath: ca === undefined ? undefined : resolve(directory, ca),
    certificate:
      certificate === undefined || key === undefined
        ? undefined
        : { certificatePath: resolve(directory, certificate), keyPath: resolve(directory, key) },
    versions,
    truncation,
  }
}

function toSecure({ place, remote }: Written['secure'], directory: string): SecureConfig {
  if (remote === undefined) return { place, remote }
  const { address, certificate, key, ca } = remote
  return {
    place,
    remote: {
      address,
      name: remote.name ?? address.slice(0, address.lastIndexOf(':')),
      certificatePath: resolve(directory, certificate),
      keyPath: resolve(directory, key),
      caPath: resolve(directory, ca),
    },
  }
}

/** All addresses and ports of a service, as a line for people. */
export function formatListen({ listen, alsoListen }: ServiceConfig): string {
  return [listen, ...alsoListen].map(formatEndpoint).join(', ')
}

/** "192.0.2.1:443" or "[2001:db8::1]:443". */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function ms(duration: string): number {
  return toMs(duration) ?? 0
}
