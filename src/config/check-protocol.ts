/** Services whose bytes pass untouched: what they cannot have. Pure; returns problems, throws nothing. */
import type { z } from 'zod'

import type { Problem } from './check.js'
import { requestParts, type serviceSchema } from './schema.js'
import type { Path } from './source.js'

type WrittenService = z.output<typeof serviceSchema>

/** What belongs to TLS has no meaning where TLS is not opened here. */
export function checkProtocol(service: WrittenService): Problem[] {
  const { protocol, mode, tls, hello, truncation, release, custody, rekeyAfterRecords, balance } = service
  if (protocol === 'tls') {
    return tls === undefined ? [{ path: ['tls'], message: 'missing: protocol "tls" needs certificates' }] : []
  }
  const problems: Problem[] = []
  if (mode === 'direct') {
    const message = `"${protocol}" needs mode "balance" or "proxy": what is to go straight to its server needs no service`
    problems.push({ path: ['protocol'], message })
  } else if (protocol === 'tls-passthrough' && mode === 'balance') {
    const message = `"${protocol}" needs mode "proxy", which hears the client first; in mode "balance" use "tcp"`
    problems.push({ path: ['protocol'], message })
  }
  const idle: [Path, boolean][] = [
    [['tls'], tls !== undefined],
    [['truncation'], truncation !== 'reset'],
    [['release'], release !== 'whole-record'],
    [['custody', 'congestion'], custody.congestion !== 'cubic'],
    [['rekeyAfterRecords'], rekeyAfterRecords !== 0],
    [['hello', 'retry'], hello.retry === 'always'],
    [['hello', 'rules'], protocol === 'tcp' && hello.rules.length > 0],
  ]
  for (const [path, isSet] of idle) {
    if (isSet) problems.push({ path, message: `has no effect with protocol "${protocol}"`, at: 'key' })
  }
  problems.push(...checkPassedRoutes(service))
  if (balance?.proxyProtocol === 'v2-tls') {
    const message = `with protocol "${protocol}" there is no TLS here to tell of: use "v2"`
    problems.push({ path: ['balance', 'proxyProtocol'], message })
  }
  return problems
}

/** All that is known of a connection that passes is the name in its hello. */
function checkPassedRoutes({ protocol, routes, http }: WrittenService): Problem[] {
  const message = `cannot be used with protocol "${protocol}": `
  const problems: Problem[] = []
  if (http !== undefined) problems.push({ path: ['http'], message: `${message}requests are not read`, at: 'key' })
  if (routes !== undefined && protocol === 'tcp') {
    problems.push({ path: ['routes'], message: `${message}nothing is read of what clients say`, at: 'key' })
  } else {
    for (const [index, { match }] of (routes ?? []).entries()) {
      for (const part of ['alpn', ...requestParts] as const) {
        if (match[part] === undefined) continue
        problems.push({ path: ['routes', index, 'match', part], message: `${message}only sni is read`, at: 'key' })
      }
    }
  }
  return problems
}
