/** What one value cannot tell: how the keys of a configuration fit together. Pure; returns problems, throws nothing. */
import { BlockList, isIPv6 } from 'node:net'

import type { z } from 'zod'

import { formatEndpoint, readsRequests, sideOf } from './defaults.js'
import { checkProtocol } from './check-protocol.js'
import { checkServerTls } from './check-server-tls.js'
import { didYouMean } from './did-you-mean.js'
import { type configSchema, requestParts, type serviceSchema } from './schema.js'
import type { Path } from './source.js'
import { suites } from './suites.js'
import { toMs } from './values.js'
import { supportedModes, supportedReleases } from './support.js'

export interface Problem {
  readonly path: Path
  readonly message: string
  readonly at?: 'key' | 'value'
}

type Written = z.output<typeof configSchema>
type WrittenService = z.output<typeof serviceSchema>

/** Problems inside one service; `interfaces` are the names the file defines. */
export function checkService(service: WrittenService, interfaces: readonly string[]): Problem[] {
  return [
    ...checkSupport(service),
    ...checkProtocol(service),
    ...checkSides(service, interfaces),
    ...checkServers(service),
    ...checkBalance(service),
    ...checkHealth(service),
    ...checkRoutes(service),
    ...checkHttp(service),
    ...checkServerTls(service),
    ...(service.tls ? [...checkSuites(service.tls), ...checkClientAuth(service.tls)] : []),
  ]
}

function checkSupport({ mode, release }: WrittenService): Problem[] {
  const problems: Problem[] = []
  if (!supportedModes.includes(mode)) {
    problems.push({
      path: ['mode'],
      message: `this version does not run "${mode}" yet; it runs ${quoted(supportedModes)}`,
    })
  }
  if (!supportedReleases.includes(release)) {
    const runs = quoted(supportedReleases)
    problems.push({ path: ['release'], message: `this version does not run "${release}" yet; it runs ${runs}` })
  }
  return problems
}

function checkSides(service: WrittenService, interfaces: readonly string[]): Problem[] {
  return (['clientSide', 'serverSide'] as const).flatMap((side): Problem[] => {
    const name = sideOf(service, side, interfaces)
    if (interfaces.includes(name)) return []
    if (service[side] === undefined) {
      const message = `missing: no interface is called "${name}", so say which of ${quoted(interfaces)} it is`
      return [{ path: [side], message }]
    }
    return [{ path: [side], message: `no interface is called "${name}"${suggestion(name, interfaces)}` }]
  })
}

type Endpoint = WrittenService['listen']

/** Where a service listens, each with its place in the file. */
function listenersOf({ listen, alsoListen }: WrittenService): { path: Path; endpoint: Endpoint }[] {
  return [
    { path: ['listen'], endpoint: listen },
    ...alsoListen.map((endpoint, index) => ({ path: ['alsoListen', index], endpoint })),
  ]
}

function checkServers(service: WrittenService): Problem[] {
  return [
    ...checkServersAt(service, service.listen),
    ...checkOtherListeners(service),
    ...(service.mode === 'direct' && service.servers.length > 1
      ? [{ path: ['servers', 1], message: 'mode "direct" has exactly one server' }]
      : []),
  ]
}

/** What the servers do not forbid at `listen` must not be forbidden at the others. */
function checkOtherListeners(service: WrittenService): Problem[] {
  return service.alsoListen.flatMap((endpoint, index): Problem[] => {
    const problem = checkServersAt(service, endpoint)[0]
    if (problem === undefined || checkServersAt(service, service.listen).length > 0) return []
    const message = `does not go with servers[${String(problem.path[1])}]: ${problem.message}`
    return [{ path: ['alsoListen', index, 'address'], message: message.replace('listen.address', 'this') }]
  })
}

