// bench/flood: a flood of hellos at ten times what a core can sign, against Cutwater, nginx and HAProxy in turn, and what honest
// clients get meanwhile. Run by `npm run bench -- flood`, or alone with --help.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import { Network } from '../../src/demo/network.js'
import { startCutwater } from '../e2e/cutwater.js'
import { kLoadCore, startDevice, steerPacketWork } from '../e2e/devices.js'
import type { RunningDevice } from '../e2e/devices.js'
import { buildLoadTool, startSink } from '../e2e/load-tool.js'
import { describeMachine } from '../lib/machine.js'
import { figure, renderTable } from '../lib/table.js'
import { addManyClients, flood, halfOpenCost, shareOf, signingCapacity } from './flood.js'
import type { FloodFigures, HalfOpenCost } from './flood.js'

type Start = (network: Network, keys: KeyPair) => Promise<RunningDevice>
const kMadeUpTickets = 'cutwater-made-up-tickets'
const kDevices: Readonly<Record<string, Start>> = {
  cutwater: (network, keys) => startCutwater(network, keys, 'xsk', { mode: 'proxy', retry: 'auto' }),
  [kMadeUpTickets]: (network, keys) => startCutwater(network, keys, 'xsk', { mode: 'proxy', retry: 'auto' }),
  'cutwater-direct': (network, keys) => startCutwater(network, keys, 'xsk', { mode: 'direct', retry: 'auto' }),
  'cutwater-no-retry': (network, keys) => startCutwater(network, keys, 'xsk', { mode: 'proxy', retry: 'never' }),
  nginx: (network, keys) => startDevice('nginx', network, keys),
  haproxy: (network, keys) => startDevice('haproxy', network, keys),
}

/** Where half-open clients are counted too: how many, and how many a second it takes so that the first are still there. */
const kHalfOpen: Readonly<Record<string, { most: number; rate: number; start?: Start }>> = {
  cutwater: {
    most: 1_000_000,
    rate: 15_000,
    start: (network, keys) =>
      startCutwater(network, keys, 'xsk', {
        mode: 'proxy',
        retry: 'always',
        maxHalfOpen: 2 * halfOpen,
        handshakeTimeout: '5m',
      }),
  },
  nginx: { most: 10_000, rate: 1_000 },
  haproxy: { most: 10_000, rate: 1_000 },
}

const kUsage = `Usage: bench flood [--quick] [--seconds S] [--times N] [--rate N] [--arrivals N] [--half-open N] [--devices a,b] [--json] [--no-write]

  --times     hellos a second, in handshakes that a core of the first device can sign (default: 10)
  --rate      hellos a second instead
  --arrivals  honest clients of each kind a second (default: 50)
  --half-open clients at once whose memory is measured (default: 200,000; at most 10,000 for others; 0: none)
  --devices   ${Object.keys(kDevices).join(',')} (default: all)`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    times: { type: 'string', default: '10' },
    rate: { type: 'string' },
    arrivals: { type: 'string', default: '50' },
    'half-open': { type: 'string' },
    devices: { type: 'string' },
    json: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(kUsage)
  process.exit(0)
}
const halfOpen = Number(values['half-open'] ?? (values.quick ? 20_000 : 200_000))
const effort = {
  seconds: Number(values.seconds ?? (values.quick ? 6 : 15)),
  arrivals: Number(values.arrivals),
  pace: 12_500_000,
  core: kLoadCore,
}

interface Outcome extends FloodFigures {
  readonly capacity: { readonly perSecond: number; readonly perCoreSecond: number }
  readonly halfOpen?: HalfOpenCost
}

let rate = values.rate === undefined ? undefined : Number(values.rate)

async function withDevice<T>(start: Start, use: (network: Network, device: RunningDevice) => Promise<T>): Promise<T> {
  const network = await Network.create()
  try {
    await steerPacketWork(network)
    await addManyClients(network)
    const authority = await makeAuthority(network.folder)
    const keys = await makeCertificate(network.folder, authority, { file: 'bench', name: 'bench.test', kind: 'ecdsa' })
    await startSink(network.server, 80, { core: kLoadCore })
    const device = await start(network, keys)
    const result = await use(network, device)
    await device.stop()
    return result
  } finally {
    await network.close()
  }
}

