// Secure processors in a process of their own: where the private keys are, and what its end costs.
//
//   node (control plane, workers) ── hand-off protocol ── cutwater-secure (keys, handshakes)
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { processTree } from '../../src/demo/process-memory.js'
import { kHasStandIn } from '../support/appliance.js'
import { kClients } from '../support/clients.js'
import { Lab } from '../support/lab.js'
import { hitsOf, searchMemory, shapesOfKey } from '../support/memory-search.js'
import { expectTransfer } from '../support/transfer.js'
import { kServerName } from '../support/trust.js'

const isRoot = process.getuid?.() === 0

function fetchPage(lab: Lab, version: '1.2' | '1.3' = '1.3'): Promise<{ body: string }> {
  return kClients['curl']!({
    host: lab.network.client,
    trust: lab.trust,
    ...lab.target('shop'),
    path: '/hello',
    version,
  })
}

/** The secure processors' process below the appliance; undefined: there is none now. */
function processorOf(lab: Lab): number | undefined {
  return processTree(lab.appliance.ready.pid).find(
    (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'cutwater-secure',
  )
}

async function processorAfter(lab: Lab, old: number): Promise<number> {
  for (;;) {
    const pid = processorOf(lab)
    if (pid !== undefined && pid !== old) return pid
    await sleep(20)
  }
}

describe.skipIf(kHasStandIn)('secure processors in a process', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({
      port: 'packet',
      services: { shop: {}, transfers: {} },
      more: { secure: { place: 'process' } },
    })
  })
  afterAll(() => lab.close())

  it.each(['1.2', '1.3'] as const)('serves clients, TLS %s (H4)', async (version) => {
    expect((await fetchPage(lab, version)).body).toContain('hello from nginx')
  })

  it.skipIf(!isRoot)('keeps the private keys out of the process that handles packets (H4)', async () => {
    await fetchPage(lab)
    const processor = processorOf(lab)
    expect(processor).toBeDefined()
    for (const kind of ['ecdsa', 'rsa'] as const) {
      const shapes = shapesOfKey(lab.trust.server[kind].key)
      // The search finds what is there: the processor signs with these keys.
      expect(hitsOf(searchMemory(processor!, shapes)), `${kind} in the processor`).toBeGreaterThan(0)
      expect(Object.fromEntries(searchMemory(lab.appliance.ready.pid, shapes)), kind).toEqual(
        Object.fromEntries([...shapes.keys()].map((name) => [name, 0])),
      )
    }
  })

  it('a processor that is killed costs no established connection, and is replaced (H4)', async () => {
    const before = await lab.appliance.counter('secure_restarts')
    const established = await lab.appliance.counter('flows_established')
    const transfer = expectTransfer(lab, { direction: 'down', family: 'v4', connections: 2, bytes: 150_000_000 })
    await expect.poll(() => lab.appliance.counter('flows_established'), { timeout: 30_000 }).toBe(established + 2)
    let killed = processorOf(lab)!
    for (let kills = 1; kills <= 2; kills += 1) {
      await sleep(50)
      process.kill(killed, 'SIGKILL')
      killed = await processorAfter(lab, killed)
    }
    await transfer
    expect((await fetchPage(lab)).body).toContain('hello from nginx')
    expect((await lab.appliance.counter('secure_restarts')) - before).toBe(2)
  })

  it('handshakes under way when it is killed fail, later ones do not (H4)', async () => {
    const { address, port } = lab.target('shop')
    const load = runLoad(lab.network.client, 'handshakes', { connect: address, port, connections: 8, seconds: 3 })
    await sleep(1_000)
    const old = processorOf(lab)!
    process.kill(old, 'SIGKILL')
    await processorAfter(lab, old)
    const { failures } = await load
    expect(failures).toBeLessThanOrEqual(8)
    expect((await fetchPage(lab)).body).toContain('hello from nginx')
  })

  it.each(['1.2', '1.3'])(
    'clients with a ticket resume at the process that took its place, TLS %s (H7)',
    async (version) => {
      const { address, port } = lab.target('shop')
      const file = lab.network.file(`session-${version}`)
      const argv = [
        'openssl',
        's_client',
        `-tls${version.replace('.', '_')}`,
        '-connect',
        `${address}:${port}`,
        '-ign_eof',
      ]
      const input = `GET /hello HTTP/1.1\r\nHost: ${kServerName}\r\nConnection: close\r\n\r\n`
      const first = await lab.network.client.run([...argv, '-sess_out', file], { input })
      expect(first.stdout).toContain('New, TLSv1')
      const old = processorOf(lab)!
      process.kill(old, 'SIGKILL')
      await processorAfter(lab, old)
      const second = await lab.network.client.run([...argv, '-sess_in', file], { input })
      expect(second.stdout).toContain('Reused, TLSv1')
      expect(second.stdout).toContain('hello from nginx')
    },
  )

  it('ends with the appliance (H11)', async () => {
    const processor = processorOf(lab)!
    await lab.appliance.stop()
    expect(() => process.kill(processor, 0)).toThrow('ESRCH')
  })
})

describe.skipIf(kHasStandIn || !isRoot)('secure processors in threads', () => {
  it('hold the keys in the process that handles packets: what the search above would find (H4)', async () => {
    const lab = await Lab.create({ port: 'packet', services: { shop: {} } })
    try {
      await fetchPage(lab)
      const hits = hitsOf(searchMemory(lab.appliance.ready.pid, shapesOfKey(lab.trust.server.ecdsa.key)))
      expect(hits).toBeGreaterThan(0)
    } finally {
      await lab.close()
    }
  })
})