function checkServersAt({ mode, servers, balance }: WrittenService, listen: Endpoint): Problem[] {
  const problems: Problem[] = []
  servers.forEach((server, index) => {
    if (isIPv6(server.address) !== isIPv6(listen.address)) {
      if (mode === 'proxy' && balance?.pool !== undefined) return // checkPool sees to the rest
      const how = mode === 'proxy' ? 'needs a balance.pool of its own version' : 'needs mode "proxy" and a balance.pool'
      const message = `a server of another IP version than listen.address, "${listen.address}", ${how}`
      problems.push({ path: ['servers', index, 'address'], message })
    } else if (mode === 'direct' && !isSameAddress(server.address, listen.address)) {
      const message = `in mode "direct" the server has the address clients connect to, "${listen.address}"`
      problems.push({ path: ['servers', index, 'address'], message })
    }
  })
  return problems
}

function checkBalance(service: WrittenService): Problem[] {
  const { mode, servers, balance } = service
  const listeners = listenersOf(service)
  if (mode === 'direct') {
    return balance === undefined ? [] : [{ path: ['balance'], message: 'has no effect in mode "direct"', at: 'key' }]
  }
  const problems: Problem[] = []
  if (servers.every(({ weight }) => weight === 0)) {
    problems.push({ path: ['servers'], message: 'every weight is 0: nobody could be served' })
  }
  for (const { path, endpoint } of listeners) {
    if (!['0.0.0.0', '::'].includes(endpoint.address)) continue
    problems.push({ path: [...path, 'address'], message: `mode "${mode}" listens on one address` })
  }
  servers.forEach((server, index) => {
    if (mode === 'balance' && listeners.some(({ endpoint }) => isSameAddress(server.address, endpoint.address))) {
      const message = `the address of the service itself; if that server is to be reached there, use mode "direct"`
      problems.push({ path: ['servers', index, 'address'], message })
    }
  })
  return [...problems, ...checkNames(servers), ...(balance ? checkPool(service, balance) : [])]
}

function checkNames(servers: WrittenService['servers']): Problem[] {
  return servers.flatMap((server, index): Problem[] => {
    const earlier = servers.slice(0, index)
    if (earlier.some(({ port, address }) => port === server.port && isSameAddress(address, server.address))) {
      return [{ path: ['servers', index], message: 'the same address and port as an earlier server; use weight' }]
    }
    if (server.name !== undefined && earlier.some(({ name }) => name === server.name)) {
      return [{ path: ['servers', index, 'name'], message: `another server is called "${server.name}"` }]
    }
    return []
  })
}

function checkPool(service: WrittenService, balance: NonNullable<WrittenService['balance']>): Problem[] {
  const { listen, alsoListen, servers } = service
  const problems: Problem[] = []
  if (balance.algorithm !== 'consistent-hash') {
    for (const key of ['hash', 'hashKey'] as const) {
      if (balance[key] === undefined) continue
      const message = `has no effect unless algorithm is "consistent-hash"`
      problems.push({ path: ['balance', key], message, at: 'key' })
    }
  }
  balance.pool?.forEach((address, index) => {
    const path = ['balance', 'pool', index]
    if (servers.some((server) => isIPv6(server.address) !== isIPv6(address))) {
      problems.push({ path, message: 'must be of the IP version of the servers' })
    } else if ([listen, ...alsoListen, ...servers].some((one) => isSameAddress(one.address, address))) {
      problems.push({ path, message: 'is the address of the service or of a server' })
    }
  })
  return problems
}

function checkHealth({ health }: WrittenService): Problem[] {
  if (health === undefined) return []
  const problems: Problem[] = []
  if (health.check === 'tcp') {
    for (const key of ['path', 'host', 'status'] as const) {
      if (health[key] === undefined) continue
      problems.push({ path: ['health', key], message: 'has no effect unless check is "http"', at: 'key' })
    }
  }
  if ((toMs(health.timeout) ?? 0) > (toMs(health.interval) ?? 0)) {
    problems.push({ path: ['health', 'timeout'], message: `longer than the interval, "${health.interval}"` })
  }
  return problems
}

