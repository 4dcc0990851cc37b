// The suites that tests ask for, by each program's own name for them. The key is the registered (IANA) name.
import type { KeyKind } from '../../src/demo/certificates.js'

export type TlsVersion = '1.2' | '1.3'

export interface SuiteNames {
  readonly version: TlsVersion
  /** Kind of server key it needs; in TLS 1.3 any. */
  readonly key: KeyKind
  readonly openssl: string
  /** GnuTLS priority items. */
  readonly gnutls: string
  /** tstclnt takes the number. */
  readonly number: string
}

const tls13 = (openssl: string, cipher: string, number: string): SuiteNames => ({
  version: '1.3', key: 'ecdsa', openssl, gnutls: `-CIPHER-ALL:+${cipher}`, number,
}) // prettier-ignore
const tls12 = (key: 'ecdsa' | 'rsa', openssl: string, cipher: string, number: string): SuiteNames => ({
  version: '1.2', key, openssl, gnutls: `-CIPHER-ALL:+${cipher}:-KX-ALL:+ECDHE-${key.toUpperCase()}`, number,
}) // prettier-ignore

export const kSuites: Readonly<Record<string, SuiteNames>> = {
  TLS_AES_128_GCM_SHA256: tls13('TLS_AES_128_GCM_SHA256', 'AES-128-GCM', '1301'),
  TLS_AES_256_GCM_SHA384: tls13('TLS_AES_256_GCM_SHA384', 'AES-256-GCM', '1302'),
  TLS_CHACHA20_POLY1305_SHA256: tls13('TLS_CHACHA20_POLY1305_SHA256', 'CHACHA20-POLY1305', '1303'),
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: tls12('ecdsa', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'AES-128-GCM', 'C02B'),
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: tls12('ecdsa', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'AES-256-GCM', 'C02C'),
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: tls12(
    'ecdsa',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'CHACHA20-POLY1305',
    'CCA9',
  ),
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: tls12('rsa', 'ECDHE-RSA-AES128-GCM-SHA256', 'AES-128-GCM', 'C02F'),
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: tls12('rsa', 'ECDHE-RSA-AES256-GCM-SHA384', 'AES-256-GCM', 'C030'),
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: tls12('rsa', 'ECDHE-RSA-CHACHA20-POLY1305', 'CHACHA20-POLY1305', 'CCA8'),
}
