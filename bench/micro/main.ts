// bench/micro: single operations of dataplane and control plane, timed by the `benchmark` package inside Node, one at a time. Calls
// into the add-on repeat their operation, so that the crossing from JavaScript does not count; what it costs is a row of its own.
// What the figures are good for and what not: docs/benchmarking.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildInfo, microOperations } from '../../src/native/binding.js'
import { describeMachine } from '../lib/machine.js'
import { figure, renderTable } from '../lib/table.js'
import { controlPlaneOperations } from './control-plane.js'
import { dataplaneOperations } from './dataplane.js'
import { measureAll } from './operation.js'
import type { Effort, Measured, Operation } from './operation.js'

const kUsage = `Usage: bench micro [--quick] [--only TEXT] [--aead ipsec-mb|openssl] [--json] [--no-write]

  --quick     a few milliseconds for each operation: shows that it runs, not how fast
  --only      operations with this text in their name, and those they are compared with
  --aead      backend for the records (default: the fastest that runs here)
  --no-write  no file in bench/results/`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    aead: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(kUsage)
  process.exit(0)
}

const effort: Effort = values.quick
  ? { seconds: 0.005, sampleSeconds: 0.001, samples: 3 }
  : { seconds: 0.5, sampleSeconds: 0.02, samples: 15 }

function chosen(all: readonly Operation[]): Operation[] {
  const named = all.filter(({ name }) => name.includes(values.only))
  const needed = new Set(named.flatMap(({ name, base, without }) => [name, base, without]))
  return all.filter(({ name }) => needed.has(name))
}

function tableOf(results: readonly Measured[]): string {
  const rows = results.map(({ name, ns, perSecond, marginPercent, bytes, ratio }) => [
    name,
    figure(perSecond),
    figure(ns),
    `±${figure(marginPercent)} %`,
    bytes === 0 ? '' : figure(bytes / ns),
    ratio === undefined ? '' : `x${figure(ratio)}`,
  ])
  return renderTable(['operation', 'per second', 'ns', 'margin', 'GB/s', 'times bare'], rows)
}

function write(report: object, day: string): void {
  const folder = join(
    process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url)),
    'bench/results',
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `micro-${day}.json`), `${JSON.stringify(report, null, 2)}\n`)
}

const machine = describeMachine()
const operations = chosen([...dataplaneOperations(microOperations(), values.aead), ...controlPlaneOperations()])
if (operations.length === 0) {
  console.error(`no operation has "${values.only}" in its name`)
  process.exit(2)
}
let done = 0
const showProgress = (name: string): void => {
  done += 1
  if (process.stderr.isTTY)
    process.stderr.write(
      `\r\x1b[K${done} of ${operations.length}: ${name}${done === operations.length ? '\r\x1b[K' : ''}`,
    )
}
const results = measureAll(operations, effort, showProgress)
const report = {
  suite: 'micro',
  takenAt: new Date().toISOString(),
  machine,
  build: buildInfo(),
  conditions: { ...effort, aead: values.aead || 'fastest' },
  results,
}
if (!values['no-write']) write(report, report.takenAt.slice(0, 10))
if (values.json) console.log(JSON.stringify(report))
else {
  console.log(tableOf(results))
  console.log(`
${machine.cpu}, kernel ${machine.kernel}, load ${machine.load} at the start. "margin": half the 95 % interval around the mean.
"times bare": beside the same AEAD without records. "open" is what is left of copying and opening when the copy is taken off.`)
}