function checkRoutes(service: WrittenService): Problem[] {
  const { mode, routes, servers } = service
  if (routes === undefined) return []
  if (mode !== 'proxy') {
    const message = `needs mode "proxy": in mode "${mode}" the server is chosen before the client has said what it wants`
    return [{ path: ['routes'], message, at: 'key' }]
  }
  const names = servers.map((server) => server.name ?? formatEndpoint(server))
  const used = new Set(routes.flatMap((route) => route.servers))
  const idle = names.flatMap((name, index): Problem[] =>
    used.has(name) ? [] : [{ path: ['servers', index], message: 'no route leads to this server' }],
  )
  const all = routes.findIndex(({ match }) => Object.keys(match).length === 0)
  const unreached: Problem[] =
    all < 0 || all === routes.length - 1
      ? []
      : [{ path: ['routes', all + 1], message: `never reached: routes[${all}] matches everything` }]
  return [...routes.flatMap((_, index) => checkRoute(service, index, names)), ...idle, ...unreached]
}

function checkRoute({ routes, servers, tls }: WrittenService, index: number, names: readonly string[]): Problem[] {
  const route = routes?.[index]
  if (!route) return []
  const { match } = route
  const problems = route.servers.flatMap((name, at): Problem[] => {
    const path = ['routes', index, 'servers', at]
    if (!names.includes(name)) return [{ path, message: `no server is called "${name}"${suggestion(name, names)}` }]
    if (route.servers.indexOf(name) < at) return [{ path, message: `"${name}" is in this route already` }]
    return []
  })
  if (problems.length === 0 && route.servers.every((name) => servers[names.indexOf(name)]?.weight === 0)) {
    problems.push({ path: ['routes', index, 'servers'], message: 'every weight is 0: nobody could be served' })
  }
  const spoken = tls?.protocols ?? []
  if (match.alpn !== undefined && tls !== undefined && !spoken.includes(match.alpn)) {
    const message = `not one of tls.protocols, so nobody will speak it; there is ${quoted(spoken)}`
    problems.push({ path: ['routes', index, 'match', 'alpn'], message })
  }
  if (match.path !== undefined && match.exactPath !== undefined) {
    problems.push({ path: ['routes', index, 'match', 'exactPath'], message: 'either path or exactPath', at: 'key' })
  }
  const asked = requestParts.find((part) => match[part] !== undefined)
  if (asked !== undefined && match.alpn !== undefined && match.alpn !== 'http/1.1') {
    const message = `is read in HTTP/1.1 requests only; connections that speak "${match.alpn}" are routed whole`
    problems.push({ path: ['routes', index, 'match', asked], message, at: 'key' })
  }
  return problems
}

function checkHttp(service: WrittenService): Problem[] {
  const { mode, http, balance, release } = service
  if (http !== undefined && mode !== 'proxy') {
    return [
      { path: ['http'], message: `has no effect in mode "${mode}"; requests are read in mode "proxy"`, at: 'key' },
    ]
  }
  if (!readsRequests(service)) return []
  const problems: Problem[] = []
  if (balance !== undefined && balance.proxyProtocol !== 'none') {
    const message = 'cannot be used where requests are read: they go to servers one by one; use http.forwarded'
    problems.push({ path: ['balance', 'proxyProtocol'], message })
  }
  if (release === 'streaming') {
    problems.push({
      path: ['release'],
      message: 'cannot be used where requests are read: they must be authentic first',
    })
  }
  return problems
}

function checkSuites(tls: NonNullable<WrittenService['tls']>): Problem[] {
  const chosen = tls.suites
  if (!chosen) return []
  const idle = tls.versions.filter((version) => !chosen.some((suite) => suites[suite].version === version))
  const unused = chosen.flatMap((suite, index): Problem[] => {
    const { version } = suites[suite]
    if (tls.versions.includes(version)) return []
    return [{ path: ['tls', 'suites', index], message: `a suite of TLS ${version}, which tls.versions leaves out` }]
  })
  const legacy = chosen.flatMap((suite, index): Problem[] => {
    if (!suite.startsWith('TLS_RSA_') || tls.legacyRsaKeyExchange) return []
    const message = `${suite} has no forward secrecy: tls.legacyRsaKeyExchange: true allows it, for old clients`
    return [{ path: ['tls', 'suites', index], message }]
  })
  return [
    ...unused,
    ...legacy,
    ...idle.map((version) => ({
      path: ['tls', 'suites'],
      message: `no suite of TLS ${version}, which tls.versions has`,
    })),
  ]
}

