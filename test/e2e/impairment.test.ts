// Bad networks between real kernels: the relay (test/support/relay) loses, repeats, reorders, delays, damages and narrows
// what crosses the cables. Bytes are compared, connections counted; times are printed and never judged.
//
//   client ── c0 [ relay ] wan [ cutwater ] lan [ relay ] s0 ── server       transfers through the appliance
//   client ── c0 [ relay ] wan [ kernel   ] lan [ relay ] s0 ── server       the same in clear: what they are compared with
//
// The gate moves a few transfers at each loss; CUTWATER_FULL=1 moves 200 (CUTWATER_TRANSFERS=n: n), with the bad link on either side,
// four together (CUTWATER_AT_ONCE=n: n). Custody sends as the two ends do.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { kHasStandIn, growth } from '../support/appliance.js'
import { Capture, resentFrom } from '../support/capture.js'
import { move, ratioOf, spreadOf, startComparison } from '../support/impaired-transfers.js'
import type { Carrier, Direction } from '../support/impaired-transfers.js'
import { Lab } from '../support/lab.js'
import { kRelayDevices } from '../../src/demo/network.js'
import type { Cable } from '../../src/demo/network.js'
import type { Relay } from '../support/relay.js'

const isFull = process.env['CUTWATER_FULL'] === '1'
const kAtOnce = Number(process.env['CUTWATER_AT_ONCE'] ?? 4)
const isCompared = isFull || process.env['CUTWATER_TRANSFERS'] !== undefined
const kRounds = Math.ceil(Number(process.env['CUTWATER_TRANSFERS'] ?? (isFull ? 200 : kAtOnce)) / kAtOnce)
const kBytes = 1_000_000
/** Congestion control of both ends. The gate does everything once and what takes cubic long (it slows down at each loss) with bbr alone. */
const kPlans = [
  { congestion: 'cubic', losses: [0, 0.1, 1, 5], hasRest: isFull },
  { congestion: 'bbr', losses: isFull ? [0, 0.1, 1, 5] : [1], hasRest: true },
] as const
const kFullMs = 30 * 60_000
const kDirections: readonly Direction[] = ['down', 'up']
const kSides: readonly Cable[] = ['client', 'server']
/** The gate's bad link is the client's, as it mostly is; our own sender towards the server has its share in uploads at 1 per cent. */
const isInGate = (side: Cable, direction: Direction, loss: number): boolean =>
  side === 'client' || (direction === 'up' && loss === 1)
/** Resets that are nobody's fault: the load tool leaves as soon as it has everything. */
const kOwnEnd = new Set(['reset_by_client', 'reset_truncated'])

