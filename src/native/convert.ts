/** From a checked configuration to the add-on's plain values. The shapes are contract.ts. */
import { createHash } from 'node:crypto'

import type { Config, RemoteConfig, ServerTlsConfig, ServiceConfig, TlsConfig } from '../config/defaults.js'
import type { Identity } from '../identity/certificate.js'
import type { ServiceIdentity } from '../identity/service-identity.js'
import { secureProgramPath } from './binding.js'
import type { NativeCertificate, NativeConfig, NativeServerTls, NativeService, NativeTls } from './contract.js'

const neverSleeps = 0xffff_ffff

/** Requires: `identities` has every service of `config`. */
export function toNativeConfig(config: Config, identities: ReadonlyMap<string, ServiceIdentity>): NativeConfig {
  const { workers } = config
  return {
    interfaces: [...config.interfaces].map(([name, { device, port, attach, copy, vlan }]) => ({
      name,
      device,
      port,
      attach,
      copy,
      vlan,
    })),
    services: toNativeServices(config, identities),
    workers: workers.count,
    firstCpu: workers.firstCpu ?? -1,
    secureThreads: workers.secureThreads,
    // Processors on another host are to the engine a process that stands for them.
    securePlace: config.secure.place === 'thread' ? 'thread' : 'process',
    secureProgram: secureProgramPath,
    secureArguments: config.secure.remote === undefined ? [] : dialArguments(config.secure.remote),
    maxFlows: workers.maxFlows,
    maxHalfOpen: workers.maxHalfOpen,
    maxHandshakes: workers.maxHandshakes,
    chunks: workers.chunks,
    busyPollUs: Math.min(workers.busyPollUs, neverSleeps),
    aead: config.aead === 'fastest' ? '' : config.aead,
    keyLogPath: config.keyLogPath ?? '',
  }
}

function dialArguments({ address, name, certificatePath, keyPath, caPath }: RemoteConfig): string[] {
  return ['--dial', address, '--name', name, '--certificate', certificatePath, '--key', keyPath, '--ca', caPath]
}

export function toNativeServices(config: Config, identities: ReadonlyMap<string, ServiceIdentity>): NativeService[] {
  const interfaces = [...config.interfaces.keys()]
  return [...config.services].flatMap(([name, service]) => {
    const identity = identities.get(name)
    if (!identity) throw new Error(`unreachable: no identity for ${name}`)
    return [service.listen, ...service.alsoListen].map((listen) => ({
      ...toNativeService(name, service, identity, interfaces),
      listen,
    }))
  })
}

/** An IPv4 address is kept as ::ffff:a.b.c.d. */
const mappedBits = 96

function toNativeService(
  name: string,
  service: ServiceConfig,
  identity: ServiceIdentity,
  interfaces: readonly string[],
): NativeService {
  return {
    name,
    mode: service.mode,
    clientInterface: interfaces.indexOf(service.clientSide),
    serverInterface: interfaces.indexOf(service.serverSide),
    listen: service.listen,
    servers: service.servers,
    routes: service.routes,
    http:
      service.http === undefined
        ? { isRead: false, isForwarded: false, maxHeadBytes: 0 }
        : { isRead: true, ...service.http },
    balance: { ...service.balance, hashKey: toHashKey(service.balance.hashKey) },
    handling: handlings[service.protocol],
    ...(service.tls === undefined ? {} : { tls: toNativeTls(service.tls, service.serverTls, identity) }),
    truncation: service.truncation,
    serverTruncation: service.serverTls?.truncation ?? 'reset',
    release: service.release,
    custodyCongestion: service.custodyCongestion,
    idleTimeoutMs: service.idleTimeoutMs,
    handshakeTimeoutMs: service.handshakeTimeoutMs,
    rekeyAfterRecords: service.rekeyAfterRecords,
    hello: {
      retry: service.hello.retry,
      queueTimeoutMs: service.hello.queueTimeoutMs,
      rules: service.hello.rules.map(({ source, ...rule }) => ({
        prefix: source?.address ?? '',
        prefixBits: source === undefined ? 0 : source.bits + (source.address.includes(':') ? 0 : mappedBits),
        ...rule,
      })),
    },
  }
}

const handlings = { tls: 'open', tcp: 'pass', 'tls-passthrough': 'pass-tls' } as const

function toNativeTls(tls: TlsConfig, servers: ServerTlsConfig | undefined, identity: ServiceIdentity): NativeTls {
  return {
      allowTls12: tls.versions.includes('1.2'),
      allowTls13: tls.versions.includes('1.3'),
      certificates: identity.certificates.map(toNativeCertificate),
      protocols: tls.protocols,
      suites: tls.suites,
      clientAuth: tls.clientAuth,
      clientCa: identity.issuers,
      requireKnownName: tls.requireKnownName,
      sessionLifetimeS: tls.sessionLifetimeS,
      tickets: tls.tickets,
      legacyRsaKeyExchange: tls.legacyRsaKeyExchange,
      servers: toNativeServerTls(servers, identity),
    }
}

function toNativeServerTls(tls: ServerTlsConfig | undefined, identity: ServiceIdentity): NativeServerTls {
  return {
    isUsed: tls !== undefined,
    allowTls12: tls?.versions.includes('1.2') ?? false,
    allowTls13: tls?.versions.includes('1.3') ?? false,
    verify: tls?.verify ?? 'full',
    name: tls?.name ?? '',
    ca: identity.serverIssuers,
    certificates: identity.serverCertificates.map(toNativeCertificate),
  }
}

function toNativeCertificate({ certificatePath, keyPath, chain, key }: Identity): NativeCertificate {
  return { name: certificatePath, keyName: keyPath, chain, key }
}

/** Any text as a key: nodes with the same text hash alike. */
function toHashKey(text: string): Uint8Array {
  if (text === '') return new Uint8Array(16)
  return createHash('sha256').update(text).digest().subarray(0, 16)
}
