// bench/micro: single operations of the dataplane as the add-on runs them, timed by the `benchmark` package. Each call into the
// add-on repeats its operation a thousand times or more, so that the crossing from JavaScript does not count.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Benchmark from 'benchmark'
import { buildInfo, runOperation } from '../../src/native/binding.js'
import { describeMachine } from '../lib/machine.js'
import { figure, renderTable } from '../lib/table.js'

const usage = `Usage: bench micro [--quick] [--json] [--no-write]

  --quick     shorter, with more spread
  --no-write  no file in bench/results/`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(usage)
  process.exit(0)
}

const hello = readFileSync(new URL('../../test/fuzz/corpus/hello/openssl_tls13', import.meta.url))
const packetBytes = 1_438 // what fits a 1,500-byte packet beside its headers and a record's overhead
const sizes = [64, 512, packetBytes]

/** What is measured; `base` is the row it is compared with. */
const rows = [
  ...sizes.flatMap((bytes) =>
    ['copy', 'seal', 'open', 'checksum'].map((operation) => ({ operation, bytes, input: Buffer.alloc(bytes) })),
  ),
  { operation: 'parse_hello', bytes: hello.byteLength, input: hello },
  { operation: 'look_up_flow', bytes: 0, input: Buffer.alloc(0) },
]

interface Result {
  readonly operation: string
  readonly bytes: number
  readonly ns: number
  /** Half-width of the 95 % confidence interval, as a share of the mean. */
  readonly spread: number
}

function measure({ operation, bytes, input }: (typeof rows)[number]): Result {
  // The table of flows is built in each call; it must not be what is timed.
  const repeats = operation === 'look_up_flow' ? 2_000_000 : 2_000
  const bench = new Benchmark(operation, () => runOperation(operation, input, repeats), {
    maxTime: values.quick ? 0.3 : 2,
  })
  bench.run()
  return { operation, bytes, ns: (bench.stats.mean * 1e9) / repeats, spread: bench.stats.rme / 100 }
}

const machine = describeMachine()
const results = rows.map(measure)
const report = { suite: 'micro', takenAt: new Date().toISOString(), machine, build: buildInfo(), results }

if (!values['no-write']) {
  const folder = fileURLToPath(new URL('../results/', import.meta.url))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `micro-${report.takenAt.slice(0, 10)}.json`), `${JSON.stringify(report, null, 2)}\n`)
}
if (values.json) console.log(JSON.stringify(report))
else {
  const copyOf = (bytes: number) => results.find((one) => one.operation === 'copy' && one.bytes === bytes)?.ns
  const lines = results.map(({ operation, bytes, ns, spread }) => {
    const copied = copyOf(bytes)
    return [
      bytes > 0 ? `${operation} ${bytes} B` : operation,
      figure(ns),
      `±${figure(spread * 100)} %`,
      bytes > 0 ? figure(bytes / ns) : '',
      copied === undefined ? '' : `x${figure(ns / copied)}`,
    ]
  })
  console.log(renderTable(['operation', 'ns', 'spread', 'GB/s', 'times a copy'], lines))
  console.log(`\n${machine.cpu}, kernel ${machine.kernel}, load ${machine.load} at the start; open includes one copy`)
}