function checkClientAuth({ clientAuth, clientCa }: NonNullable<WrittenService['tls']>): Problem[] {
  if (clientAuth !== 'none' && clientCa === undefined) {
    return [{ path: ['tls', 'clientCa'], message: `missing: clientAuth "${clientAuth}" needs the issuers to accept` }]
  }
  if (clientAuth === 'none' && clientCa !== undefined) {
    return [{ path: ['tls', 'clientCa'], message: 'has no effect unless clientAuth is "optional" or "required"' }]
  }
  return []
}

function checkSecure({ secure: { place, remote } }: Written): Problem[] {
  if (place === 'remote' && remote === undefined) {
    return [{ path: ['secure', 'remote'], message: 'missing: place "remote" needs the address and certificates' }]
  }
  if (place !== 'remote' && remote !== undefined) {
    return [{ path: ['secure', 'remote'], message: `has no effect with place "${place}"` }]
  }
  return []
}

/** Problems between the services, and of the whole. */
export function checkWhole(written: Written): Problem[] {
  return [
    ...checkSecure(written),
    ...checkCounts(written),
    ...checkListeners(written),
    ...checkDevices(written),
    ...checkCpus(written),
  ]
}

function checkCounts({ services, interfaces }: Written): Problem[] {
  const problems: Problem[] = []
  if (Object.keys(interfaces).length === 0)
    problems.push({ path: ['interfaces'], message: 'there must be at least one' })
  if (Object.keys(services).length === 0) problems.push({ path: ['services'], message: 'there must be at least one' })
  return problems
}

function checkListeners({ services }: Written): Problem[] {
  const seen: { name: string; endpoint: Endpoint }[] = []
  return Object.entries(services).flatMap(([name, service]) =>
    listenersOf(service).flatMap(({ path, endpoint }): Problem[] => {
      const earlier = seen.find(
        (one) => one.endpoint.port === endpoint.port && isSameAddress(one.endpoint.address, endpoint.address),
      )
      seen.push({ name, endpoint })
      if (!earlier) return []
      const who = earlier.name === name ? 'it' : `service "${earlier.name}"`
      return [{ path: ['services', name, ...path], message: `${who} listens there already` }]
    }),
  )
}

function checkDevices({ interfaces }: Written): Problem[] {
  const seen = new Map<string, string>()
  return Object.entries(interfaces).flatMap(([name, { device, vlan }]): Problem[] => {
    const key = `${device}.${vlan}`
    const earlier = seen.get(key)
    seen.set(key, name)
    if (earlier === undefined) return []
    const message = `"${device}" is interface "${earlier}" already; for one arm, give both sides of the service that name`
    return [{ path: ['interfaces', name, 'device'], message }]
  })
}

function checkCpus({ cpus, workers }: Written): Problem[] {
  if (!cpus) return []
  if (cpus.length !== workers) {
    return [{ path: ['cpus'], message: `expected one CPU for each worker, that is ${workers}, got ${cpus.length}` }]
  }
  const first = cpus[0] ?? 0
  const stray = cpus.findIndex((cpu, index) => cpu !== first + index)
  if (stray < 0) return []
  return [
    { path: ['cpus', stray], message: `this version pins workers to consecutive CPUs: expected ${first + stray}` },
  ]
}

/** Compares addresses, not spellings: "::1" is "0:0:0:0:0:0:0:1". */
function isSameAddress(a: string, b: string): boolean {
  if (isIPv6(a) !== isIPv6(b)) return false
  const family = isIPv6(a) ? 'ipv6' : 'ipv4'
  const one = new BlockList()
  one.addAddress(a, family)
  return one.check(b, family)
}

function suggestion(typed: string, known: readonly string[]): string {
  const nearest = didYouMean(typed, known)
  return nearest === undefined ? `; there is ${quoted(known)}` : `; did you mean "${nearest}"?`
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ') || 'none'
}
