/** All that a service proves itself and its clients with, read from its files in one go. */
import { createHash } from 'node:crypto'

import type { Config, ServiceConfig } from '../config/defaults.js'
import { CutwaterError } from '../errors.js'
import type { CertificatePaths } from '../config/defaults.js'
import { type Identity, readIdentity, readIssuers, readPublicIdentity } from './certificate.js'

export interface ServiceIdentity {
  readonly certificates: readonly Identity[]
  /** PEM; empty when clients need no certificate. */
  readonly issuers: Uint8Array
  /** Ours towards servers: at most one. */
  readonly serverCertificates: readonly Identity[]
  /** PEM; whom to believe to be a server. Empty when servers are not verified. */
  readonly serverIssuers: Uint8Array
  /** Changes when the content of any of the files does: a renewed certificate is a change of the service. */
  readonly digest: string
}

/** Who reads private keys: this process, the secure processors' process, or one on another host. */
export type KeyCustody = 'read' | 'named' | 'elsewhere'

export function keyCustody(place: 'thread' | 'process' | 'remote'): KeyCustody {
  return place === 'thread' ? 'read' : place === 'process' ? 'named' : 'elsewhere'
}

export interface Identities {
  readonly services: ReadonlyMap<string, ServiceIdentity>
  readonly warnings: readonly string[]
}

/**
 * Reads the files of every service. Wipe the keys with `wipeKeys` when they have been handed on. With `keys: 'named'` no
 * private key is read: the secure processor's process does that, and judges them; with 'elsewhere' the files are on another host.
 *
 * @throws CutwaterError CERTIFICATE_INVALID with one line for each problem.
 */
export async function readIdentities(config: Config, now = new Date(), keys: KeyCustody = 'read'): Promise<Identities> {
  const one =
    keys === 'read'
      ? readIdentity
      : (paths: CertificatePaths, at: Date) => readPublicIdentity(paths, at, keys === 'named' ? 'here' : 'elsewhere')
  const read = await Promise.all(
    [...config.services].map(async ([name, service]) => ({ name, ...(await readService(service, now, one)) })),
  )
  const services = new Map(read.map(({ name, value }) => [name, value]))
  const problems = read.flatMap(({ name, problems: found }) => found.map((one) => `services.${name}.${one}`))
  const warnings = read.flatMap(({ name, warnings: found }) => found.map((one) => `services.${name}.${one}`))
  if (problems.length > 0) {
    wipeKeys(services)
    throw new CutwaterError('CERTIFICATE_INVALID', problems.join('\n'), { problems })
  }
  return { services, warnings }
}

/** Overwrites the private keys. */
export function wipeKeys(services: ReadonlyMap<string, ServiceIdentity>): void {
  for (const { certificates, serverCertificates } of services.values()) {
    for (const { key } of [...certificates, ...serverCertificates]) key.fill(0)
  }
}

async function readService({ tls, serverTls }: ServiceConfig, now: Date, one: typeof readIdentity) {
  const ours = await readFiles('tls', tls?.certificates ?? [], tls?.clientCaPath, now, one)
  const own = serverTls?.certificate === undefined ? [] : [serverTls.certificate]
  const servers = await readFiles('serverTls', own, serverTls?.caPath, now, one)
  const value: ServiceIdentity = {
    certificates: ours.certificates,
    issuers: ours.issuers,
    serverCertificates: servers.certificates,
    serverIssuers: servers.issuers,
    digest: digestOf(
      [ours, servers].flatMap(({ certificates, issuers }) => [
        ...certificates.flatMap(({ chain, key, keyMark }) => [chain, key, Buffer.from(keyMark)]),
        issuers,
      ]),
    ),
  }
  return {
    value,
    problems: [...ours.problems, ...servers.problems],
    warnings: [...ours.warnings, ...servers.warnings],
  }
}

/** Certificates with their keys, and issuers; what is said about them begins with `where` they are named. */
async function readFiles(
  where: string,
  paths: readonly CertificatePaths[],
  issuersPath: string | undefined,
  now: Date,
  one: typeof readIdentity,
) {
  const found = await Promise.all(paths.map((path) => one(path, now)))
  const issuers = issuersPath === undefined ? undefined : await readIssuers(issuersPath, now)
  const all = issuers ? [...found, issuers] : found
  const named = (line: string) => `${where}: ${line}`
  return {
    certificates: found.flatMap(({ value }) => (value ? [value] : [])),
    issuers: issuers?.value ?? new Uint8Array(),
    problems: all.flatMap(({ problems }) => problems.map(named)),
    warnings: all.flatMap(({ warnings }) => warnings.map(named)),
  }
}

function digestOf(files: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file.byteLength}:`).update(file)
  return hash.digest('hex')
}
