// Certificates for trying things out: a private authority and a server certificate under it, made with the openssl command.
// Used by: the demo, the end-to-end tests and benches. Never for anything that faces a network of others.
import { join } from 'node:path'
import { outputOf } from './command.js'

/** What kind of key a certificate has. */
export type KeyKind = 'ecdsa' | 'rsa' | 'ed25519'

/** A certificate and its key, as files. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

/** What a certificate says. */
export interface CertificateRequest {
  /** File name without extension. */
  readonly file: string
  /** Subject name, and for servers the first DNS name. */
  readonly name: string
  readonly kind?: KeyKind
  readonly use?: 'server' | 'client'
  /** Further subject alternative names, as `DNS:…` or `IP:…`. */
  readonly alternatives?: readonly string[]
  /** `expired`: it ran out yesterday. Default: valid for a month. */
  readonly validity?: 'current' | 'expired'
}

const kKeyOptions: Record<KeyKind, readonly string[]> = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  ed25519: ['-newkey', 'ed25519'],
}

/** Makes a private authority in `folder`: `<file>.crt` and `<file>.key`. */
export async function makeAuthority(folder: string, file = 'authority'): Promise<KeyPair> {
  const pair = pairOf(folder, file)
  await openssl([
    'req', '-x509', '-nodes', ...kKeyOptions.ecdsa, '-subj', `/CN=Cutwater trial authority ${file}`, '-days', '30',
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
    '-keyout', pair.key, '-out', pair.certificate,
  ]) // prettier-ignore
  return pair
}

/** Makes a certificate signed by `authority` in `folder`. */
export async function makeCertificate(
  folder: string,
  authority: KeyPair,
  request: CertificateRequest,
): Promise<KeyPair> {
  const pair = pairOf(folder, request.file)
  const signingRequest = join(folder, `${request.file}.csr`)
  const extensions = join(folder, `${request.file}.ext`)
  const use = request.use ?? 'server'
  const names = [...(use === 'server' ? [`DNS:${request.name}`] : []), ...(request.alternatives ?? [])]
  await openssl([
    'req', '-new', '-nodes', ...kKeyOptions[request.kind ?? 'ecdsa'], '-subj', `/CN=${request.name}`,
    '-keyout', pair.key, '-out', signingRequest,
  ]) // prettier-ignore
  await outputOf(['tee', extensions], {
    input: [
      'basicConstraints=CA:FALSE',
      'keyUsage=critical,digitalSignature,keyEncipherment',
      `extendedKeyUsage=${use}Auth`,
      ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
    ].join('\n'),
  })
  const validity = request.validity === 'expired' ? ['-days', '-1'] : ['-days', '30']
  await openssl([
    'x509', '-req', '-in', signingRequest, '-CA', authority.certificate, '-CAkey', authority.key, '-CAcreateserial',
    '-extfile', extensions, ...validity, '-out', pair.certificate,
  ]) // prettier-ignore
  return pair
}

function pairOf(folder: string, file: string): KeyPair {
  return { certificate: join(folder, `${file}.crt`), key: join(folder, `${file}.key`) }
}

async function openssl(args: readonly string[]): Promise<void> {
  await outputOf(['openssl', ...args])
}
