// The add-on itself, without a port: what it refuses, that it survives misuse, and that it ends with its environment.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

import { describe, expect, it } from 'vitest'

import { suites } from '../../../src/config/suites.js'
import { buildInfo, callNative, createEngine, microOperations } from '../../../src/native/binding.js'
import type { NativeConfig, NativeService } from '../../../src/native/contract.js'

const addon = fileURLToPath(new URL('../../../build/native/RelWithDebInfo/cutwater.node', import.meta.url))

const service: NativeService = {
  name: 'shop',
  mode: 'direct',
  handling: 'open',
  clientInterface: 0,
  serverInterface: 0,
  listen: { address: '203.0.113.10', port: 443 },
  servers: [{ name: 'one', address: '203.0.113.10', port: 80, weight: 1, maxSessions: 0 }],
  routes: [],
  http: { isRead: false, isForwarded: false, maxHeadBytes: 0 },
  balance: {
    algorithm: 'least-sessions',
    hash: 'address-and-port',
    hashKey: new Uint8Array(16),
    slowStartMs: 0,
    drainLimitMs: 600_000,
    failures: 3,
    shunForMs: 10_000,
    pool: [],
    proxyProtocol: 'none',
    announce: 'auto',
  },
  tls: {
    allowTls12: true,
    allowTls13: true,
    certificates: [],
    protocols: [],
    suites: [],
    clientAuth: 'none',
    clientCa: new Uint8Array(),
    requireKnownName: false,
    sessionLifetimeS: 7_200,
    tickets: 2,
    legacyRsaKeyExchange: false,
  servers: {
    isUsed: false,
    allowTls12: false,
    allowTls13: false,
    verify: 'full',
    name: '',
    ca: new Uint8Array(),
    certificates: [],
  },
  },
  truncation: 'reset',
  serverTruncation: 'reset',
  release: 'whole-record',
  custodyCongestion: 'cubic',
  idleTimeoutMs: 1_000,
  handshakeTimeoutMs: 1_000,
  rekeyAfterRecords: 0,
  hello: { retry: 'auto' as const, queueTimeoutMs: 3_000, rules: [] },
}
const config: NativeConfig = {
  interfaces: [{ name: 'wan', device: 'nosuchdev0', port: 'packet', attach: 'auto', copy: 'auto', vlan: 0 }],
  services: [service],
  workers: 1,
  firstCpu: -1,
  secureThreads: 1,
  securePlace: 'thread',
  secureProgram: '',
  secureArguments: [],
  maxFlows: 1_024,
  maxHalfOpen: 1_024,
  maxHandshakes: 1_024,
  chunks: 1_024,
  busyPollUs: 50,
  aead: '',
  keyLogPath: '',
}

/** `config` with one value replaced, deep down. */
function changed(path: readonly (string | number)[], value: unknown): NativeConfig {
  const copy = structuredClone(config) as unknown as Record<string | number, unknown>
  let inner = copy
  for (const step of path.slice(0, -1)) inner = inner[step] as Record<string | number, unknown>
  inner[path.at(-1) ?? ''] = value
  return copy as unknown as NativeConfig
}

