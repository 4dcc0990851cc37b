// Builds and runs `cutwater-load` (bench/load), the one load tool of all end-to-end measurements and tests.
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { outputOf } from '../../src/demo/command.js'
import type { RunningProcess } from '../../src/demo/command.js'
import type { Host } from '../../src/demo/network.js'

const kProjectFolder = process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url))
const kBuildFolder = join(kProjectFolder, 'build/load')
export const kLoadTool = join(kBuildFolder, 'cutwater-load')

/** Puts before a command that needs as many open files as this machine allows. */
export const kManyFiles = ['sh', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$@"', 'sh'] as const

/** Builds the tool; with nothing to do this takes a few milliseconds. */
export async function buildLoadTool(): Promise<void> {
  await outputOf(['cmake', '-S', join(kProjectFolder, 'bench/load'), '-B', kBuildFolder, '-G', 'Ninja'], {
    timeoutMs: 60_000,
  })
  await outputOf(['ninja', '-C', kBuildFolder], { timeoutMs: 300_000 })
}

/** What a run of the tool said. Which fields there are depends on the mode. */
export interface LoadResult {
  readonly perSecond: number
  readonly failures: number
  readonly failure: string
  readonly p50Us: number
  readonly p99Us: number
  readonly resumed: number
  readonly requests: number
  /** requests with --reconnect: connections that ended as announced, and those that ended under a request. */
  readonly closed: number
  readonly lost: number
  readonly bytes: number
  readonly seconds: number
  readonly gbps: number
  readonly done: number
  /** bulk, of each transfer that was done: from the start until it was connected, TLS included; from then to its last byte. */
  readonly establishedMs: readonly number[]
  readonly transferMs: readonly number[]
  readonly digests: readonly (string | { readonly bytes: number; readonly sha256: string })[]
}

/** Options by name as on the command line, `true` for flags. */
export type LoadOptions = Readonly<Record<string, string | number | boolean | undefined>>

export function loadArguments(mode: string, options: LoadOptions): string[] {
  const argv = [kLoadTool, mode]
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === false) continue
    argv.push(`--${name}`)
    if (value !== true) argv.push(String(value))
  }
  return argv
}

/** Runs a load on a host, optionally on one core. @throws Error when it says nothing; failures of connections are in the result. */
export async function runLoad<Result = LoadResult>(
  host: Host,
  mode: string,
  options: LoadOptions,
  core?: number,
): Promise<Result> {
  const prefix = core === undefined ? [] : ['taskset', '-c', String(core)]
  const timeoutMs = (Number(options['seconds'] ?? 3) + 30) * 1_000
  const result = await host.run([...prefix, ...loadArguments(mode, options)], { timeoutMs })
  const line = result.stdout.trimEnd().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) {
    throw new Error(`cutwater-load ${mode}: exit ${result.code ?? result.signal}: ${result.stdout}${result.stderr}`)
  }
  return JSON.parse(line) as Result
}

/** Starts the plain HTTP server of the tool and waits until it listens. */
export async function startSink(
  host: Host,
  port: number,
  options: { core?: number; hash?: boolean; congestion?: string } = {},
): Promise<RunningProcess> {
  const prefix = options.core === undefined ? [] : ['taskset', '-c', String(options.core)]
  const running = host.start([
    ...prefix,
    ...loadArguments('sink', { port, hash: options.hash ?? false, congestion: options.congestion }),
  ])
  await running.until((stdout) => stdout.includes('ready'))
  return running
}
