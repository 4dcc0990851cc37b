// The certificates of the tests: one private authority, a server certificate of each kind of key, one for another name, and
// client certificates good and bad. Made once per test process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyKind, KeyPair } from '../../src/demo/certificates.js'
import { outputOf } from '../../src/demo/command.js'
import { kAddresses } from '../../src/demo/network.js'

export const kServerName = 'shop.test'
export const kOtherName = 'other.test'

export interface Trust {
  readonly folder: string
  readonly authority: KeyPair
  readonly server: Readonly<Record<KeyKind, KeyPair>>
  /** For `kOtherName`. */
  readonly other: KeyPair
  readonly clientAuthority: KeyPair
  readonly client: KeyPair
  readonly expiredClient: KeyPair
  /** Signed by an authority that nobody trusts. */
  readonly strangeClient: KeyPair
  /** The authority as a database for NSS. */
  readonly nssFolder: string
}

let trust: Promise<Trust> | undefined

export function trustForTests(): Promise<Trust> {
  return (trust ??= makeTrust())
}

async function makeTrust(): Promise<Trust> {
  const folder = mkdtempSync(join(tmpdir(), `cw-${process.pid}-0-trust-`))
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true })
  })
  const authority = await makeAuthority(folder)
  const clientAuthority = await makeAuthority(folder, 'client-authority')
  const strangeAuthority = await makeAuthority(folder, 'strange-authority')
  const { server, lan, wan } = kAddresses
  const alternatives = [server, lan, wan].flatMap(({ v4, v6 }) => [`IP:${v4}`, `IP:${v6}`])
  const serverPair = (kind: KeyKind): Promise<KeyPair> =>
    makeCertificate(folder, authority, { file: kind, name: kServerName, kind, alternatives })
  const clientPair = (file: string, by: KeyPair, validity: 'current' | 'expired' = 'current'): Promise<KeyPair> =>
    makeCertificate(folder, by, { file, name: `${file}.example`, use: 'client', validity })
  const nssFolder = join(folder, 'nss')
  await outputOf(['mkdir', nssFolder])
  await outputOf(['certutil', '-N', '-d', `sql:${nssFolder}`, '--empty-password'])
  await outputOf([
    'certutil',
    '-A',
    '-d',
    `sql:${nssFolder}`,
    '-n',
    'authority',
    '-t',
    'C,,',
    '-i',
    authority.certificate,
  ])
  return {
    folder,
    authority,
    server: { ecdsa: await serverPair('ecdsa'), rsa: await serverPair('rsa'), ed25519: await serverPair('ed25519') },
    other: await makeCertificate(folder, authority, { file: 'other', name: kOtherName }),
    clientAuthority,
    client: await clientPair('client', clientAuthority),
    expiredClient: await clientPair('client-expired', clientAuthority, 'expired'),
    strangeClient: await clientPair('client-strange', strangeAuthority),
    nssFolder,
  }
}
