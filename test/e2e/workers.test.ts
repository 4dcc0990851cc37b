// Two workers on devices with two queues. The device picks the queue, the flow its owner: half of the packets come in at the wrong
// worker and are handed over (native/engine/handover.hpp).
//
//   client ═ 2 queues ═ wan ─ worker 0 ─ lan ═ 2 queues ═ server
//                           ╳ hand-over
//                         wan ─ worker 1 ─ lan
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { commandLine, growth } from '../support/appliance.js'
import { kClients } from '../support/clients.js'
import { Lab, kFamilies } from '../support/lab.js'
import { expectTransfer } from '../support/transfer.js'
import { withQueues } from '../support/wiring.js'

const kParallel = 64

/** Nanoseconds that each worker thread of a process has run. */
function workerTimes(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`)
  const workers = threads
    .map((folder) => ({ folder, name: readFileSync(`${folder}/comm`, 'utf8').trim() }))
    .filter(({ name }) => name.startsWith('cw-worker-'))
    .sort((a, b) => a.name.localeCompare(b.name))
  return workers.map(({ folder }) => Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]))
}

describe('two workers over xsk', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({
      port: 'xsk', wiring: withQueues(2), services: { shop: {}, transfers: {} }, more: { workers: 2 },
    }) // prettier-ignore
  })
  afterAll(() => lab.close())

  it('both run, and both ports have both queues', () => {
    expect(workerTimes(lab.appliance.ready.pid)).toHaveLength(2)
    for (const name of ['wan', 'lan']) expect(lab.appliance.ready.interfaces[name]).toMatchObject({ port: 'xsk' })
  })

  describe.each(['down', 'up'] as const)('64 connections at once, %s', (direction) => {
    it.each(kFamilies)(
      'byte for byte over %s, packets handed over to the owner, work on both (I6, A3)',
      async (family) => {
        const before = workerTimes(lab.appliance.ready.pid)
        const grown = await growth(lab.appliance, () =>
          expectTransfer(lab, { direction, family, connections: kParallel, bytes: 1_000_000 }),
        )
        const ran = workerTimes(lab.appliance.ready.pid).map((time, index) => time - before[index]!)
        expect(grown['flows_established']).toBe(kParallel)
        // Either direction of a flow meets the right queue by chance one time in two, so far more than a tenth is handed over.
        const received = grown['packets_from_clients']! + grown['packets_from_servers']!
        expect(grown['packets_handed_over']).toBeGreaterThan(received / 10)
        expect(grown['packets_handed_over']).toBeLessThan(received)
        // And each owner has its share of the work: neither is idle beside the other.
        expect(Math.min(...ran)).toBeGreaterThan(Math.max(...ran) / 10)
      },
      120_000,
    )
  })

  it('a connection on its own is not slowed down by an owner that sleeps', async () => {
    const request = {
      host: lab.network.client,
      trust: lab.trust,
      ...lab.target('shop'),
      path: '/hello',
      version: '1.3',
    } as const
    const times: number[] = []
    for (let round = 0; round < 12; round += 1) {
      const started = performance.now()
      expect((await kClients['curl']!(request)).body).toContain('hello from nginx')
      times.push(performance.now() - started)
    }
    // Three connections in four have a direction on the other worker's queue, and each of its packets would wait for up to 100 ms
    // if the owner were not woken: 300 ms for a page, against 30 of those that have none.
    times.sort((a, b) => a - b)
    expect(times[6]).toBeLessThan(times[0]! * 5)
  })

  it('flows of both workers are listed', async () => {
    const holders = lab.network.client.start([
      'python3', '-c', `
import socket, ssl, time
context = ssl._create_unverified_context()
held = [context.wrap_socket(socket.create_connection(("${lab.target('shop').address}", 443)), server_hostname="shop.test") for _ in range(32)]
print("ready", flush=True)
time.sleep(60)`,
    ]) // prettier-ignore
    await holders.until((stdout) => stdout.includes('ready'), 30_000)
    const established = async () => (await lab.appliance.flows()).filter(({ state }) => state === 'established')
    // The last client is ready when its Finished is on its way.
    await expect.poll(async () => (await established()).length, { timeout: 30_000 }).toBeGreaterThanOrEqual(32)
    const flows = await established()
    expect(new Set(flows.map(({ client }) => client)).size).toBe(flows.length) // each flow has one owner
    await holders.stop()
  })

  it('more workers than queues are refused in words, exit code 1', async () => {
    const { certificate, key } = lab.trust.server.ecdsa
    const address = '203.0.113.10'
    const file = lab.network.file('many.yaml')
    const service = {
      listen: { address, port: 444 },
      servers: [{ address, port: 80 }],
      tls: { certificates: [{ certificate, key }] },
    }
    const interfaces = { wan: { device: 'wan' }, lan: { device: 'lan' } }
    writeFileSync(file, stringify({ name: 'many', workers: 3, interfaces, services: { shop: service } }))
    await lab.appliance.stop()
    const argv = [...commandLine, 'run', '--config', file, '--control', 'none']
    const result = await lab.network.appliance.run(argv, { timeoutMs: 20_000 })
    expect(result.code).toBe(1)
    expect(result.stderr + result.stdout).toMatch(/wan: has fewer queues than there are workers \(3\)/)
    expect(
      await lab.network.appliance.output(['sh', '-c', 'ip -details link show dev wan; ip -details link show dev lan']),
    ).not.toMatch(/xdp/)
  })
})
