// bench/e2e: Cutwater beside nginx, HAProxy, hitch and no TLS, end to end through the same network of namespaces.
// Rounds are interleaved (A B C A B C …), so that a machine that slows down slows all alike; the table shows medians, spread
// and the ratio to the first device. Run by `npm run bench`, or alone with --help.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyKind } from '../../src/demo/certificates.js'
import { Network } from '../../src/demo/network.js'
import { describeMachine } from '../lib/machine.js'
import { ratio, summarize } from '../lib/statistics.js'
import type { Summary } from '../lib/statistics.js'
import { figure, renderTable } from '../lib/table.js'
import { kDeviceCore, kDeviceNames, kLoadCore, startDevice, steerPacketWork } from './devices.js'
import type { DeviceName } from './devices.js'
import { buildLoadTool, startSink } from './load-tool.js'
import { kMeasures } from './measures.js'
import type { Effort } from './measures.js'

const kUsage = `Usage: bench e2e [--quick] [--rounds N] [--seconds S] [--idle N] [--devices a,b] [--measures a,b] [--key ecdsa|rsa] [--json]

  --devices   ${kDeviceNames.join(',')} (default: all)
  --measures  ${kMeasures.map((measure) => measure.name).join(',')} (default: all)
  --quick     one round of one second each, 1,000 idle connections
  --no-write  no file in bench/results/`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    idle: { type: 'string' },
    devices: { type: 'string' },
    measures: { type: 'string' },
    key: { type: 'string', default: 'ecdsa' },
    json: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(kUsage)
  process.exit(0)
}

const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
const effort: Effort = {
  seconds: Number(values.seconds ?? (values.quick ? 1 : 4)),
  idleConnections: Number(values.idle ?? (values.quick ? 1_000 : 10_000)),
}
const devices = values.devices === undefined ? kDeviceNames : (values.devices.split(',') as DeviceName[])
const measures = kMeasures.filter((measure) => values.measures?.split(',').includes(measure.name) ?? true)

const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Device -> figure -> one value per round. */
const figures = new Map<DeviceName, Map<string, number[]>>()
const notes: Record<string, string> = {}
const failures: { device: string; measure: string; message: string }[] = []

async function measureDevice(name: DeviceName): Promise<void> {
  const network = await Network.create()
  try {
    await steerPacketWork(network)
    const authority = await makeAuthority(network.folder)
    const keys = await makeCertificate(network.folder, authority, {
      file: 'bench',
      name: 'bench.test',
      kind: values.key as KeyKind,
    })
    await startSink(network.server, 80, { core: kLoadCore })
    const device = await startDevice(name, network, keys)
    notes[name] = device.note
    for (const measure of measures) {
      if (measure.needs === 'tls' && device.plain === 'plain') continue
      try {
        record(name, await measure.measure({ network, device, effort }))
      } catch (error) {
        failures.push({ device: name, measure: measure.name, message: (error as Error).message })
        say(`  ${name} ${measure.name}: ${(error as Error).message}`)
      }
    }
    await device.stop()
  } catch (error) {
    failures.push({ device: name, measure: 'start', message: (error as Error).message })
    say(`  ${name}: ${(error as Error).message}`)
  } finally {
    await network.close()
  }
}

function record(name: DeviceName, measured: Readonly<Record<string, number>>): void {
  const all = figures.get(name) ?? new Map<string, number[]>()
  figures.set(name, all)
  for (const [key, value] of Object.entries(measured)) all.set(key, [...(all.get(key) ?? []), value])
}

function summaries(): Record<string, Record<string, Summary>> {
  return Object.fromEntries(
    [...figures].map(([name, all]) => [
      name,
      Object.fromEntries([...all].map(([key, list]) => [key, summarize(list)])),
    ]),
  )
}

function tableOf(all: Record<string, Record<string, Summary>>): string {
  const names = Object.keys(all)
  const keys = [...new Set(names.flatMap((name) => Object.keys(all[name] ?? {})))]
  const first = names[0] ?? ''
  const rows = keys.map((key) => [
    key,
    ...names.map((name) => {
      const summary = all[name]?.[key]
      if (summary === undefined) return '-'
      const spread = rounds > 1 ? ` ±${Math.round(summary.spread * 100)}%` : ''
      const base = all[first]?.[key]
      const times = name === first || base === undefined ? '' : ` (x${figure(ratio(summary.median, base.median))})`
      return `${figure(summary.median)}${spread}${times}`
    }),
  ])
  return renderTable(['', ...names], rows)
}

const machine = describeMachine()
await buildLoadTool()
for (let round = 1; round <= rounds; round += 1) {
  for (const name of devices) {
    say(`round ${round} of ${rounds}: ${name}`)
    await measureDevice(name)
  }
}
const all = summaries()
const report = {
  suite: 'e2e', takenAt: new Date().toISOString(), machine,
  conditions: { rounds, ...effort, key: values.key, deviceCore: kDeviceCore, loadCore: kLoadCore, offloads: 'off' },
  notes, failures, devices: all,
} // prettier-ignore
if (!values['no-write']) {
  const folder = join(
    process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url)),
    'bench/results',
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `e2e-${report.takenAt.slice(0, 10)}.json`), `${JSON.stringify(report, null, 2)}\n`)
}
console.log(values.json ? JSON.stringify(report) : tableOf(all))
if (!values.json)
  console.log(
    `\n${machine.cpu}, kernel ${machine.kernel}, load ${machine.load} at the start; in brackets: times the first column`,
  )
process.exitCode = failures.length > 0 ? 1 : 0
