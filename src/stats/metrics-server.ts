/** Serves the counters to Prometheus over plain HTTP: GET /metrics, and GET /healthz for load balancers. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'

import { type Endpoint, formatEndpoint } from '../config/defaults.js'
import { CutwaterError } from '../errors.js'
import { prometheusContentType } from './prometheus.js'

const maxConnections = 64
const requestTimeoutMs = 10_000

export class MetricsServer {
  readonly #server: Server
  #closing: Promise<void> | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  /** `render` makes the text of one scrape. @throws CutwaterError METRICS_UNAVAILABLE */
  static async listen({ address, port }: Endpoint, render: () => string): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
      const path = request.url?.split('?')[0]
      if (request.method !== 'GET' && request.method !== 'HEAD') return response.writeHead(405).end()
      if (path === '/healthz') return response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
      if (path !== '/metrics') return response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n')
      try {
        const text = render()
        return response.writeHead(200, { 'content-type': prometheusContentType }).end(text)
      } catch {
        return response.writeHead(503).end() // closing
      }
    })
    server.maxConnections = maxConnections
    server.listen({ host: address, port })
    try {
      await once(server, 'listening')
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const where = formatEndpoint({ address, port })
      throw new CutwaterError('METRICS_UNAVAILABLE', `metrics: cannot listen on ${where}: ${reason}`, { cause })
    }
    return new MetricsServer(server)
  }

  /** Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => {
        resolve()
      })
      this.#server.closeAllConnections()
    }))
  }
}
