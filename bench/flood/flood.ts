// A flood of hellos against a device, and what honest clients get meanwhile: the flood's clients finish TCP, send a sound TLS 1.3
// hello of their own, each from an address of its own, and are never heard of again (bench/load/flood.cpp). At the same time
// clients arrive that nobody has seen before, and clients with a ticket; and a transfer goes on that stood before.
// Used by: bench/flood/main.ts, test/e2e/hello-flood.test.ts.
import { setTimeout as sleep } from 'node:timers/promises'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { memoryBytes, processTree } from '../../src/demo/process-memory.js'
import { kManyFiles, loadArguments, runLoad } from '../e2e/load-tool.js'
import type { LoadOptions } from '../e2e/load-tool.js'
import { cpuSeconds, settledMemoryBytes, socketSlabBytes, threadSeconds } from '../e2e/process-cost.js'

/** Who is flooded. */
export interface Target {
  readonly address: string
  readonly port: number
  /** The process that started it; its children belong to it. */
  readonly pid: number
  /** Clients it has that did not finish their handshake, where it tells. */
  halfOpen?(): Promise<number>
}

export interface FloodEffort {
  /** Of the flood; honest clients arrive from one second after its beginning to one before its end. */
  readonly seconds: number
  /** Honest clients of each kind a second. */
  readonly arrivals: number
  /** How long they wait, in seconds. Default: 5. */
  readonly patience?: number
  /** Bytes a second of the transfer. */
  readonly pace: number
  /** Whether the flood's hellos offer sessions that do not exist. */
  readonly madeUpTickets?: boolean
  /** The core of flood, clients and server. Default: any. */
  readonly core?: number
}

/** Clients of one kind that arrived, and how many got their page. */
export interface Arrivals {
  readonly arrived: number
  readonly finished: number
  readonly resumed: number
  readonly failures: number
  readonly late: number
  readonly p50Us: number
  readonly p99Us: number
  readonly failure: string
}

export interface FloodFigures {
  readonly hellosPerSecond: number
  readonly hellos: number
  readonly fresh: Arrivals
  readonly returning: Arrivals
  /** Bytes a second of the transfer, before and during, and in the worst second. */
  readonly transfer: { readonly before: number; readonly during: number; readonly worst: number }
  /** Anonymous memory of the device's processes in bytes: before, after a third of the flood, at its end. */
  readonly memory: { readonly before: number; readonly third: number; readonly end: number }
  /** Of the device's processes while the flood lasted: cores' worth. */
  readonly deviceCores: number
}

/** 10.64.0.0/12 for the flood, two more for those who come in good faith: all of them the client's. */
const kRanges = { flood: '10.64.0.0/12', fresh: '10.128.0.0/16', returning: '10.129.0.0/16' } as const

/** Gives the client the addresses of `kRanges`, and the appliance the way back to them. */
export async function addManyClients(network: Network): Promise<void> {
  for (const range of [kRanges.fresh, kRanges.returning]) {
    await network.client.output(['ip', 'route', 'add', 'local', range, 'dev', 'lo'])
  }
  for (const range of Object.values(kRanges)) {
    await network.appliance.output(['ip', 'route', 'add', range, 'via', kAddresses.client.v4])
  }
}

/**
 * How many full handshakes a second the device's signing work makes of one core: as many as clients get, over the time that
 * processes (or, of them, the threads whose names begin with `signers`) use for them.
 */
export async function signingCapacity(
  network: Network,
  { address, port, pid }: Target,
  options: { readonly seconds: number; readonly core?: number; readonly signers?: string },
): Promise<{ readonly perSecond: number; readonly perCoreSecond: number }> {
  const used = (): number =>
    options.signers === undefined ? cpuSeconds(processTree(pid)) : threadSeconds(processTree(pid), options.signers)
  const before = used()
  const load = { connect: address, port, connections: 8, seconds: options.seconds }
  const { perSecond } = await runLoad(network.client, 'handshakes', load, options.core)
  return { perSecond, perCoreSecond: (perSecond * options.seconds) / (used() - before) }
}

function pinned(core: number | undefined): string[] {
  return core === undefined ? [] : ['taskset', '-c', String(core)]
}