describe.each(kPlans)('bad networks over xsk, $congestion', ({ congestion, losses, hasRest }) => {
  let lab: Lab
  let clientSide: Relay
  let serverSide: Relay
  beforeAll(async () => {
    lab = await Lab.create({
      port: 'xsk',
      services: { transfers: { custody: { congestion } } },
      relayed: ['client', 'server'],
      congestion,
    })
    clientSide = lab.relays.get('client')!
    serverSide = lab.relays.get('server')!
    await startComparison(lab)
  })
  afterEach(async () => {
    await clientSide.set('')
    await serverSide.set('')
  })
  afterAll(() => lab.close())

  /** Runs transfers and looks at the appliance's own account of them: nothing was reset before its end. */
  async function unharmed(action: () => Promise<unknown>): Promise<Record<string, number>> {
    const grown = await growth(lab.appliance, action)
    expect(Object.keys(grown).filter((name) => name.startsWith('reset_') && !kOwnEnd.has(name))).toEqual([])
    return grown
  }

  async function withSettings(
    settings: Readonly<Record<string, string>>,
    action: () => Promise<unknown>,
  ): Promise<void> {
    const hosts = [lab.network.client, lab.network.server]
    const names = Object.keys(settings)
    const before = await Promise.all(hosts.map((host) => host.output(['sysctl', '-n', ...names])))
    const write = (values: readonly string[]): string[] => names.map((name, index) => `${name}=${values[index] ?? ''}`)
    try {
      for (const host of hosts) await host.output(['sysctl', '-qw', ...write(Object.values(settings))])
      await action()
    } finally {
      for (const [index, host] of hosts.entries())
        await host.output(['sysctl', '-qw', ...write((before[index] ?? '').split('\n'))])
    }
  }

  async function bothWays(bytes = kBytes, connections = 2): Promise<void> {
    for (const direction of kDirections) await move(lab, { direction, bytes, connections })
  }

  const cells = losses.flatMap((loss) =>
    kSides.flatMap((side) => kDirections.map((direction) => [loss, side, direction] as const)),
  )
  it.each(cells.filter(([loss, side, direction]) => isFull || isInGate(side, direction, loss)))(
    `%s per cent loss, 1 per cent reordering and 20 ms on the %s side: ${kRounds * kAtOnce} transfers %s arrive whole, none reset (A6, A11, A12, A15)`,
    async (loss, side, direction) => {
      const relay = side === 'client' ? clientSide : serverSide
      await relay.set(`loss=${loss} reorder=1 delay=10`)
      const rivals: readonly Carrier[] = direction === 'up' ? ['plain', 'nginx'] : ['plain']
      const carriers: readonly Carrier[] = isCompared ? ['cutwater', ...rivals] : ['cutwater'] // a few times compare nothing
      const times: Record<Carrier, number[]> = { plain: [], cutwater: [], nginx: [] }
      await unharmed(async () => {
        for (let round = 0; round < kRounds; round += 1) {
          for (const carrier of carriers) {
            times[carrier].push(...(await move(lab, { carrier, direction, bytes: kBytes, connections: kAtOnce })))
          }
        }
        if (side === 'client') await move(lab, { direction, bytes: kBytes, connections: 1, tls: '1.2' })
      })
      const row = [
        congestion,
        `${loss} %`,
        side,
        direction,
        ...(['plain', 'cutwater', 'nginx'] as const).map((carrier) => spreadOf(times[carrier])),
      ]
      const ratios = (['plain', 'nginx'] as const).map((carrier) => ratioOf(times.cutwater, times[carrier]))
      console.log(`| ${[...row, ...ratios].join(' | ')} |`)
      expect((await relay.stats()).missed).toBe(0)
    },
    kFullMs,
  )

  if (!hasRest) return

  it.each(['client', 'server'] as const)(
    'what was lost on the %s side is sent again byte for byte, seen before the relay can touch it (A15, I3)',
    async (side) => {
      const device = kRelayDevices.client[1] // the end that faces the appliance
      const port = lab.target('transfers').port
      const capture = await Capture.start(lab.network, lab.network.relay, device, `tcp src port ${port}`)
      await (side === 'client' ? clientSide : serverSide).set('loss=3 reorder=2 delay=5')
      await unharmed(() => move(lab, { direction: 'down', bytes: kBytes, connections: 2 }))
      const { bytes, contradictions } = resentFrom(await capture.stop(), port)
      expect(contradictions).toEqual([])
      if (side === 'client') expect(bytes).toBeGreaterThan(1_000) // behind us: we have sent it before
    },
  )

  it.each(['client', 'server'] as const)('damaged and repeated packets on the %s side harm nobody (A12, I3)', async (side) => {
    const relay = side === 'client' ? clientSide : serverSide
    const before = await relay.stats()
    await relay.set('corrupt=1 duplicate=5 delay=2 jitter=1')
    await unharmed(() => bothWays())
    const { up, down } = await relay.stats()
    for (const [now, then] of [[up, before.up], [down, before.down]] as const) {
      expect(now.corrupted).toBeGreaterThan(then.corrupted)
      expect(now.duplicated).toBeGreaterThan(then.duplicated)
    }
  }) // prettier-ignore

  it('loss on both sides of the appliance (A6, A11)', async () => {
    await clientSide.set('loss=2 reorder=1 delay=5')
    await serverSide.set('loss=2 reorder=1 delay=5')
    await unharmed(() => bothWays())
  })

  it('a narrow link with a short queue (A6, A11)', async () => {
    await clientSide.set('rate=20 queue=60000 delay=10')
    await unharmed(() => bothWays())
    const { up, down } = await clientSide.stats()
    expect(up.queueFull + down.queueFull).toBeGreaterThan(0)
  })

  describe.each(kDirections)('%s', (direction) => {
    it.each([
      ['client', 'v4', [1400, 1000, 576]],
      ['server', 'v4', [1400, 1000, 576]],
      ['client', 'v6', [1400, 1280]],
      ['server', 'v6', [1400, 1280]],
    ] as const)('the %s side becomes narrower under way, over %s (A7)', async (side, family, mtus) => {
      const relay = side === 'client' ? clientSide : serverSide
      await relay.set('rate=16 delay=3')
      const narrow = async (): Promise<void> => {
        for (const mtu of mtus) {
          await sleep(150)
          await relay.change(`both mtu=${mtu}`)
        }
      }
      const before = await relay.stats()
      const grown = await unharmed(() =>
        Promise.all([move(lab, { direction, bytes: 2_000_000, connections: 1, family }), narrow()]),
      )
      const { up, down } = await relay.stats()
      expect(up.tooBig + down.tooBig).toBeGreaterThan(before.up.tooBig + before.down.tooBig)
      if (!kHasStandIn && (side === 'client') === (direction === 'down'))
        expect(grown['too_big_translated']).toBeGreaterThan(0)
      for (const host of [lab.network.client, lab.network.server]) {
        for (const version of ['-4', '-6']) await host.output(['ip', version, 'route', 'flush', 'cache']) // forget the narrow path
      }
    })
  })

  it.each([
    ['no SACK', { 'net.ipv4.tcp_sack': '0' }],
    ['no timestamps', { 'net.ipv4.tcp_timestamps': '0' }],
    ['neither SACK nor timestamps', { 'net.ipv4.tcp_sack': '0', 'net.ipv4.tcp_timestamps': '0' }],
    ['no window scaling', { 'net.ipv4.tcp_window_scaling': '0' }],
  ])('%s, with loss (A6)', async (...[, settings]) => {
    await clientSide.set('loss=1 reorder=1 delay=5')
    await serverSide.set('loss=1 delay=1')
    await withSettings(settings, () => unharmed(() => bothWays(500_000)))
  })

  it('receivers with tiny buffers at both ends (A14)', async () => {
    await clientSide.set('loss=1 delay=2')
    await withSettings({ 'net.ipv4.tcp_rmem': '4096 4608 4608' }, () =>
      unharmed(() => bothWays(isFull ? 100_000 : 25_000)),
    )
  })
})
