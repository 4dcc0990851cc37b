// bench/reload: configuration changes under load, Cutwater beside nginx and HAProxy: the same load, the same number of changes, the same
// two servers whose weights change each time. Counted: connections that ended as announced, connections that ended under a
// request, new connections that failed, and the most processes there were.
// Run by `npm run bench -- reload`, or alone with --help.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from '../../src/control/client.js'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import { kAddresses, Network } from '../../src/demo/network.js'
import { haproxyCommand, nginxCommand } from '../e2e/devices.js'
import { buildLoadTool, kManyFiles, runLoad, startSink } from '../e2e/load-tool.js'
import { processTree } from '../e2e/process-cost.js'
import { describeMachine } from '../lib/machine.js'
import { figure, renderTable } from '../lib/table.js'

const kUsage = `Usage: bench reload [--changes N] [--seconds S] [--connections N]

  --changes      configuration changes (default: 100)
  --seconds      over so long (default: 60)
  --connections  kept connections with requests back to back (default: 16); 4 more do handshakes`

const { values } = parseArgs({
  options: {
    changes: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '16' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(kUsage)
  process.exit(0)
}
const changes = Number(values.changes)
const seconds = Number(values.seconds)
const connections = Number(values.connections)

const kSinkPorts = [80, 81] as const
const kVip = '198.51.100.100'
const kProjectFolder = process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url))

/** A device whose configuration can change. */
interface Subject {
  readonly address: string
  readonly pid: number
  /** Goes over to other weights. */
  change(weights: readonly number[]): Promise<void> | void
}

type Start = (network: Network, keys: KeyPair) => Promise<Subject>
const kFirstWeights = [1, 1]

const startCutwater: Start = async (network, keys) => {
  const file = network.file('cutwater.yaml')
  const control = network.file('control.sock')
  const write = (weights: readonly number[]): void =>
    writeFileSync(
      file,
      `interfaces: { wan: { device: wan }, lan: { device: lan } }
services:
  bench:
    mode: balance
    listen: { address: ${kVip}, port: 443 }
    servers: [ ${kSinkPorts.map((port, index) => `{ address: ${kAddresses.server.v4}, port: ${port}, weight: ${weights[index]} }`).join(', ')} ]
    tls: { certificates: [ { certificate: ${keys.certificate}, key: ${keys.key} } ] }
`,
    )
  write(kFirstWeights)
  const running = network.appliance.start([
    ...kManyFiles, process.execPath, `${kProjectFolder}dist/cli/main.js`, 'run', '--config', file, '--json', '--control', control,
  ]) // prettier-ignore
  await running.until((stdout) => stdout.split('\n').find((line) => line.includes('"ready"')), 20_000)
  return {
    address: kVip,
    pid: running.pid,
    change: async (weights) => {
      write(weights)
      for await (const _ of ask(control, { command: 'reload' })); // throws when it is refused
    },
  }
}

/** A terminator that reads its file again at a signal: new workers, and the old ones leave when their connections have. */
function startPeer(
  signal: NodeJS.Signals,
  commandOf: (network: Network, keys: KeyPair, weights: readonly number[]) => string[],
): Start {
  return async (network, keys) => {
    const running = network.appliance.start([...kManyFiles, ...commandOf(network, keys, kFirstWeights)])
    for (
      let tries = 0;
      !(await network.appliance.output(['ss', '-Hltn', 'sport = :443'])).includes(':443');
      tries += 1
    ) {
      if (tries === 100 || running.result !== undefined) throw new Error(`does not listen: ${running.stderr}`)
      await sleep(50)
    }
    return {
      address: kAddresses.wan.v4,
      pid: running.pid,
      change: (weights) => {
        commandOf(network, keys, weights)
        running.signal(signal)
      },
    }
  }
}

const serversWith = (word: string, weights: readonly number[]): string[] =>
  kSinkPorts.map((port, index) => `${kAddresses.server.v4}:${port} weight${word}${weights[index]}`)

const subjects: Readonly<Record<string, Start>> = {
  cutwater: startCutwater,
  nginx: startPeer('SIGHUP', (network, keys, weights) => nginxCommand(network, keys, serversWith('=', weights))),
  haproxy: startPeer('SIGUSR2', (network, keys, weights) => [
    ...haproxyCommand(network, keys, serversWith(' ', weights)).filter((word) => word !== '-db'),
    '-W',
  ]),
}

interface Row {
  readonly requestsPerSecond: number
  readonly p99Us: number
  readonly closed: number
  readonly lost: number
  readonly handshakes: number
  readonly failed: number
  readonly processes: number
}

async function measure(start: Start): Promise<Row> {
  const network = await Network.create()
  try {
    const keys = await makeCertificate(network.folder, await makeAuthority(network.folder), {
      file: 'bench',
      name: 'bench.test',
      kind: 'ecdsa',
    })
    for (const port of kSinkPorts) await startSink(network.server, port)
    const subject = await start(network, keys)
    const target = { connect: subject.address, port: 443, seconds: seconds + 2 }
    const kept = runLoad(network.client, 'requests', { ...target, connections, reconnect: true })
    const fresh = runLoad(network.client, 'handshakes', { ...target, connections: 4 })
    let processes = 0
    const begin = Date.now()
    for (let index = 0; index < changes; index += 1) {
      await sleep(Math.max(0, begin + ((index + 1) * seconds * 1_000) / changes - Date.now()))
      await subject.change([(index % 5) + 1, (index % 3) + 1])
      processes = Math.max(processes, processTree(subject.pid).length)
    }
    const [one, other] = await Promise.all([kept, fresh])
    return {
      requestsPerSecond: one.perSecond,
      p99Us: one.p99Us,
      closed: one.closed,
      lost: one.lost + one.failures,
      handshakes: other.perSecond,
      failed: other.failures,
      processes,
    }
  } finally {
    await network.close()
  }
}

await buildLoadTool()
const rows: [string, Row][] = []
for (const [name, start] of Object.entries(subjects)) {
  process.stderr.write(`${name}: ${changes} changes in ${seconds} s\n`)
  rows.push([name, await measure(start)])
}
const machine = describeMachine()
const line = (title: string, of: (row: Row) => string): string[] => [title, ...rows.map(([, row]) => of(row))]
console.log(
  renderTable(
    [`${changes} changes in ${seconds} s`, ...rows.map(([name]) => name)],
    [
      line('requests/s', (row) => figure(row.requestsPerSecond)),
      line('p99, us', (row) => figure(row.p99Us)),
      line(`connections closed, of ${connections} kept`, (row) => String(row.closed)),
      line('requests lost', (row) => String(row.lost)),
      line('new connections/s', (row) => figure(row.handshakes)),
      line('new connections failed', (row) => String(row.failed)),
      line('most processes', (row) => String(row.processes)),
    ],
  ),
)
console.log(`\n${machine.cpu}, kernel ${machine.kernel}, load ${machine.load} at the end`)
