// The measurements, one function each: a load against a running device, and what the device used meanwhile.
import type { RunningProcess } from '../../src/demo/command.js'
import type { Host, Network } from '../../src/demo/network.js'
import type { RunningDevice } from './devices.js'
import { kDeviceCore, kLoadCore } from './devices.js'
import { kManyFiles, loadArguments, runLoad } from './load-tool.js'
import type { LoadOptions, LoadResult } from './load-tool.js'
import { coreBusySeconds, cpuSeconds, processTree, settledMemoryBytes, socketSlabBytes } from './process-cost.js'

/** Names and values; a unit is the last word of each name. */
export type Figures = Readonly<Record<string, number>>

/** How long and how much. */
export interface Effort {
  readonly seconds: number
  readonly idleConnections: number
}

export interface Subject {
  readonly network: Network
  readonly device: RunningDevice
  readonly effort: Effort
}

export interface Measure {
  readonly name: string
  /** Only for devices that speak TLS. */
  readonly needs: 'tls' | 'anything'
  measure(subject: Subject): Promise<Figures>
}

function target(device: RunningDevice): LoadOptions {
  return { connect: device.address, port: device.port, plain: device.plain === 'plain' }
}

interface Cost {
  /** The device's processes, or what a busy-polling worker says of itself. */
  readonly device: number
  /** Everything on the device core. */
  readonly core: number
}

async function costNow(device: RunningDevice): Promise<Cost> {
  const own =
    device.busySeconds === undefined
      ? device.pid < 0
        ? 0
        : cpuSeconds(processTree(device.pid))
      : await device.busySeconds()
  return { device: own, core: coreBusySeconds(kDeviceCore) }
}

/** Runs a load and says what it cost the device. @throws Error when connections failed: such figures mean nothing. */
async function costed(
  subject: Subject,
  mode: string,
  options: LoadOptions,
): Promise<{ result: LoadResult; cost: Cost }> {
  const before = await costNow(subject.device)
  const all = { ...target(subject.device), seconds: subject.effort.seconds, ...options }
  const result = await runLoad(subject.network.client, mode, all, kLoadCore)
  const after = await costNow(subject.device)
  if (result.failures > 0) throw new Error(`${mode}: ${result.failures} failed: ${result.failure}`)
  return { result, cost: { device: after.device - before.device, core: after.core - before.core } }
}

function handshakes(name: string, options: LoadOptions): Measure {
  return {
    name,
    needs: 'tls',
    measure: async (subject) => {
      const { result, cost } = await costed(subject, 'handshakes', { connections: 8, ...options })
      const count = result.perSecond * subject.effort.seconds
      if (options['resume'] === true && result.resumed < count * 0.9)
        throw new Error(`${name}: ${result.resumed} of ${count} resumed`)
      return {
        [`${name}_per_s`]: result.perSecond,
        [`${name}_device_ms`]: (cost.device * 1_000) / count,
        [`${name}_core_ms`]: (cost.core * 1_000) / count,
      }
    },
  }
}

/** OpenSSL takes each record off the socket in two system calls unless told to read ahead; browsers, Go and Node take what is there. */
type Reading = 'by_record' | 'ahead'

function bulk(direction: 'down' | 'up', connections: number, reading: Reading = 'by_record'): Measure {
  const name = `bulk_${direction}_${connections}${reading === 'ahead' ? '_read_ahead' : ''}`
  return {
    name,
    needs: 'anything',
    measure: async (subject) => {
      const path = direction === 'down' ? `/bytes/${2 ** 40}` : '/'
      const { result, cost } = await costed(subject, 'bulk', {
        direction,
        connections,
        path,
        'read-ahead': reading === 'ahead',
      })
      const gigabytes = result.bytes / 1e9
      return {
        [`${name}_gbps`]: result.gbps,
        [`${name}_device_s_per_gb`]: cost.device / gigabytes,
        [`${name}_core_s_per_gb`]: cost.core / gigabytes,
      }
    },
  }
}

const requests: Measure = {
  name: 'requests_32',
  needs: 'anything',
  measure: async (subject) => {
    const { result, cost } = await costed(subject, 'requests', { connections: 32 })
    return {
      requests_per_s: result.perSecond,
      requests_device_s_per_1000: (cost.device * 1_000) / result.requests,
      requests_core_s_per_1000: (cost.core * 1_000) / result.requests,
    }
  },
}

const latency: Measure = {
  name: 'latency_1',
  needs: 'anything',
  measure: async (subject) => {
    const { result } = await costed(subject, 'requests', { connections: 1 })
    return { latency_p50_us: result.p50Us, latency_p99_us: result.p99Us }
  },
}

/** TCP sockets in use on a host, both families. */
async function socketsOf(host: Host): Promise<number> {
  const text = await host.output(['cat', '/proc/net/sockstat', '/proc/net/sockstat6'])
  return [...text.matchAll(/^TCP6?: inuse (\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0)
}

interface MemoryState {
  readonly user: number
  readonly slab: number
  readonly deviceSockets: number
  readonly allSockets: number
}

async function memoryNow(network: Network, pids: readonly number[]): Promise<MemoryState> {
  const [client, appliance, server] = await Promise.all(
    [network.client, network.appliance, network.server].map(socketsOf),
  )
  const deviceSockets = appliance ?? 0
  const allSockets = deviceSockets + (client ?? 0) + (server ?? 0)
  return { user: await settledMemoryBytes(pids), slab: socketSlabBytes(), deviceSockets, allSockets }
}

/**
 * What an idle connection costs the device: memory of its processes, and its sockets at the price that the kernel pays
 * for a socket (client and server pay the same for theirs, which is not counted here).
 */
const idleMemory: Measure = {
  name: 'idle_memory',
  needs: 'anything',
  measure: async ({ network, device, effort }) => {
    const pids = device.pid < 0 ? [] : processTree(device.pid)
    const connections = effort.idleConnections
    const hold = async (some: number): Promise<void> => {
      const options = { ...target(device), connections: some, seconds: 120 }
      const holder = network.client.start([...kManyFiles, ...loadArguments('hold', options)])
      holders.push(holder)
      const line = await holder.until((stdout) => stdout.split('\n').find((text) => text.includes('"held"')), 150_000)
      const held = JSON.parse(line) as { established: number; failure: string }
      if (held.established < some) throw new Error(`held ${held.established} of ${some}: ${held.failure}`)
    }
    const holders: RunningProcess[] = []
    try {
      await hold(Math.ceil(connections / 10)) // the first also pay for what is bought once
      const before = await memoryNow(network, pids)
      await hold(connections)
      const after = await memoryNow(network, pids)
      const socketBytes = (after.slab - before.slab) / Math.max(1, after.allSockets - before.allSockets)
      const deviceSockets = (after.deviceSockets - before.deviceSockets) / connections
      return {
        idle_user_bytes: (after.user - before.user) / connections,
        idle_device_sockets: deviceSockets,
        idle_kernel_bytes: deviceSockets * socketBytes,
      }
    } finally {
      for (const holder of holders) {
        holder.endInput()
        await holder.ended
      }
    }
  },
}

/** In the order in which they run: the memory measurement last, because freed memory stays with the process. */
export const kMeasures: readonly Measure[] = [
  handshakes('handshakes_full', {}),
  handshakes('handshakes_resumed', { resume: true }),
  requests,
  latency,
  bulk('down', 1),
  bulk('down', 8),
  bulk('down', 1, 'ahead'),
  bulk('up', 1),
  bulk('up', 8),
  idleMemory,
]
