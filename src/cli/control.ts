/** `cutwater stats | flows | failures | servers | trace | reload | drain | enable`: questions to a running appliance. */
import { ask } from '../control/client.js'
import type { FailureReport, FlowEntry, ServerEntry, TraceEntry } from '../native/contract.js'
import { exitCodes, type ExitCode } from './exit-code.js'
import { formatTable, printJson, printLine } from './print.js'
import { controlPathOf } from './run.js'

export interface ControlOptions {
  readonly name: string
  readonly control: string | undefined
  readonly json: boolean
}

function pathOf({ control, name }: ControlOptions): string {
  return control ?? controlPathOf(name)
}

interface StatLine {
  readonly name: string
  readonly service?: string
  readonly value: number | string
}

/** Counters; without `all` those that are still 0 are left out for people, never for programs. */
export async function stats(options: ControlOptions & { readonly all: boolean }): Promise<ExitCode> {
  const lines = (await collect(ask(pathOf(options), { command: 'stats' }))) as StatLine[]
  if (options.json) {
    printJson(lines)
    return exitCodes.ok
  }
  const shown = options.all ? lines : lines.filter(({ value }) => value !== 0)
  printLine(
    formatTable(
      ['counter', 'service', 'value'],
      shown.map(({ name, service, value }) => [name, service ?? '', value]),
    ),
  )
  return exitCodes.ok
}

export async function flows(options: ControlOptions & { readonly limit: number }): Promise<ExitCode> {
  const entries = (await collect(ask(pathOf(options), { command: 'flows', limit: options.limit }))) as FlowEntry[]
  if (options.json) {
    printJson(entries)
    return exitCodes.ok
  }
  const headings = [
    'service',
    'client',
    'server',
    'state',
    'up',
    'for s',
    'custodies',
    'requests',
    'down',
    'tls',
    'suite',
    'server tls',
    'up bytes',
    'down bytes',
    'idle s',
  ]
  const rows = entries.map((one) => [
    one.service,
    one.client,
    one.server,
    one.state,
    one.up,
    Math.round(one.upSinceMs / 1_000),
    one.custodies,
    one.requests,
    one.down,
    one.version,
    one.suite,
    one.serverVersion,
    one.upBytes,
    one.downBytes,
    Math.round(one.idleMs / 1_000),
  ])
  printLine(formatTable(headings, rows))
  return exitCodes.ok
}

export async function servers(options: ControlOptions): Promise<ExitCode> {
  const entries = (await collect(ask(pathOf(options), { command: 'servers' }))) as ServerEntry[]
  if (options.json) {
    printJson(entries)
    return exitCodes.ok
  }
  const headings = ['service', 'server', 'address', 'state', 'weight', 'sessions', 'at most', 'opened', 'failures']
  const rows = entries.map((one) => [
    one.service,
    one.name,
    one.address,
    one.state,
    one.weight,
    one.sessions,
    one.maxSessions === 0 ? '' : one.maxSessions,
    one.opened,
    one.failures,
  ])
  printLine(formatTable(headings, rows))
  return exitCodes.ok
}

/** Why handshakes failed: how often for which reason, and the last ones. */
export async function failures(options: ControlOptions & { readonly service: string | undefined }): Promise<ExitCode> {
  const all = (await collect(ask(pathOf(options), { command: 'failures' }))) as FailureReport[]
  const reports = all.filter(({ service }) => options.service === undefined || service === options.service)
  if (options.json) {
    printJson(reports)
    return exitCodes.ok
  }
  const reasons = reports.flatMap(({ service, reasons }) => reasons.map(({ name, count }) => [service, name, count]))
  printLine(formatTable(['service', 'reason', 'handshakes'], reasons))
  const recent = reports.flatMap(({ service, recent }) =>
    recent.map((one) => [
      service,
      Math.round(one.agoMs / 1_000),
      one.client,
      one.serverName,
      one.reason,
      one.alert === 0 ? '' : one.alert,
      one.detail,
    ]),
  )
  if (recent.length === 0) return exitCodes.ok
  printLine('')
  printLine(formatTable(['service', 's ago', 'client', 'name', 'reason', 'alert', 'detail'], recent))
  return exitCodes.ok
}

/** No new flows for a server, or new ones again. */
export async function admit(
  options: ControlOptions & { readonly service: string; readonly server: string },
  command: 'drain' | 'enable',
): Promise<ExitCode> {
  const { service, server } = options
  await collect(ask(pathOf(options), { command, service, server }))
  if (options.json) printJson({ event: command, service, server })
  else printLine(`${service} ${server}: ${command === 'drain' ? 'gets no new flows' : 'gets flows again'}`)
  return exitCodes.ok
}

/** Packets of flows that begin from now on, as they come, until `packets` were seen or Ctrl-C. */
export async function trace(options: ControlOptions & { readonly packets: number }): Promise<ExitCode> {
  const stopped = new AbortController()
  const stop = () => {
    stopped.abort()
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const lines = ask(pathOf(options), { command: 'trace', packets: options.packets }, stopped.signal)
  for await (const line of lines) {
    if (options.json) printJson(line)
    else printLine(formatTrace(line as TraceEntry))
  }
  return exitCodes.ok
}

export async function reload(options: ControlOptions): Promise<ExitCode> {
  const [result] = (await collect(ask(pathOf(options), { command: 'reload' }))) as {
    readonly changes: readonly string[]
    readonly warnings: readonly string[]
  }[]
  if (options.json) {
    printJson({ event: 'reloaded', ...result })
    return exitCodes.ok
  }
  for (const warning of result?.warnings ?? []) printLine(`warning: ${warning}`)
  for (const change of result?.changes ?? []) printLine(change)
  if (result?.changes.length === 0) printLine('nothing has changed')
  return exitCodes.ok
}

/** "  1.234567 flow 3 client rx  PA seq 1 ack 1 win 64240 len 517 records 0-1  handshake". */
export function formatTrace(entry: TraceEntry): string {
  const records =
    entry.firstRecord < 0
      ? ''
      : ` records ${entry.firstRecord}${entry.lastRecord > entry.firstRecord ? `-${entry.lastRecord}` : ''}`
  const where = `flow ${entry.flow} ${entry.side} ${entry.direction} ${entry.flags.padEnd(3)}`
  const numbers = `seq ${entry.seq} ack ${entry.ack} win ${entry.window} len ${entry.payloadBytes}`
  return `${(entry.atUs / 1e6).toFixed(6).padStart(11)} ${where} ${numbers}${records}  ${entry.note}`.trimEnd()
}

async function collect(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const line of lines) all.push(line)
  return all
}
