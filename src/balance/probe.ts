/** One look at one server, through the kernel's own stack: does it accept, and does it answer as it should? */
import { type IncomingMessage, request } from 'node:http'
import { request as requestInTls } from 'node:https'
import { connect, isIP } from 'node:net'

import type { Endpoint, HealthConfig, ServerTlsConfig } from '../config/defaults.js'

/** Why a server did not pass; undefined: it passed. One line, for events. */
export type Finding = string | undefined

const maxBodyBytes = 65_536

/**
 * Looks once. Never throws, never takes longer than the timeout. A server that speaks TLS is not verified here: whether it is
 * believed shows at each connection for a client, and what fails there counts against it as well.
 */
export function probe(server: Endpoint, health: HealthConfig, serverTls?: ServerTlsConfig): Promise<Finding> {
  const target = { address: server.address, port: health.port ?? server.port }
  return health.check === 'http' ? probeHttp(target, health, serverTls) : probeTcp(target, health)
}

function probeTcp({ address, port }: Endpoint, { timeoutMs }: HealthConfig): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal: AbortSignal.timeout(timeoutMs) })
    socket.once('connect', () => {
      resolve(undefined)
      socket.end()
      socket.destroySoon()
    })
    socket.once('error', (error) => {
      resolve(reasonOf(error, timeoutMs))
      socket.destroy()
    })
  })
}

// A new connection each time: one that is kept would go on working when the server takes no new ones.
function probeHttp(
  { address, port }: Endpoint,
  health: HealthConfig,
  serverTls: ServerTlsConfig | undefined,
): Promise<Finding> {
  const { timeoutMs, path, host, status } = health
  return new Promise((resolve) => {
    const headers = {
      host: host ?? (address.includes(':') ? `[${address}]` : address),
      'user-agent': 'cutwater-health',
    }
    const options = {
      host: address,
      port,
      path,
      headers,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    } as const
    const take = (response: IncomingMessage) => {
      let bytes = 0
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > maxBodyBytes) response.destroy() // the status is what counts
      })
      response.once('error', () => undefined)
      const found = response.statusCode ?? 0
      resolve(status.includes(found) ? undefined : `HTTP status ${found}`)
    }
    const name = serverTls?.name ?? ''
    const asked =
      serverTls === undefined
        ? request(options, take)
        : requestInTls({ ...options, rejectUnauthorized: false, servername: isIP(name) === 0 ? name : '' }, take)
    asked.once('error', (error) => {
      resolve(reasonOf(error, timeoutMs))
    })
    asked.end()
  })
}

function reasonOf(error: Error & { readonly code?: string }, timeoutMs: number): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`
  return error.code ?? error.message
}
