// The appliance under test: the command line as an operator starts it, in the appliance's namespace, asked over its control
// socket. With CUTWATER_SUBJECT=haproxy a terminating HAProxy stands in, to try the tests themselves.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { ServiceInput } from '../../src/config/schema.js'
import { ask } from '../../src/control/client.js'
import type { FailureReport, FlowEntry, ServerEntry } from '../../src/native/contract.js'
import { runCommand } from '../../src/demo/command.js'
import type { CommandResult, RunningProcess } from '../../src/demo/command.js'
import type { Network } from '../../src/demo/network.js'
import { startStandIn } from './stand-in.js'

export type PortKind = 'xsk' | 'packet'

/** The ready line, as far as tests look at it. */
export interface ReadyLine {
  readonly event: 'ready'
  readonly pid: number
  readonly interfaces: Readonly<
    Record<string, { readonly port: string; readonly attach?: string; readonly copy?: string; readonly mtu?: number }>
  >
}

export interface ApplianceOptions {
  readonly port: PortKind
  readonly services: Readonly<Record<string, ServiceInput>>
  /** Further keys of the configuration. */
  readonly more?: Readonly<Record<string, unknown>>
}

const kMain = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** What `cutwater` is in a test. */
export const commandLine = [process.execPath, kMain] as const

export const kHasStandIn = process.env['CUTWATER_SUBJECT'] === 'haproxy'

/** A running `cutwater run`. */
export class Appliance {
  readonly ready: ReadyLine
  readonly running: RunningProcess
  readonly #control: string
  readonly #file: string
  readonly #options: ApplianceOptions

  private constructor(
    running: RunningProcess,
    where: { readonly control: string; readonly file: string },
    ready: ReadyLine,
    options: ApplianceOptions,
  ) {
    this.running = running
    this.#control = where.control
    this.#file = where.file
    this.ready = ready
    this.#options = options
  }

  static async start(network: Network, options: ApplianceOptions): Promise<Appliance> {
    if (kHasStandIn) {
      const standIn = await startStandIn(network, options.services)
      const ready = { event: 'ready', pid: standIn.pid, interfaces: {} } as const
      return new Appliance(standIn, { control: '', file: '' }, ready, options)
    }
    const file = network.file('cutwater.yaml')
    const control = network.file('control.sock')
    writeFileSync(file, stringify(configOf(options)))
    const running = network.appliance.start([
      'sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh',
      process.execPath, kMain, 'run', '--config', file, '--json', '--control', control,
    ]) // prettier-ignore
    const line = await running.until((stdout) => stdout.split('\n').find((text) => text.includes('"ready"')), 30_000)
    return new Appliance(running, { control, file }, JSON.parse(line) as ReadyLine, options)
  }

  /** Every counter; those of several services are added up. */
  async counters(): Promise<Map<string, number>> {
    const totals = new Map<string, number>()
    if (kHasStandIn) return totals
    for await (const line of ask(this.#control, { command: 'stats' })) {
      const { name, value } = line as { name: string; value: number | string }
      totals.set(name, (totals.get(name) ?? 0) + Number(value))
    }
    return totals
  }

  async counter(name: string): Promise<number> {
    const value = (await this.counters()).get(name)
    if (value === undefined) throw new Error(`no counter is called ${name}`)
    return value
  }

  async flows(): Promise<FlowEntry[]> {
    const entries: FlowEntry[] = []
    for await (const line of ask(this.#control, { command: 'flows', limit: 100_000 })) entries.push(line as FlowEntry)
    return entries
  }

  async failures(): Promise<FailureReport[]> {
    const reports: FailureReport[] = []
    for await (const line of ask(this.#control, { command: 'failures' })) reports.push(line as FailureReport)
    return reports
  }

  /** Runs `cutwater COMMAND …` against it. */
  command(command: string, ...args: readonly string[]): Promise<CommandResult> {
    return runCommand([...commandLine, command, '--control', this.#control, ...args])
  }

  async servers(): Promise<ServerEntry[]> {
    const entries: ServerEntry[] = []
    for await (const line of ask(this.#control, { command: 'servers' })) entries.push(line as ServerEntry)
    return entries
  }

  /** Goes over to other services by a reload. Returns what changed. @throws what the appliance says is wrong. */
  async reload(services: Readonly<Record<string, ServiceInput>>): Promise<readonly string[]> {
    writeFileSync(this.#file, stringify(configOf({ ...this.#options, services })))
    const changes: string[] = []
    for await (const line of ask(this.#control, { command: 'reload' }))
      changes.push(...(line as { changes: string[] }).changes)
    return changes
  }

  async admit(command: 'drain' | 'enable', service: string, server: string): Promise<void> {
    for await (const line of ask(this.#control, { command, service, server })) throw new Error(JSON.stringify(line))
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<CommandResult> {
    return this.running.stop(signal, 10_000)
  }
}

function configOf({ port, services, more }: ApplianceOptions): object {
  return { interfaces: { wan: { device: 'wan', port }, lan: { device: 'lan', port } }, services, ...more }
}

/** By how much each counter grew while `action` ran; those that did not are left out. */
export async function growth(appliance: Appliance, action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await appliance.counters()
  await action()
  const after = await appliance.counters()
  return Object.fromEntries(
    [...after]
      .map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
      .filter(([, change]) => change !== 0),
  )
}
