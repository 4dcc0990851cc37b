/** TLS with the servers: what it needs, and what it does not go with. Pure; returns problems, throws nothing. */
import type { z } from 'zod'

import type { Problem } from './check.js'
import type { serviceSchema } from './schema.js'

type WrittenService = z.output<typeof serviceSchema>
type WrittenServerTls = NonNullable<WrittenService['serverTls']>

export function checkServerTls(service: WrittenService): Problem[] {
  const { serverTls } = service
  if (serverTls === undefined) return []
  return [...checkSurroundings(service), ...checkTrust(serverTls), ...checkOwnCertificate(serverTls)]
}

function checkSurroundings({ mode, protocol, balance }: WrittenService): Problem[] {
  const problems: Problem[] = []
  if (mode !== 'proxy') {
    const message = `needs mode "proxy": in mode "${mode}" client and server share one TCP connection, and TLS ends in it once`
    problems.push({ path: ['serverTls'], message, at: 'key' })
  }
  if (protocol !== 'tls') {
    const message = `needs protocol "tls": with "${protocol}" bytes pass as they are`
    problems.push({ path: ['serverTls'], message, at: 'key' })
  }
  if (balance !== undefined && balance.proxyProtocol !== 'none') {
    const message =
      'cannot be used with serverTls: servers that speak TLS expect it before their TLS begins; use http.forwarded'
    problems.push({ path: ['balance', 'proxyProtocol'], message })
  }
  return problems
}

function checkTrust({ verify, ca, name }: WrittenServerTls): Problem[] {
  if (verify === 'none') {
    return ca === undefined
      ? []
      : [{ path: ['serverTls', 'ca'], message: 'has no effect with verify "none"', at: 'key' }]
  }
  const problems: Problem[] = []
  if (ca === undefined) {
    const message =
      'missing: the issuers to believe (or the servers’ own certificates); verify "none" believes everybody'
    problems.push({ path: ['serverTls', 'ca'], message })
  }
  if (name === undefined) {
    const message = 'missing: the name that must stand in the certificate of every server of this service'
    problems.push({ path: ['serverTls', 'name'], message })
  }
  return problems
}

function checkOwnCertificate({ certificate, key }: WrittenServerTls): Problem[] {
  if (certificate !== undefined && key === undefined) {
    return [{ path: ['serverTls', 'key'], message: 'missing: the private key of serverTls.certificate' }]
  }
  if (certificate === undefined && key !== undefined) {
    return [{ path: ['serverTls', 'certificate'], message: 'missing: the certificate of serverTls.key' }]
  }
  return []
}
