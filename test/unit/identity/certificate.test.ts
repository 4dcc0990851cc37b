// Real certificates and keys, made by openssl for this run.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { parseConfig } from '../../../src/config/parse.js'
import type { ServiceInput } from '../../../src/config/schema.js'
import type { CutwaterError } from '../../../src/errors.js'
import { readIdentity } from '../../../src/identity/certificate.js'
import { readIdentities, wipeKeys } from '../../../src/identity/service-identity.js'

const folder = mkdtempSync(join(tmpdir(), 'cutwater-identity-'))
const at = (name: string) => join(folder, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const certificate = (name: string, key: readonly string[]) =>
  openssl(
    ...['req', '-x509', '-nodes', '-subj', `/CN=${name}.test`, '-days', '30'],
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.crt`,
  )
const curve = (name: string) => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${name}`]

beforeAll(() => {
  certificate('shop', curve('P-256'))
  certificate('other', curve('P-256'))
  certificate('p384', curve('P-384'))
  certificate('rsa', ['-newkey', 'rsa:2048'])
  certificate('ed25519', ['-newkey', 'ed25519'])
  certificate('small', ['-newkey', 'rsa:1024'])
  certificate('odd', curve('secp256k1'))
  openssl('req', '-new', '-key', 'shop.key', '-subj', '/CN=expired.test', '-out', 'expired.csr')
  openssl('x509', '-req', '-in', 'expired.csr', '-signkey', 'shop.key', '-days', '-1', '-out', 'expired.crt')
  openssl('pkcs8', '-topk8', '-in', 'shop.key', '-out', 'encrypted.key', '-passout', 'pass:sesame')
  openssl('ec', '-in', 'shop.key', '-aes128', '-passout', 'pass:sesame', '-out', 'encrypted-old.key')
  openssl('ec', '-in', 'shop.key', '-out', 'old-form.key')
  writeFileSync(at('chain.crt'), readFileSync(at('shop.crt'), 'utf8') + readFileSync(at('other.crt'), 'utf8'))
  writeFileSync(at('text.crt'), 'not a certificate')
  writeFileSync(
    at('damaged.crt'),
    readFileSync(at('shop.crt'), 'utf8').replace(/^(.{64}\n){2}/m, (lines) => `${lines}AAAA\n`),
  )
  writeFileSync(at('damaged.key'), '-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHdvcmRz\n-----END PRIVATE KEY-----\n')
  writeFileSync(at('large.key'), Buffer.alloc(2_000_000))
  mkdirSync(at('folder.key'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const now = () => new Date()
const read = (crt: string, key: string) => readIdentity({ certificatePath: at(crt), keyPath: at(key) }, now())

describe('a certificate and its key', () => {
  it.each([
    ['shop.crt', 'shop.key'],
    ['shop.crt', 'old-form.key'],
    ['chain.crt', 'shop.key'],
    ['p384.crt', 'p384.key'],
    ['rsa.crt', 'rsa.key'],
    ['ed25519.crt', 'ed25519.key'],
  ])('%s with %s are taken as they are', async (crt, key) => {
    const { value, problems, warnings } = await read(crt, key)
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    expect(Buffer.from(value?.chain ?? [])).toEqual(readFileSync(at(crt)))
    expect(Buffer.from(value?.key ?? [])).toEqual(readFileSync(at(key)))
  })

  it.each([
    ['none.crt', 'shop.key', 'none.crt: no such file'],
    ['shop.crt', 'none.key', 'none.key: no such file'],
    ['shop.crt', 'folder.key', 'folder.key: is a directory'],
    ['shop.crt', 'large.key', 'large.key: larger than 1048576 bytes, so this is no certificate or key'],
    ['shop.crt', 'other.key', 'other.key: does not match '],
    ['shop.crt', 'rsa.key', 'rsa.key: does not match '],
    ['shop.crt', 'encrypted.key', 'encrypted.key: is encrypted'],
    ['shop.crt', 'encrypted-old.key', 'encrypted-old.key: is encrypted'],
    ['shop.crt', 'damaged.key', 'damaged.key: is damaged, or not a private key that OpenSSL knows'],
    ['shop.crt', 'shop.crt', 'shop.crt: holds no private key in PEM form'],
    ['shop.key', 'shop.key', 'shop.key: holds no certificate in PEM form'],
    ['text.crt', 'shop.key', 'text.crt: holds no certificate in PEM form'],
    ['damaged.crt', 'shop.key', 'damaged.crt: certificate 1 of 1 is damaged'],
    ['small.crt', 'small.key', 'small.crt: an RSA key of 1024 bits; clients want 2048 or more'],
    ['odd.crt', 'odd.key', 'odd.crt: a key of kind ec secp256k1; expected RSA'],
  ])('%s with %s: %s', async (crt, key, problem) => {
    const found = await read(crt, key)
    expect(found.value).toBeUndefined()
    expect(found.problems).toHaveLength(1)
    expect(found.problems[0]).toContain(at(problem))
  })

  it('says both when both files are wrong', async () => {
    expect((await read('none.crt', 'encrypted.key')).problems).toHaveLength(2)
  })

  it('never repeats what is in a key file', async () => {
    expect((await read('shop.crt', 'damaged.key')).problems.join()).not.toContain('c2VjcmV0')
  })

  it('warns of an expired certificate, and of a key that everyone can read', async () => {
    chmodSync(at('shop.key'), 0o644)
    const { value, warnings } = await read('expired.crt', 'shop.key')
    chmodSync(at('shop.key'), 0o600)
    expect(value).toBeDefined()
    expect(warnings).toHaveLength(2)
    expect(warnings[0]).toMatch(/expired\.crt: expired on .* \(CN=expired\.test\)/)
    expect(warnings[1]).toContain('shop.key: everyone on this machine can read this private key')
  })

  it.skipIf(process.getuid?.() === 0)('names a file that may not be read', async () => {
    chmodSync(at('p384.key'), 0)
    expect((await read('p384.crt', 'p384.key')).problems[0]).toContain('not readable for this user')
  })
})

describe('the certificates of a configuration', () => {
  const service = (port: number, tls: ServiceInput['tls']): ServiceInput => ({
    listen: { address: '203.0.113.10', port },
    servers: [{ address: '203.0.113.10', port: 80 }],
    tls,
  })
  const config = (services: Record<string, ServiceInput>) =>
    parseConfig({ interfaces: { one: { device: 'eth0' } }, services }, folder)
  const pair = (name: string) => ({ certificate: `${name}.crt`, key: `${name}.key` })

  it('names the service of each problem, over all services', async () => {
    const wrong = config({
      a: service(443, { certificates: [pair('shop'), pair('none')] }),
      b: service(444, { certificates: [{ certificate: 'shop.crt', key: 'other.key' }] }),
      c: service(445, { certificates: [pair('rsa')], clientAuth: 'required', clientCa: 'text.crt' }),
    })
    const error = await readIdentities(wrong).catch((thrown: unknown) => thrown as CutwaterError)
    expect(error).toMatchObject({ code: 'CERTIFICATE_INVALID' })
    const problems = (error as CutwaterError).problems.map((problem) => problem.replaceAll(`${folder}/`, ''))
    expect(problems).toEqual([
      'services.a.tls: none.crt: no such file',
      'services.a.tls: none.key: no such file',
      'services.b.tls: other.key: does not match shop.crt: its public key is another',
      'services.c.tls: text.crt: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)',
    ])
  })

  it('changes its digest with the content of a file, not with its name', async () => {
    writeFileSync(at('copy.crt'), readFileSync(at('shop.crt')))
    writeFileSync(at('copy.key'), readFileSync(at('shop.key')), { mode: 0o600 })
    const digest = async (name: string) => {
      const { services } = await readIdentities(config({ a: service(443, { certificates: [pair(name)] }) }))
      return services.get('a')?.digest
    }
    expect(await digest('copy')).toBe(await digest('shop'))
    expect(await digest('rsa')).not.toBe(await digest('shop'))
  })

  it('leaves keys alone that are for the secure processor, and sees them renewed all the same', async () => {
    writeFileSync(at('named.key'), readFileSync(at('other.key')), { mode: 0o600 })
    const named = config({ a: service(443, { certificates: [{ certificate: 'shop.crt', key: 'named.key' }] }) })
    const read = async () => (await readIdentities(named, new Date(), 'named')).services.get('a')
    const before = await read()
    expect(before?.certificates[0]?.key).toHaveLength(0) // and a key of another certificate is not its business
    expect((await read())?.digest).toBe(before?.digest)
    writeFileSync(at('named.key'), readFileSync(at('shop.key')))
    expect((await read())?.digest).not.toBe(before?.digest)
    const absent = config({ a: service(443, { certificates: [{ certificate: 'shop.crt', key: 'none.key' }] }) })
    await expect(readIdentities(absent, new Date(), 'named')).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' })
  })

  it('wipes the keys it has handed on', async () => {
    const { services } = await readIdentities(config({ a: service(443, { certificates: [pair('shop')] }) }))
    const key = services.get('a')?.certificates[0]?.key
    expect(Buffer.from(key ?? []).toString()).toContain('PRIVATE KEY')
    wipeKeys(services)
    expect(key?.every((byte) => byte === 0)).toBe(true)
  })
})