/** Floods a device that serves the load tool's sink with `hellosPerSecond`. */
export async function flood(
  network: Network,
  target: Target,
  hellosPerSecond: number,
  effort: FloodEffort,
): Promise<FloodFigures> {
  const { client } = network
  const to = { connect: target.address, port: target.port }
  const start = (mode: string, options: LoadOptions): RunningProcess =>
    client.start([...kManyFiles, ...pinned(effort.core), ...loadArguments(mode, { ...to, ...options })])
  const lead = 3
  const arrive = (range: string, resume: boolean): RunningProcess =>
    start('arrivals', {
      'bind-range': range,
      rate: effort.arrivals,
      patience: effort.patience ?? 5,
      seconds: effort.seconds - 2,
      resume,
    })
  const honest = [arrive(kRanges.fresh, false), arrive(kRanges.returning, true)]
  for (const clients of honest) await clients.until((stdout) => stdout.includes('ready'))
  const path = `/bytes/${2 ** 40}?pace=${effort.pace}`
  const transfer = start('bulk', { direction: 'down', path, seconds: lead + effort.seconds })
  await sleep(lead * 1_000)
  const pids = processTree(target.pid)
  const memoryBefore = memoryBytes(pids)
  const usedBefore = cpuSeconds(pids)
  const flooding = start('flood', {
    'bind-range': kRanges.flood,
    device: 'c0',
    gateway: kAddresses.wan.v4,
    rate: hellosPerSecond,
    resume: effort.madeUpTickets,
    seconds: effort.seconds,
  })
  await flooding.until((stdout) => stdout.includes('ready'))
  await sleep(1_000)
  for (const clients of honest) clients.write('go\n')
  await sleep((effort.seconds * 1_000) / 3 - 1_000)
  const third = memoryBytes(pids)
  await sleep((effort.seconds * 2_000) / 3 - 1_000)
  const end = memoryBytes(pids)
  const used = cpuSeconds(pids) - usedBefore
  const sent = await resultOf<{ hellos: number; perSecond: number }>(flooding)
  const [fresh, returning] = [await resultOf<Arrivals>(honest[0]!), await resultOf<Arrivals>(honest[1]!)]
  const { bytesPerSecond } = await resultOf<{ bytesPerSecond: readonly number[] }>(transfer)
  const during = bytesPerSecond.slice(lead + 1)
  const mean = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0) / list.length
  return {
    hellosPerSecond: sent.perSecond,
    hellos: sent.hellos,
    fresh,
    returning,
    // The first second has the start in it, the one in which the flood begins belongs to neither.
    transfer: { before: mean(bytesPerSecond.slice(1, lead)), during: mean(during), worst: Math.min(...during) },
    memory: { before: memoryBefore, third, end },
    deviceCores: used / (effort.seconds - 1),
  }
}

async function resultOf<T>(running: RunningProcess): Promise<T> {
  const { stdout, stderr } = await running.ended
  const line = stdout
    .trim()
    .split('\n')
    .findLast((text) => text.startsWith('{') && !text.includes('"ready"'))
  if (line === undefined) throw new Error(`cutwater-load: ${stdout}${stderr}`)
  return JSON.parse(line) as T
}

/** What a client costs that sent its hello and nothing more, in bytes: of the device's processes, and of the kernel's sockets. */
export interface HalfOpenCost {
  readonly clients: number
  readonly processBytes: number
  readonly kernelBytes: number
}

/** Has `clients` send their hellos at `rate`, and looks while they are all there. No other host here has a socket for them. */
export async function halfOpenCost(
  network: Network,
  target: Target,
  options: { readonly clients: number; readonly rate: number; readonly core?: number },
): Promise<HalfOpenCost> {
  const pids = processTree(target.pid)
  const send = async (clients: number): Promise<number> => {
    const { hellos } = await runLoad<{ hellos: number }>(
      network.client,
      'flood',
      {
        connect: target.address,
        port: target.port,
        'bind-range': kRanges.flood,
        device: 'c0',
        gateway: kAddresses.wan.v4,
        rate: options.rate,
        seconds: clients / options.rate,
      },
      options.core,
    )
    return hellos
  }
  await send(Math.ceil(options.clients / 20)) // the first also pay for what is bought once
  const halfOpenBefore = await target.halfOpen?.()
  const [before, slabBefore] = [await settledMemoryBytes(pids), socketSlabBytes()]
  const sent = await send(options.clients)
  const halfOpenAfter = await target.halfOpen?.() // a hello that was lost on the way made none
  const clients = halfOpenBefore === undefined || halfOpenAfter === undefined ? sent : halfOpenAfter - halfOpenBefore
  const [after, slabAfter] = [await settledMemoryBytes(pids), socketSlabBytes()]
  return { clients, processBytes: (after - before) / clients, kernelBytes: (slabAfter - slabBefore) / clients }
}

/** Of those who came, how many got what they came for; 0 to 1. */
export function shareOf({ arrived, finished }: Arrivals): number {
  return finished / arrived
}