function codeOf(call: () => unknown): { code: string; message: string } {
  try {
    callNative(call)
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('nothing was thrown')
}

describe('the add-on', () => {
  it.each<[readonly (string | number)[], unknown, string]>([
    [['interfaces'], 1, 'interfaces: expected an array'],
    [['interfaces', 0], null, 'interfaces[0]: expected an object'],
    [['interfaces', 0, 'port'], 'dpdk', 'interfaces[0].port: unknown word "dpdk"'],
    [['interfaces', 0, 'vlan'], 65_536, 'interfaces[0].vlan: expected a whole number, 0 to 65535'],
    [['services', 0, 'listen', 'port'], '443', 'services[0].listen.port: expected a whole number, 0 to 65535'],
    [['services', 0, 'listen', 'port'], 1.5, 'services[0].listen.port: expected a whole number'],
    [['services', 0, 'listen', 'port'], NaN, 'services[0].listen.port: expected a whole number'],
    [['services', 0, 'listen', 'address'], 'shop', 'services[0].listen.address: expected an IP address'],
    [['services', 0, 'listen', 'address'], undefined, 'services[0].listen.address: expected a string'],
    [['services', 0, 'tls', 'clientCa'], 'pem', 'services[0].tls.clientCa: expected a Uint8Array'],
    [['services', 0, 'tls', 'tickets'], -1, 'services[0].tls.tickets: expected a whole number'],
    [['services', 0, 'tls', 'allowTls12'], 1, 'services[0].tls.allowTls12: expected a boolean'],
    [['services', 0, 'tls', 'suites'], [0x1301, 0x1_0000], 'services[0].tls.suites[1]: expected a whole number'],
    [['services', 0, 'clientInterface'], 1, 'services.shop: names an interface that is not there'],
    [['workers'], 1n, 'workers: expected a whole number'],
  ])('names %j when it is %o', (path, value, message) => {
    const error = codeOf(() => createEngine().start(changed(path, value)))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toContain(message)
  })

  it.each([undefined, null, 1, 'text', []])('refuses %o as a configuration', (value) => {
    expect(codeOf(() => createEngine().start(value as unknown as NativeConfig)).code).toBe('CONFIG_INVALID')
  })

  it('passes an exception of a getter on, and goes on working', () => {
    const hostile = Object.defineProperty({}, 'interfaces', {
      get() {
        throw new Error('from the getter')
      },
    })
    expect(() => createEngine().start(hostile as NativeConfig)).toThrow('from the getter')
    const trap = () => {
      throw new Error('from the trap')
    }
    const list = Object.defineProperty([1], 0, { get: trap })
    expect(() => createEngine().start({ ...config, interfaces: list as never })).toThrow('from the trap')
    expect(buildInfo().version).not.toBe('')
  })

  it('takes what the engine itself refuses as an error with a code', () => {
    expect(codeOf(() => createEngine().start(changed(['services'], [])))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('can be closed before it was started, and twice', () => {
    const engine = createEngine()
    engine.close()
    engine.close()
    expect(codeOf(() => engine.start(config)).code).not.toBe('')
  })

  it('tells what it is made of', () => {
    const info = buildInfo()
    expect(info.openssl).toMatch(/OpenSSL 3\./)
    expect(info.version).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('opens what it sealed, with each suite and backend', () => {
    const { Cipher } = microOperations()
    for (const { iana } of Object.values(suites)) {
      for (const aead of ['', 'openssl']) {
        const cipher = new Cipher(iana, aead)
        const room = new Uint8Array(1_438 + 64)
        const sealed = room.slice(0, cipher.seal(room, 1_438, 1))
        expect(cipher.open(sealed, room, 3)).toBe(1_438)
        sealed[100]! ^= 1
        expect(codeOf(() => cipher.open(sealed, room, 1)).message).toContain('does not open')
      }
    }
  })

  it('runs single operations for the benches, and refuses what would leave the caller’s bytes', () => {
    const micro = microOperations()
    const hello = readFileSync(new URL('../../fuzz/corpus/hello/openssl_tls13', import.meta.url))
    expect(micro.hello(hello, 3)).toBeGreaterThan(5)
    expect(micro.hello(Buffer.from('GET / HTTP/1.1'), 1)).toBe(-1)
    expect(micro.ja4(hello, 1)).toMatch(/^t13/)
    expect(micro.records(Buffer.from([23, 3, 3, 0, 1, 0, 23, 3, 3, 0, 1, 0, 23]), 1)).toBe(2)
    const flows = new micro.Flows(1_000)
    expect([flows.hit(5_000), flows.miss(5_000)]).toEqual([5_000, 0])
    const cipher = new micro.Cipher(0x1301, '')
    const wrong: (() => unknown)[] = [
      () => new micro.Cipher(0x0035, ''),
      () => new micro.Cipher(0x1301, 'guess'),
      () => new micro.Flows(0),
      () => cipher.seal(new Uint8Array(64), 64, 1),
      () => cipher.seal(new Uint8Array(20_000), 16_385, 1),
      () => cipher.seal(new Uint8Array(), 1, 1),
      () => cipher.bare(new Uint8Array(32), 1, 1),
      () => cipher.open(new Uint8Array(100), new Uint8Array(99), 1),
      () => micro.checksum(new Uint8Array(64), 0),
      () => micro.checksum(new Uint8Array(64), -1),
      () => micro.checksum(new Uint16Array(64) as unknown as Uint8Array, 1),
      () => micro.hello('text' as unknown as Uint8Array, 1),
    ]
    for (const call of wrong) expect(codeOf(call).code, String(call)).toBe('CONFIG_INVALID')
  })

  it('works in several worker threads at once, and ends with each', async () => {
    const script = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { Engine, buildInfo } = require(workerData)
      const engines = [new Engine(), new Engine()]
      parentPort.postMessage(buildInfo().version)
    `
    const versions = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const worker = new Worker(script, { eval: true, workerData: addon })
        const version = new Promise((resolve, reject) => {
          worker.once('message', resolve).once('error', reject)
        })
        const ended = new Promise((resolve) => worker.once('exit', resolve))
        return [await version, await ended]
      }),
    )
    expect(versions).toEqual(Array.from({ length: 4 }, () => [buildInfo().version, 0]))
  })

  it('lets a process end although an engine was never closed', () => {
    const script = `const { Engine } = require(${JSON.stringify(addon)}); globalThis.kept = new Engine(); console.log('end')`
    expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 10_000 })).toBe('end\n')
  })
})
