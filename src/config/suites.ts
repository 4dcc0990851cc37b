/** The TLS suites a service may name, as in native/record/suite.cpp; a test keeps the two lists the same. */
export const suites = {
  TLS_AES_128_GCM_SHA256: { iana: 0x1301, version: '1.3' },
  TLS_AES_256_GCM_SHA384: { iana: 0x1302, version: '1.3' },
  TLS_CHACHA20_POLY1305_SHA256: { iana: 0x1303, version: '1.3' },
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: { iana: 0xc02b, version: '1.2' },
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: { iana: 0xc02c, version: '1.2' },
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: { iana: 0xc02f, version: '1.2' },
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: { iana: 0xc030, version: '1.2' },
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: { iana: 0xcca8, version: '1.2' },
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: { iana: 0xcca9, version: '1.2' },
  TLS_DHE_RSA_WITH_AES_128_GCM_SHA256: { iana: 0x009e, version: '1.2' },
  TLS_DHE_RSA_WITH_AES_256_GCM_SHA384: { iana: 0x009f, version: '1.2' },
  TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256: { iana: 0xccaa, version: '1.2' },
  TLS_RSA_WITH_AES_128_GCM_SHA256: { iana: 0x009c, version: '1.2' },
  TLS_RSA_WITH_AES_256_GCM_SHA384: { iana: 0x009d, version: '1.2' },
} as const satisfies Record<string, { iana: number; version: '1.2' | '1.3' }>

export type SuiteName = keyof typeof suites

export const suiteNames = Object.keys(suites) as [SuiteName, ...SuiteName[]]
