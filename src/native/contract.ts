/**
 * The types of the add-on. native/addon/convert.cpp reads and writes exactly these; a change here is a change there.
 * Everything is checked before it gets this far; the add-on checks again, for shape only.
 */

import type { Micro } from './micro-contract.js'

export interface NativeInterface {
  readonly name: string
  readonly device: string
  readonly port: 'xsk' | 'packet'
  readonly attach: 'auto' | 'driver' | 'generic'
  readonly copy: 'auto' | 'zero-copy' | 'copy'
  readonly vlan: number
}

export interface NativeEndpoint {
  readonly address: string
  readonly port: number
}

export interface NativeServer extends NativeEndpoint {
  readonly name: string
  readonly weight: number
  readonly maxSessions: number
}

export interface NativeBalance {
  readonly algorithm: 'least-sessions' | 'round-robin' | 'two-choices' | 'consistent-hash'
  readonly hash: 'address-and-port' | 'address'
  /** 16 bytes. */
  readonly hashKey: Uint8Array
  readonly slowStartMs: number
  readonly drainLimitMs: number
  readonly failures: number
  readonly shunForMs: number
  readonly pool: readonly string[]
  readonly proxyProtocol: 'none' | 'v2' | 'v2-tls'
  readonly announce: 'auto' | 'never'
}

/** PEM as bytes, so that the key can be overwritten once the engine has it. Names are for messages. */
export interface NativeCertificate {
  readonly name: string
  readonly keyName: string
  readonly chain: Uint8Array
  readonly key: Uint8Array
}

export interface NativeTls {
  readonly allowTls12: boolean
  readonly allowTls13: boolean
  readonly certificates: readonly NativeCertificate[]
  readonly protocols: readonly string[]
  readonly suites: readonly number[]
  readonly clientAuth: 'none' | 'optional' | 'required'
  readonly clientCa: Uint8Array
  readonly requireKnownName: boolean
  readonly sessionLifetimeS: number
  readonly tickets: number
  readonly legacyRsaKeyExchange: boolean
  readonly servers: NativeServerTls
}

/** TLS with the servers. Without it all else is empty. */
export interface NativeServerTls {
  readonly isUsed: boolean
  readonly allowTls12: boolean
  readonly allowTls13: boolean
  readonly verify: 'full' | 'none'
  readonly name: string
  readonly ca: Uint8Array
  /** At most one. */
  readonly certificates: readonly NativeCertificate[]
}

export interface NativeHello {
  readonly retry: 'never' | 'auto' | 'always'
  readonly queueTimeoutMs: number
  readonly rules: readonly NativeHelloRule[]
}

export interface NativeHelloRule {
  /** Empty without a prefix. */
  readonly prefix: string
  /** Of the IPv4-mapped form: an IPv4 /24 has 120. 0: any source. */
  readonly prefixBits: number
  readonly name: string
  readonly protocol: string
  readonly fingerprint: string
  readonly action: 'allow' | 'deny' | 'limit'
  readonly perSecond: number
  readonly burst: number
}

/** Empty parts match everything. */
export interface NativeRoute {
  /** "shop.example", or "*.example" for one label; lower case. */
  readonly sni: string
  readonly alpn: string
  readonly methods: readonly string[]
  readonly host: string
  readonly path: string
  readonly isPathExact: boolean
  readonly header: NativeFieldMatch
  readonly cookie: NativeFieldMatch
  /** Indices into `NativeService.servers`. */
  readonly servers: readonly number[]
}

export interface NativeFieldMatch {
  readonly name: string
  readonly value: string
  readonly hasValue: boolean
}

export interface NativeHttp {
  readonly isRead: boolean
  readonly isForwarded: boolean
  readonly maxHeadBytes: number
}

/** One address and port of a service: a service with several is as many of these, of one name. */
export interface NativeService {
  readonly name: string
  readonly mode: 'direct' | 'balance' | 'proxy'
  /** Indices into `NativeConfig.interfaces`. */
  readonly clientInterface: number
  readonly serverInterface: number
  readonly listen: NativeEndpoint
  readonly servers: readonly NativeServer[]
  readonly routes: readonly NativeRoute[]
  readonly http: NativeHttp
  readonly balance: NativeBalance
  /** Whether TLS ends here; what does not passes untouched, with or without a look at its hello. */
  readonly handling: 'open' | 'pass' | 'pass-tls'
  /** With "open". */
  readonly tls?: NativeTls
  readonly truncation: 'reset' | 'forward'
  /** Of servers that speak TLS. */
  readonly serverTruncation: 'reset' | 'forward'
  readonly release: 'whole-record' | 'streaming'
  readonly custodyCongestion: 'cubic' | 'bbr'
  readonly idleTimeoutMs: number
  readonly handshakeTimeoutMs: number
  readonly rekeyAfterRecords: number
  readonly hello: NativeHello
}

