// The smallest sound configuration, and what an operator reads who gets one wrong.
import { parseSource } from '../../src/config/parse.js'
import { parseText } from '../../src/config/source.js'
import { CutwaterError } from '../../src/errors.js'

export const good = `interfaces:
  wan: { device: eth0, port: xsk }
  lan: { device: eth1 }
services:
  shop:
    listen: { address: 203.0.113.10, port: 443 }
    servers: [ { address: 203.0.113.10, port: 80 } ]
    tls: { certificates: [ { certificate: shop.crt, key: shop.key } ] }
`

export function problemsOf(text: string, file = 'shop.yaml'): readonly string[] {
  return catchError(() => parseSource(parseText(file, text), '/etc/cutwater')).problems
}

export function catchError(call: () => unknown): CutwaterError {
  try {
    call()
  } catch (error) {
    if (error instanceof CutwaterError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
