// Hellos that never go on, far more than could ever be signed, from many addresses; and what clients in good faith get meanwhile.
//
//   flood, new clients, clients with tickets, a transfer ── TLS ── wan [ cutwater, hello.retry: auto ] lan ── clear ── the sink
//
// Proxy mode: in direct mode the server takes each of the flood's connections, and its own queue is the limit. The cores are shared
// with everything else here; `npm run bench -- flood` shows the same on cores of its own, beside nginx and HAProxy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addManyClients, flood, shareOf, signingCapacity } from '../../bench/flood/flood.js'
import type { FloodFigures } from '../../bench/flood/flood.js'
import { kHasStandIn } from '../support/appliance.js'
import { Lab } from '../support/lab.js'

const kIsFull = process.env['CUTWATER_FULL'] === '1'
const kMaxHalfOpen = 16_384
const kKinds = [
  ['sound hellos', false],
  ['hellos with made-up tickets', true],
] as const

describe.skipIf(kHasStandIn || process.getuid?.() !== 0).each(kKinds)('a flood of %s', (_, madeUpTickets) => {
  let lab: Lab
  let capacity = 0
  let figures: FloodFigures
  let counted: Map<string, number>
  beforeAll(async () => {
    lab = await Lab.create({
      port: 'xsk',
      services: { transfers: { mode: 'proxy', hello: { retry: 'auto' } } },
      more: { maxHalfOpen: kMaxHalfOpen },
    })
    await addManyClients(lab.network)
    const target = { ...lab.target('transfers'), pid: lab.appliance.ready.pid }
    const signing = await signingCapacity(lab.network, target, { seconds: 2, signers: 'cw-secure' })
    capacity = signing.perSecond
    const effort = { seconds: kIsFull ? 15 : 6, arrivals: 40, patience: 20, pace: 12_500_000, madeUpTickets }
    figures = await flood(lab.network, target, Math.round(signing.perCoreSecond * 10), effort)
    counted = await lab.appliance.counters()
    console.log(JSON.stringify({ madeUpTickets, signing, ...figures }))
  })
  afterAll(() => lab.close())

  it('is one: ten times what clients got signed before it, and retries were switched on (H3)', () => {
    expect(figures.hellosPerSecond).toBeGreaterThan(10 * capacity)
    expect(counted.get('retries_switched_on')).toBeGreaterThan(0)
    expect(counted.get('hellos_retried')).toBeGreaterThan(figures.hellos / 2)
  })

  it('leaves new clients their handshakes (H3, H8)', () => {
    expect(shareOf(figures.fresh)).toBeGreaterThanOrEqual(0.8)
  })

  it('leaves clients with a ticket their handshakes (H6, H9)', () => {
    expect(shareOf(figures.returning)).toBeGreaterThanOrEqual(0.95)
  })

  it('leaves a transfer its rate', () => {
    expect(figures.transfer.worst).toBeGreaterThan(0)
    // How much of it depends on who else uses the two cores: the gate's machine may be busy.
    if (kIsFull) expect(figures.transfer.during / figures.transfer.before).toBeGreaterThan(0.9)
  })

  it('finds memory at its cap, the oldest who proved nothing going first (H1, H8)', () => {
    expect(counted.get('reset_half_open_reaped')).toBeGreaterThan(0)
    expect(counted.get('half_open_live')).toBeLessThanOrEqual(kMaxHalfOpen)
    const growth = figures.memory.end - figures.memory.third
    expect(growth).toBeLessThan(64 * 2 ** 20)
  })
})
