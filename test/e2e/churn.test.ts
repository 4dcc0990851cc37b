// Thousands of connections that come and go, in good order and not: afterwards nothing of them is left.
//
//   cutwater-load handshakes, raw-client.py ── TLS ── wan [ cutwater ] lan ── clear ── sink :8081, odd-server.py :7080
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { growth } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import { rawClient } from '../support/raw-client.js'
import type { Step } from '../support/raw-client.js'

const kWays: readonly (readonly Step[])[] = [
  ['handshake', { send: 'sink\n' }, 'reset'],
  ['handshake', { send: 'sink\n' }, { cut: 'x'.repeat(2_000) }, 'reset'],
  ['handshake', { send: 'reset-after 100000\n' }, 'readToEnd'],
  ['handshake', { send: 'close-after 100000\n' }, 'readToEnd', 'closeNotify', 'fin'],
  ['handshake', { forge: 'forged' }, 'readToEnd'],
  [{ raw: '16030100ff01' }, 'reset'],
  [{ raw: 'deadbeefdeadbeef' }, 'readRaw'],
]

describe.each(kPorts)('connections that come and go over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { transfers: {}, odd: {} } })
  })
  afterAll(() => lab.close())

  it('leave no flow and no chunk behind (I5)', async () => {
    const { appliance } = lab
    const client = lab.network.client
    const target = lab.target('transfers')
    const free = await appliance.counter('chunks_free')
    const grown = await growth(appliance, async () => {
      const load = runLoad(client, 'handshakes', {
        connect: target.address,
        port: target.port,
        connections: 32,
        seconds: 4,
      })
      for (const steps of [...kWays, ...kWays]) await rawClient(client, lab.target('odd'), steps)
      expect((await load).failures).toBe(0)
      await client.run([
        'timeout',
        '0.5',
        'curl',
        '-sk',
        '-o',
        '/dev/null',
        `https://${target.address}:${target.port}/bytes/1000000000`,
      ]) // cut off in full run
    })
    expect(grown['flows_opened']).toBeGreaterThan(300)
    for (let tries = 0; tries < 100 && (await appliance.flows()).length > 0; tries += 1) await sleep(100)
    expect(await appliance.flows()).toEqual([])
    expect(await appliance.counter('chunks_free')).toBe(free)
  })
})
