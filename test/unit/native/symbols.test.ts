// Node has its own OpenSSL in the same process. If ours exported its symbols, or looked outside for them, the two would be
// mixed: handshakes would run half in one version and half in the other.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { beforeAll, expect, it } from 'vitest'

const addon = fileURLToPath(new URL('../../../build/native/RelWithDebInfo/cutwater.node', import.meta.url))

interface Symbols {
  readonly exported: readonly string[]
  readonly wanted: readonly string[]
}

let symbols: Symbols = { exported: [], wanted: [] }

beforeAll(() => {
  const lines = execFileSync('nm', ['-D', addon], { encoding: 'utf8' }).trimEnd().split('\n')
  const parsed = lines.map((line) => /^[0-9a-f ]{16} (\w) (\S+)$/.exec(line))
  const nameOf = (match: RegExpExecArray | null) => match?.[2]?.replace(/@.*/, '') ?? ''
  const isWanted = (match: RegExpExecArray | null) => /^[Uwv]$/.test(match?.[1] ?? '')
  symbols = {
    exported: parsed.filter((match) => match && !isWanted(match)).map(nameOf),
    wanted: parsed.filter(isWanted).map(nameOf),
  }
})

it('exports its two entry points and nothing else', () => {
  expect([...symbols.exported].sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
})

it('looks for no symbol of OpenSSL, of IPsec-MB, or of its own outside itself', () => {
  const ours = /^(SSL|TLS|EVP|OPENSSL|CRYPTO|X509|BIO|RSA|EC|ERR|ASN1|PEM|HMAC|SHA|AES|imb|init_mb)_|cutwater/i
  expect(symbols.wanted.length).toBeGreaterThan(0)
  expect(symbols.wanted.filter((name) => ours.test(name))).toEqual([])
})

it('needs no libssl or libcrypto of the system', () => {
  const needed = execFileSync('readelf', ['-d', addon], { encoding: 'utf8' })
  expect(needed).toContain('NEEDED')
  expect(needed).not.toMatch(/libssl|libcrypto/)
})
