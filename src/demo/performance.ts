// The clients of the demonstration and what they measure.
import { fileURLToPath } from 'node:url'
import type { RunningProcess } from './command.js'
import { kAddresses } from './network.js'
import { processTree, settledMemoryBytes } from './process-memory.js'
import { kName, kTlsPort } from './stage.js'
import type { Stage } from './stage.js'

const kClient = fileURLToPath(new URL('client.js', import.meta.url))
export const kVersions = ['1.3', '1.2'] as const
export type Version = (typeof kVersions)[number]

/** One page fetched by one client. */
export interface Fetched {
  readonly client: 'curl' | 'node'
  readonly version: Version
  readonly suite: string
  readonly status: number
  /** Whom the server saw. */
  readonly seen: string
}

export function curlCommand(stage: Stage, more: readonly string[], path = '/'): string[] {
  return [
    'curl', '-sS', '--max-time', '60', '--cacert', stage.files.authority, '--resolve', `${kName}:${kTlsPort}:${kAddresses.server.v4}`,
    ...more, `https://${kName}${path}`,
  ] // prettier-ignore
}

export async function fetchByCurl(stage: Stage, version: Version): Promise<Fetched> {
  const limits = version === '1.3' ? ['--tlsv1.3'] : ['--tls-max', '1.2']
  const result = await stage.network.client.run(curlCommand(stage, [...limits, '-v', '-w', '%{http_code}']))
  if (result.code !== 0) throw new Error(`curl, TLS ${version}: ${result.stderr.trim().slice(-1_000)}`)
  const suite = /SSL connection using \S+ \/ (\S+)/.exec(result.stderr)?.[1] ?? ''
  return { client: 'curl', version, suite, status: Number(result.stdout.slice(-3)), seen: seenIn(result.stdout) }
}

export async function fetchByNode(stage: Stage, version: Version): Promise<Fetched> {
  const said = (await askClient(stage, 'fetch', version, 1)) as { status: number; cipher: string; body: string }
  return { client: 'node', version, suite: said.cipher, status: said.status, seen: seenIn(said.body) }
}

function seenIn(body: string): string {
  return /"client":"([^"]+)"/.exec(body)?.[1] ?? 'nobody'
}

function clientTask(stage: Stage, action: string, version: Version, count: number): string[] {
  const task = {
    action,
    address: kAddresses.server.v4,
    port: kTlsPort,
    name: kName,
    ca: stage.files.authority,
    version,
    count,
  }
  return [process.execPath, kClient, JSON.stringify(task)]
}

async function askClient(stage: Stage, action: string, version: Version, count: number): Promise<unknown> {
  return JSON.parse(await stage.network.client.output(clientTask(stage, action, version, count), { timeoutMs: 60_000 }))
}

/** What the appliance did, in figures. */
export interface Figures {
  readonly downGbps: number
  readonly upGbps: number
  readonly p50Us: number
  readonly p99Us: number
  readonly requestsPerSecond: number
  readonly idleConnections: number
  readonly bytesPerIdleConnection: number
}

export interface Sizes {
  readonly transferBytes: number
  readonly requests: number
  readonly idleConnections: number
}

export async function measure(stage: Stage, sizes: Sizes): Promise<Figures> {
  const downGbps = await measureDown(stage, sizes.transferBytes)
  const upGbps = await measureUp(stage, sizes.transferBytes)
  const latency = (await askClient(stage, 'latency', '1.3', sizes.requests)) as {
    p50Us: number
    p99Us: number
    perSecond: number
  }
  const bytesPerIdleConnection = await measureMemory(stage, sizes.idleConnections)
  return {
    downGbps, upGbps, p50Us: latency.p50Us, p99Us: latency.p99Us, requestsPerSecond: latency.perSecond,
    idleConnections: sizes.idleConnections, bytesPerIdleConnection,
  } // prettier-ignore
}

async function measureDown(stage: Stage, bytes: number): Promise<number> {
  const words = curlCommand(stage, ['-o', '/dev/null', '-w', '%{size_download} %{speed_download}'], `/bytes/${bytes}`)
  const [size, speed] = (await stage.network.client.output(words, { timeoutMs: 90_000 })).split(' ').map(Number)
  if (size !== bytes) throw new Error(`a download of ${bytes} bytes ended after ${size}`)
  return ((speed ?? 0) * 8) / 1e9
}

async function measureUp(stage: Stage, bytes: number): Promise<number> {
  const file = stage.network.file('upload')
  await stage.network.client.output(['sh', '-c', `head -c ${bytes} /dev/zero > ${file}`])
  const words = curlCommand(stage, ['-T', file, '-H', 'Expect:', '-w', ' %{speed_upload}'])
  const said = await stage.network.client.output(words, { timeoutMs: 90_000 })
  const received = Number(/"received":(\d+)/.exec(said)?.[1])
  if (received !== bytes) throw new Error(`of an upload of ${bytes} bytes the server got ${received}`)
  return (Number(said.split(' ').at(-1)) * 8) / 1e9
}

/** The first connections also pay for what is bought once, so they are held before the measurement begins. */
async function measureMemory(stage: Stage, count: number): Promise<number> {
  const pids = processTree(stage.ready.pid)
  const hold = async (some: number): Promise<RunningProcess> => {
    const holder = stage.network.client.start(clientTask(stage, 'hold', '1.3', some))
    await holder.until((stdout) => stdout.includes('held'), 60_000)
    return holder
  }
  const first = await hold(Math.ceil(count / 4))
  const before = await settledMemoryBytes(pids)
  const second = await hold(count)
  const after = await settledMemoryBytes(pids)
  for (const holder of [first, second]) {
    holder.endInput()
    await holder.ended
  }
  return Math.max(0, Math.round((after - before) / count))
}