export interface NativeConfig {
  readonly interfaces: readonly NativeInterface[]
  readonly services: readonly NativeService[]
  readonly workers: number
  /** -1: not pinned. */
  readonly firstCpu: number
  readonly secureThreads: number
  /** In "process", no service has a key: the processors read the files that `keyName` names. */
  readonly securePlace: 'thread' | 'process'
  /** The path of cutwater-secure. */
  readonly secureProgram: string
  /** What it is started with besides the number of threads. */
  readonly secureArguments: readonly string[]
  readonly maxFlows: number
  readonly maxHalfOpen: number
  readonly maxHandshakes: number
  readonly chunks: number
  /** 2^32 - 1: never sleeps. */
  readonly busyPollUs: number
  /** Empty: the fastest. */
  readonly aead: string
  /** Empty: none. */
  readonly keyLogPath: string
}

/** What a port turned out to be: never assumed, always read back from the kernel. */
export interface PortReport {
  readonly device: string
  readonly kind: string
  /** xsk: "driver" or "generic"; else empty. */
  readonly attachMode: string
  /** xsk: "zero-copy" or "copy"; else empty. */
  readonly copyMode: string
  readonly queues: number
  readonly mtu: number
  readonly ifindex: number
  readonly mac: string
}

export interface NativeStartReport {
  /** In the order of `NativeConfig.interfaces`. */
  readonly ports: readonly PortReport[]
  readonly aead: string
}

export interface CounterName {
  /** Stable, snake_case: "packets_to_clients", "drop_bad_checksum", "reset_bad_tag". */
  readonly name: string
  /** Empty when it belongs to no service. */
  readonly service: string
}

/** Something that happened to one flow: sampled and bounded, never one per packet. */
export interface FlowEvent {
  /** Since the start. */
  readonly atUs: number
  readonly kind: string
  readonly service: string
  /** "address:port" */
  readonly client: string
  readonly detail: string
}

/** One packet in or out, as the splice saw it. */
export interface TraceEntry {
  readonly atUs: number
  readonly flow: number
  readonly side: 'client' | 'server'
  readonly direction: 'rx' | 'tx'
  readonly seq: number
  readonly ack: number
  /** Already scaled. */
  readonly window: number
  readonly payloadBytes: number
  /** "S", "SA", "A", "PA", "FA", "R" … */
  readonly flags: string
  /** Record numbers carried; -1: none. */
  readonly firstRecord: number
  readonly lastRecord: number
  readonly note: string
}

export interface FlowEntry {
  readonly service: string
  readonly client: string
  readonly server: string
  readonly state: string
  /** "cut-through", "custody" or "closed". */
  readonly up: string
  readonly down: string
  readonly version: string
  readonly suite: string
  /** Towards a server that speaks TLS; empty else. */
  readonly serverVersion: string
  readonly serverSuite: string
  readonly upBytes: number
  readonly downBytes: number
  readonly ageMs: number
  readonly idleMs: number
  /** How long `up` has been what it is. */
  readonly upSinceMs: number
  /** How often `up` has been in custody; at most 65,535. */
  readonly custodies: number
  /** HTTP/1.1 requests given to servers; 0 where they are not read. */
  readonly requests: number
  /** Connections to servers kept beside the one to `server`. */
  readonly parked: number
}

/** Failed handshakes of one service since the start. */
export interface FailureReport {
  readonly service: string
  /** How many for which reason: the counters' names without "handshake_". */
  readonly reasons: readonly { readonly name: string; readonly count: number }[]
  /** The last ones, newest first: at most 16 for each worker, and one a millisecond. */
  readonly recent: readonly FailureSample[]
}

export interface FailureSample {
  readonly agoMs: number
  readonly client: string
  /** SNI, cut at 63 bytes; "" when there was none or it was not read. */
  readonly serverName: string
  readonly reason: string
  /** The alert sent or received; 0: none. */
  readonly alert: number
  readonly detail: string
}

export interface ServerEntry {
  readonly service: string
  readonly name: string
  readonly address: string
  /** "up", "shunned" (failed towards clients), "down" (failed checks), "draining" or "leaving" (taken out, flows left). */
  readonly state: string
  readonly weight: number
  /** 0: no cap. */
  readonly maxSessions: number
  readonly sessions: number
  readonly opened: number
  readonly failures: number
}

export interface BuildInfo {
  readonly version: string
  readonly openssl: string
  readonly ipsecMb: string
  readonly libxdp: string
  readonly compiler: string
}

/** One engine. Its methods throw errors with a `code`; `close` may be called twice. */
export interface NativeEngine {
  start(config: NativeConfig): NativeStartReport
  apply(services: readonly NativeService[]): void
  counterNames(): CounterName[]
  /** In the order of the last `counterNames()`; null when the list has changed since. */
  counters(): BigUint64Array | null
  takeEvents(): FlowEvent[]
  trace(capacity: number): void
  takeTrace(): TraceEntry[]
  flows(limit: number): FlowEntry[]
  failures(): FailureReport[]
  servers(): ServerEntry[]
  admit(service: string, server: string, admission: 'enabled' | 'draining'): void
  /** Returns whether that is news. */
  judge(service: string, server: string, health: 'up' | 'down'): boolean
  close(): void
}

export interface NativeModule {
  readonly Engine: new () => NativeEngine
  buildInfo(): BuildInfo
  /** For bench/micro alone. */
  readonly micro: Micro
}
