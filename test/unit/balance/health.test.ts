// Health checks of real servers on loopback: what passes, what does not, and what the engine is told of it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { HealthChecks } from '../../../src/balance/health.js'
import { probe } from '../../../src/balance/probe.js'
import type { Health } from '../../../src/balance/verdict.js'
import { type Config, type HealthConfig } from '../../../src/config/defaults.js'
import { parseConfig } from '../../../src/config/parse.js'
import { makeAuthority } from '../../../src/demo/certificates.js'

const tcp: HealthConfig = {
  check: 'tcp',
  intervalMs: 20,
  timeoutMs: 500,
  rise: 2,
  fall: 2,
  port: undefined,
  path: '/ready',
  host: undefined,
  status: [200],
}
const http: HealthConfig = { ...tcp, check: 'http' }

const open: Server[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

async function listening(server: Server, port = 0): Promise<{ address: string; port: number }> {
  open.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** An address nobody listens at. */
async function deserted(): Promise<{ address: string; port: number }> {
  const where = await listening(createServer())
  await new Promise((resolve) => open.pop()?.close(resolve))
  return where
}

describe('A8: a look at a server', () => {
  it('passes when it accepts, and fails with the reason when it refuses', async () => {
    expect(await probe(await listening(createServer()), tcp)).toBeUndefined()
    expect(await probe(await deserted(), tcp)).toBe('ECONNREFUSED')
  })

  it('over HTTP passes with an expected status only, asked for by path and Host', async () => {
    const seen: string[] = []
    const server = createHttpServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host}`)
      response.writeHead(request.url === '/ready' ? 204 : 503).end()
    })
    const where = await listening(server)
    expect(await probe(where, { ...http, status: [200, 204], host: 'shop.example' })).toBeUndefined()
    expect(await probe(where, http)).toBe('HTTP status 204')
    expect(await probe(where, { ...http, path: '/other' })).toBe('HTTP status 503')
    expect(seen[0]).toBe('GET /ready shop.example')
    expect(seen[1]).toBe('GET /ready 127.0.0.1')
  })

  it('over HTTP in TLS where the servers speak that, whatever their certificate is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cw-health-'))
    const pair = await makeAuthority(folder)
    const names: unknown[] = []
    const server = createHttpsServer(
      { cert: readFileSync(pair.certificate), key: readFileSync(pair.key) },
      (_, response) => {
        response.writeHead(200).end()
      },
    ).on('secureConnection', (socket) => names.push(socket.servername))
    rmSync(folder, { recursive: true })
    const where = await listening(server)
    const serverTls = {
      verify: 'full',
      name: 'backend.test',
      caPath: undefined,
      certificate: undefined,
      versions: ['1.2', '1.3'],
      truncation: 'reset',
    } as const
    expect(await probe(where, http, serverTls)).toBeUndefined()
    expect(await probe(where, http, { ...serverTls, name: '192.0.2.1' })).toBeUndefined()
    expect(await probe(where, http)).toBeDefined()
    expect(names).toEqual(['backend.test', false])
  })

  it('over HTTP fails when the server accepts and says nothing, or no HTTP', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).resume())
    expect(await probe(await listening(silent), { ...http, timeoutMs: 100 })).toBe('no answer within 100 ms')
    const rude = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('hello\n'),
    )
    expect(await probe(await listening(rude), http)).toMatch(/^HPE_/)
  })

  it('looks at another port when it is told to', async () => {
    const { port } = await listening(createServer())
    expect(await probe({ ...(await deserted()) }, { ...tcp, port })).toBeUndefined()
  })
})

describe('A8: health checks', () => {
  function configOf(port: number, health: object | undefined): Config {
    return parseConfig({
      interfaces: { lo: { device: 'lo' } },
      services: {
        shop: {
          mode: 'balance',
          listen: { address: '127.0.0.9', port: 443 },
          servers: [{ name: 'a', address: '127.0.0.1', port }],
          ...(health === undefined ? {} : { health }),
          tls: { certificates: [{ certificate: 'c', key: 'k' }] },
        },
      },
    })
  }

  it('tell of a server that goes and of one that comes back, once each, and forgive it when they end', async () => {
    const told: [string, string, Health][] = []
    let heard: () => void = () => undefined
    const next = () => new Promise<void>((resolve) => (heard = resolve))
    const checks = new HealthChecks((...what) => {
      told.push(what)
      heard()
    })
    const where = await deserted()
    const health = { interval: '100ms', timeout: '100ms', rise: 1, fall: 2 }
    let told1 = next()
    checks.watch(configOf(where.port, health))
    await told1
    expect(told).toEqual([['shop', 'a', 'down']])
    checks.watch(configOf(where.port, health)) // a reload: it is still down, and that is no news
    told1 = next()
    await listening(createServer(), where.port)
    await told1
    expect(told.slice(1)).toEqual([['shop', 'a', 'up']])
    await new Promise((resolve) => open.pop()?.close(resolve))
    told1 = next()
    await told1
    checks.watch(configOf(where.port, undefined))
    expect(told.slice(2)).toEqual([
      ['shop', 'a', 'down'],
      ['shop', 'a', 'up'],
    ])
    checks.close()
  })
})
