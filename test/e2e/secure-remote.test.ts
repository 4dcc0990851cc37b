// Secure processors on another host: the private keys are there and nowhere else, and its end costs handshakes alone.
//
//   client ── wan [ cutwater run ] lan ── server: nginx, the sink, `cutwater processor` with the keys
//                        └── TLS, both sides with certificates ──┘
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import { processTree } from '../../src/demo/process-memory.js'
import { commandLine, kHasStandIn } from '../support/appliance.js'
import { kClients } from '../support/clients.js'
import { Lab } from '../support/lab.js'
import { hitsOf, searchMemory, shapesOfKey } from '../support/memory-search.js'
import { expectTransfer } from '../support/transfer.js'
import { trustForTests } from '../support/trust.js'

const kListen = `${kAddresses.server.v4}:7000`
const kKinds = ['ecdsa', 'rsa'] as const

describe.skipIf(kHasStandIn)('secure processors on another host', () => {
  let lab: Lab
  let authority: KeyPair
  let keysFolder: string
  let running: RunningProcess

  async function startProcessor(network: Network): Promise<RunningProcess> {
    const { certificate, key } = await makeCertificate(network.folder, authority, {
      file: 'processor',
      name: 'processor.test',
    })
    const files = ['--certificate', certificate, '--key', key, '--ca', authority.certificate, '--keys', keysFolder]
    const started = network.server.start([...commandLine, 'processor', '--listen', kListen, ...files])
    await started.until((stdout) => stdout.includes('ready'))
    return started
  }

  beforeAll(async () => {
    const trust = await trustForTests()
    // The appliance knows what the key files are called, and has none of them.
    const certificates = kKinds.map((kind) => ({
      certificate: trust.server[kind].certificate,
      key: `/nowhere/${basename(trust.server[kind].key)}`,
    }))
    const remote = { address: kListen, name: 'processor.test', certificate: '', key: '', ca: '' }
    lab = await Lab.create({
      port: 'packet',
      services: {
        shop: { timeouts: { handshake: '2s' }, tls: { certificates } },
        transfers: { tls: { certificates } },
      },
      more: { secure: { place: 'remote', remote } },
      wiring: async (network) => {
        keysFolder = network.file('keys')
        mkdirSync(keysFolder)
        for (const kind of kKinds)
          copyFileSync(trust.server[kind].key, join(keysFolder, basename(trust.server[kind].key)))
        authority = await makeAuthority(network.folder, 'processors')
        const own = await makeCertificate(network.folder, authority, {
          file: 'appliance',
          name: 'appliance.test',
          use: 'client',
        })
        Object.assign(remote, own, { ca: authority.certificate })
        running = await startProcessor(network)
      },
    })
  })
  afterAll(() => lab.close())

  function fetchPage(version: '1.2' | '1.3' = '1.3'): Promise<{ body: string }> {
    const { network, trust } = lab
    return kClients['curl']!({ host: network.client, trust, ...lab.target('shop'), path: '/hello', version })
  }
  function processors(of: number): number[] {
    return processTree(of).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'cutwater-secure')
  }
  /** Returns: the transfer's end, when its connections are established. */
  async function transferUnderWay(connections: number, bytes: number): Promise<{ ended: Promise<void> }> {
    const before = await lab.appliance.counter('flows_established')
    const ended = expectTransfer(lab, { direction: 'down', family: 'v4', connections, bytes })
    const now = () => lab.appliance.counter('flows_established')
    await expect.poll(now, { timeout: 30_000 }).toBe(before + connections)
    return { ended }
  }
  async function fetchSoon(): Promise<string> {
    for (;;) {
      try {
        return (await fetchPage()).body
      } catch {
        await sleep(200)
      }
    }
  }

  it.each(['1.2', '1.3'] as const)('serve clients, TLS %s (H4)', async (version) => {
    expect((await fetchPage(version)).body).toContain('hello from nginx')
  })

  it.skipIf(process.getuid?.() !== 0)('hold the private keys; no process of the appliance does (H4)', async () => {
    await fetchPage()
    for (const kind of kKinds) {
      const shapes = shapesOfKey(lab.trust.server[kind].key)
      const there = processors(running.pid).reduce((sum, pid) => sum + hitsOf(searchMemory(pid, shapes)), 0)
      expect(there, `${kind} on the other host`).toBeGreaterThan(0)
      for (const pid of processTree(lab.appliance.ready.pid)) {
        expect(hitsOf(searchMemory(pid, shapes)), `${kind} in process ${pid} of the appliance`).toBe(0)
      }
    }
  })

  it('serve nobody whose certificate is of another authority', async () => {
    const { certificate, key } = lab.trust.strangeClient
    const argv = ['openssl', 's_client', '-connect', kListen, '-cert', certificate, '-key', key, '-quiet']
    const before = processors(running.pid).length
    const { stdout, stderr } = await lab.network.appliance.run(argv, { input: 'CWR1\x02' })
    expect(stdout + stderr).toMatch(/alert unknown ca/)
    await expect.poll(() => processors(running.pid).length).toBe(before)
  })

  it('cost no established connection when they are gone, and are found again (H4)', async () => {
    const before = await lab.appliance.counter('secure_restarts')
    const transfer = await transferUnderWay(2, 100_000_000)
    await running.stop('SIGKILL')
    await transfer.ended
    await expect(fetchPage()).rejects.toThrow()
    running = await startProcessor(lab.network)
    expect(await fetchSoon()).toContain('hello from nginx')
    expect(await lab.appliance.counter('secure_restarts')).toBeGreaterThan(before)
  })

  it('cost handshakes alone when they are slow: who waits for them is served late, who is established does not notice (H4)', async () => {
    expect(await fetchSoon()).toContain('hello from nginx')
    const before = await lab.appliance.counter('secure_restarts')
    const transfer = await transferUnderWay(2, 100_000_000)
    const slow = processors(running.pid)
    for (const pid of slow) process.kill(pid, 'SIGSTOP')
    const late = fetchPage()
    await sleep(1_000)
    for (const pid of slow) process.kill(pid, 'SIGCONT')
    expect((await late).body).toContain('hello from nginx')
    await transfer.ended
    expect(await lab.appliance.counter('secure_restarts')).toBe(before)
  })

  it('come and go under load: handshakes fail meanwhile, and go on each time (H4)', async () => {
    const { address, port } = lab.target('shop')
    const transfer = await transferUnderWay(1, 50_000_000)
    const load = runLoad(lab.network.client, 'handshakes', { connect: address, port, connections: 8, seconds: 8 })
    for (let times = 0; times < 2; times += 1) {
      await sleep(500)
      await running.stop('SIGKILL')
      await sleep(500)
      running = await startProcessor(lab.network)
      expect(await fetchSoon()).toContain('hello from nginx')
    }
    expect((await load).perSecond).toBeGreaterThan(0)
    await transfer.ended
    expect(await fetchSoon()).toContain('hello from nginx')
  })
})
