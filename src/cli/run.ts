/** `cutwater run`: the appliance in the foreground until SIGINT or SIGTERM. SIGHUP reads the configuration again. */
import { tmpdir } from 'node:os'

import { Appliance } from '../appliance.js'
import { describeAction } from '../config/actions.js'
import { defaultControlPath } from '../control/path.js'
import type { ControlRequest } from '../control/protocol.js'
import { ControlServer } from '../control/server.js'
import { CutwaterError } from '../errors.js'
import { MetricsServer } from '../stats/metrics-server.js'
import { toPrometheus } from '../stats/prometheus.js'
import { EventLog } from './event-log.js'
import { exitCodes, type ExitCode } from './exit-code.js'
import { log, printError, printJson, printLine } from './print.js'
import { formatReady, toReadyJson } from './ready.js'
import { packageVersion } from './version.js'

export interface RunOptions {
  readonly config: string
  readonly json: boolean
  readonly verbose: boolean
  /** A path, "none", or undefined for the default one. */
  readonly control: string | undefined
}

export async function run(options: RunOptions): Promise<ExitCode> {
  // Signals are taken from the start, so that one that comes during start-up still ends cleanly.
  const stopped = new AbortController()
  const stop = () => {
    stopped.abort()
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const appliance = await Appliance.start(options.config)
  const reload = () => reloadFrom(appliance, options.config)
  const onHangUp = () => {
    reload().catch((error: unknown) => {
      log('error', 'reload failed, everything stays as it was')
      printError(error)
    })
  }
  process.on('SIGHUP', onHangUp)
  let control: ControlServer | undefined
  let metrics: MetricsServer | undefined
  try {
    control = await openControl(options.control, appliance, reload)
    metrics = await openMetrics(appliance)
    announce(appliance, options, control)
    const events = new EventLog(options.verbose ? 'all' : 'failures')
    for await (const event of appliance.events({ signal: stopped.signal })) events.write(event, Date.now())
    return exitCodes.ok
  } finally {
    process.off('SIGHUP', onHangUp)
    await control?.close()
    await metrics?.close()
    await appliance.close()
  }
}

function announce(appliance: Appliance, { json }: RunOptions, control: ControlServer | undefined): void {
  for (const warning of appliance.ready.warnings) log('warn', warning)
  if (appliance.config.keyLogPath !== undefined) {
    log('warn', 'TLS secrets are written to a file; whoever reads it can read all traffic', {
      file: appliance.config.keyLogPath,
    })
  }
  const facts = { version: packageVersion(), pid: process.pid, control: control?.path ?? null }
  if (json) printJson(toReadyJson(appliance, facts))
  else printLine(formatReady(appliance))
}

async function reloadFrom(appliance: Appliance, file: string) {
  const applied = await appliance.apply(file)
  const changes = applied.actions.map(describeAction)
  log('info', 'reloaded', { changes: changes.join('; ') || 'none' })
  for (const warning of applied.warnings) log('warn', warning)
  return { changes, warnings: applied.warnings }
}

async function openControl(
  wanted: string | undefined,
  appliance: Appliance,
  reload: () => Promise<unknown>,
): Promise<ControlServer | undefined> {
  if (wanted === 'none') return undefined
  const path = wanted ?? controlPathOf(appliance.config.name)
  const answer = (request: ControlRequest, signal: AbortSignal) => answerWith(appliance, reload, request, signal)
  try {
    return await ControlServer.listen(path, answer)
  } catch (error) {
    // Somebody else's default socket must not keep this appliance from working; one that was asked for by name must.
    if (wanted !== undefined) throw error
    log('warn', 'no control socket', { reason: error instanceof Error ? error.message : String(error) })
    return undefined
  }
}

export function controlPathOf(name: string): string {
  return defaultControlPath(name, {
    uid: process.getuid?.() ?? 0,
    runtimeDirectory: process.env['XDG_RUNTIME_DIR'],
    temporaryDirectory: tmpdir(),
  })
}

async function* answerWith(
  appliance: Appliance,
  reload: () => Promise<unknown>,
  request: ControlRequest,
  signal: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
  switch (request.command) {
    case 'stats':
      yield* appliance.counters().toJSON()
      return
    case 'flows':
      yield* appliance.flows({ limit: request.limit })
      return
    case 'reload':
      yield await reload()
      return
    case 'failures':
      yield* appliance.failures()
      return
    case 'servers':
      yield* appliance.servers()
      return
    case 'drain':
      appliance.drain(request.service, request.server)
      return
    case 'enable':
      appliance.enable(request.service, request.server)
      return
    case 'trace': {
      let left = request.packets
      for await (const entry of appliance.trace({ signal })) {
        yield entry
        if (--left === 0) return
      }
      return
    }
    default:
      throw new CutwaterError('CONTROL_REFUSED', `unreachable: ${JSON.stringify(request satisfies never)}`)
  }
}

async function openMetrics(appliance: Appliance): Promise<MetricsServer | undefined> {
  const { metrics } = appliance.config
  if (!metrics) return undefined
  const facts = { version: packageVersion(), aead: appliance.ready.aead, ports: appliance.ready.ports }
  return MetricsServer.listen(metrics, () =>
    toPrometheus(appliance.counters(), { ...facts, servers: appliance.servers() }),
  )
}