async function measure(name: string): Promise<Outcome> {
  const start = kDevices[name]
  if (start === undefined) throw new Error(`no device is called ${name}`)
  const flooded = await withDevice(start, async (network, device) => {
    const signers = name.startsWith('cutwater') ? { signers: 'cw-secure' } : {}
    const capacity = await signingCapacity(network, device, { seconds: 2, core: kLoadCore, ...signers })
    rate ??= Math.round(capacity.perCoreSecond * Number(values.times))
    const figures = await flood(network, device, rate, { ...effort, madeUpTickets: name === kMadeUpTickets })
    return { ...figures, capacity }
  })
  const many = kHalfOpen[name]
  if (many === undefined || halfOpen === 0) return flooded
  const load = { clients: Math.min(halfOpen, many.most), rate: many.rate, core: kLoadCore }
  const cost = await withDevice(many.start ?? start, (network, device) => halfOpenCost(network, device, load))
  return { ...flooded, halfOpen: cost }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const mebibytes = (bytes: number): string => figure(bytes / 2 ** 20)
const kRows: readonly (readonly [string, (one: Outcome) => string])[] = [
  ['handshakes a core-second of signing work, without', (one) => figure(one.capacity.perCoreSecond)],
  ['handshakes/s that clients got, without', (one) => figure(one.capacity.perSecond)],
  ['hellos of the flood a second', (one) => figure(one.hellosPerSecond)],
  ['new clients that got their page', (one) => percent(shareOf(one.fresh))],
  ['  p50 / p99, ms', (one) => `${figure(one.fresh.p50Us / 1_000)} / ${figure(one.fresh.p99Us / 1_000)}`],
  ['returning clients that got their page', (one) => percent(shareOf(one.returning))],
  ['  of them resumed', (one) => percent(one.returning.resumed / Math.max(1, one.returning.finished))],
  ['  p50 / p99, ms', (one) => `${figure(one.returning.p50Us / 1_000)} / ${figure(one.returning.p99Us / 1_000)}`],
  ['transfer of 100 Mb/s kept', (one) => percent(one.transfer.during / one.transfer.before)],
  ['memory before / a third / end, MiB', (one) => Object.values(one.memory).map(mebibytes).join(' / ')],
  ['half-open clients at once', ({ halfOpen: all }) => (all === undefined ? '-' : figure(all.clients))],
  ['  bytes each: process', ({ halfOpen: all }) => (all === undefined ? '-' : figure(all.processBytes))],
  ["  bytes each: kernel's sockets", ({ halfOpen: all }) => (all === undefined ? '-' : figure(all.kernelBytes))],
  ["device's cores in use", (one) => figure(one.deviceCores)],
]

const machine = describeMachine()
await buildLoadTool()
const outcomes: Record<string, Outcome> = {}
const failures: string[] = []
for (const name of values.devices?.split(',') ?? Object.keys(kDevices)) {
  process.stderr.write(`${name}\n`)
  try {
    outcomes[name] = await measure(name)
  } catch (error) {
    failures.push(`${name}: ${(error as Error).message}`)
    process.stderr.write(`  ${(error as Error).message}\n`)
  }
}
const report = {
  suite: 'flood',
  takenAt: new Date().toISOString(),
  machine,
  conditions: { ...effort, rate },
  failures,
  devices: outcomes,
}
if (!values['no-write']) {
  const folder = join(
    process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url)),
    'bench/results',
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `flood-${report.takenAt.slice(0, 10)}.json`), `${JSON.stringify(report, null, 2)}\n`)
}
const rows = kRows.map(([label, show]) => [label, ...Object.values(outcomes).map(show)])
console.log(values.json ? JSON.stringify(report) : renderTable(['', ...Object.keys(outcomes)], rows))
if (!values.json)
  console.log(
    `\n${machine.cpu}, kernel ${machine.kernel}, load ${machine.load} at the start; flood, clients and server share one core, the device has the other`,
  )
process.exitCode = failures.length > 0 ? 1 : 0
