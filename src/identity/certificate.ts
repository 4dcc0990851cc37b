/**
 * Certificates and private keys, read once and looked at closely, so that a wrong file is named before any port opens.
 * This works without the add-on: `cutwater check` runs anywhere. Not here: what a handshake does with them.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'

import type { CertificatePaths } from '../config/defaults.js'

/** One certificate with its key. Wipe with `wipeKeys` when it has been handed on. */
export interface Identity {
  readonly certificatePath: string
  readonly keyPath: string
  /** PEM: the certificate first, then its issuers. */
  readonly chain: Uint8Array
  /** Empty where only the secure processor's process may read it. */
  readonly key: Uint8Array
  /** Changes with a key file that is not read here; else empty. */
  readonly keyMark: string
}

/** A value, or what is wrong; and in both cases what the operator should hear of. */
export interface Findings<T> {
  readonly value: T | undefined
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

const maxFileBytes = 1024 * 1024
const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * Reads one certificate, but not its key: that is for the secure processor's eyes alone, and so is the question whether
 * they belong together. What the key file is like from outside says when it was renewed.
 */
export async function readPublicIdentity(
  paths: CertificatePaths,
  now: Date,
  keyIs: 'here' | 'elsewhere' = 'here',
): Promise<Findings<Identity>> {
  const chain = await readPem(paths.certificatePath)
  const certificates = chain.value ? parseChain(chain.value, paths.certificatePath, now) : nothing<X509Certificate[]>()
  const problems = [...chain.problems, ...certificates.problems]
  const warnings = [...certificates.warnings]
  let keyMark = ''
  if (keyIs === 'here') {
    try {
      const { ino, size, mtimeMs } = await stat(paths.keyPath)
      keyMark = `${ino}:${size}:${mtimeMs}`
    } catch (cause) {
      problems.push(`${paths.keyPath}: ${reasonOf(cause)}`)
    }
    warnings.push(...(await keyFileWarnings(paths.keyPath)))
  }
  if (problems.length > 0 || !chain.value) return { value: undefined, problems, warnings }
  return { value: { ...paths, chain: chain.value, key: new Uint8Array(), keyMark }, problems, warnings }
}

/** Reads one certificate and its key, and checks that they belong together and can be used. */
export async function readIdentity(paths: CertificatePaths, now: Date): Promise<Findings<Identity>> {
  const [chain, key] = await Promise.all([readPem(paths.certificatePath), readPem(paths.keyPath)])
  const certificates = chain.value ? parseChain(chain.value, paths.certificatePath, now) : nothing<X509Certificate[]>()
  const privateKey = key.value ? parseKey(key.value, paths.keyPath) : nothing<KeyObject>()
  const problems = [...chain.problems, ...key.problems, ...certificates.problems, ...privateKey.problems]
  const warnings = [...certificates.warnings, ...(await keyFileWarnings(paths.keyPath))]
  const leaf = certificates.value?.[0]
  if (leaf && privateKey.value && !leaf.checkPrivateKey(privateKey.value)) {
    problems.push(`${paths.keyPath}: does not match ${paths.certificatePath}: its public key is another`)
  }
  if (problems.length > 0 || !chain.value || !key.value) {
    key.value?.fill(0)
    return { value: undefined, problems, warnings }
  }
  return { value: { ...paths, chain: chain.value, key: key.value, keyMark: '' }, problems, warnings }
}

/** Reads the issuers that client certificates are checked against. */
export async function readIssuers(path: string, now: Date): Promise<Findings<Uint8Array>> {
  const pem = await readPem(path)
  if (!pem.value) return pem
  const { problems, warnings } = parseChain(pem.value, path, now)
  return { value: problems.length > 0 ? undefined : pem.value, problems, warnings }
}

async function readPem(path: string): Promise<Findings<Buffer>> {
  try {
    const { size } = await stat(path)
    if (size > maxFileBytes)
      return failed(`${path}: larger than ${maxFileBytes} bytes, so this is no certificate or key`)
    return { value: await readFile(path), problems: [], warnings: [] }
  } catch (cause) {
    return failed(`${path}: ${reasonOf(cause)}`)
  }
}

function parseChain(pem: Uint8Array, path: string, now: Date): Findings<X509Certificate[]> {
  const blocks = Buffer.from(pem).toString('latin1').match(certificatePattern) ?? []
  if (blocks.length === 0) return failed(`${path}: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`)
  const certificates: X509Certificate[] = []
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block))
    } catch {
      return failed(`${path}: certificate ${index + 1} of ${blocks.length} is damaged`)
    }
  }
  const problems = keyKindProblems(certificates[0], path)
  return { value: certificates, problems, warnings: certificates.flatMap((one) => validityWarnings(one, path, now)) }
}

/** What the secure processors can sign with; others fail at the first client, so they fail here. */
function keyKindProblems(leaf: X509Certificate | undefined, path: string): string[] {
  if (!leaf) return []
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = leaf.publicKey
  if (kind === 'ed25519') return []
  if (kind === 'rsa' || kind === 'rsa-pss') {
    const bits = details?.modulusLength ?? 0
    return bits >= 2048 ? [] : [`${path}: an RSA key of ${bits} bits; clients want 2048 or more`]
  }
  const curve = details?.namedCurve ?? ''
  if (kind === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(curve)) return []
  return [
    `${path}: a key of kind ${kind ?? 'unknown'} ${curve}; expected RSA, ECDSA on P-256, P-384 or P-521, or Ed25519`,
  ]
}

function validityWarnings(certificate: X509Certificate, path: string, now: Date): string[] {
  const name = certificate.subject.replaceAll('\n', ', ') || 'certificate without a subject'
  if (new Date(certificate.validTo) < now) return [`${path}: expired on ${certificate.validTo} (${name})`]
  if (new Date(certificate.validFrom) > now) return [`${path}: not valid before ${certificate.validFrom} (${name})`]
  return []
}

function parseKey(pem: Uint8Array, path: string): Findings<KeyObject> {
  const text = Buffer.from(pem).toString('latin1')
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    return failed(`${path}: holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)`)
  }
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    return failed(
      `${path}: is encrypted; nobody is there to type a pass phrase. "openssl pkey -in ${path}" decrypts it`,
    )
  }
  try {
    const key = createPrivateKey(Buffer.from(pem))
    createPublicKey(key)
    return { value: key, problems: [], warnings: [] }
  } catch {
    // The library's text could quote the file's content; ours does not.
    return failed(`${path}: is damaged, or not a private key that OpenSSL knows`)
  }
}

async function keyFileWarnings(path: string): Promise<string[]> {
  try {
    const { mode } = await stat(path)
    return (mode & 0o004) === 0 ? [] : [`${path}: everyone on this machine can read this private key (chmod o-r)`]
  } catch {
    return [] // Reading it has failed too, and has said so.
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'not readable for this user'
  if (code === 'EISDIR') return 'is a directory'
  return message
}

function failed(problem: string): Findings<never> {
  return { value: undefined, problems: [problem], warnings: [] }
}

function nothing<T>(): Findings<T> {
  return { value: undefined, problems: [], warnings: [] }
}
