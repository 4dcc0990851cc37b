// Transfers of the load tool through a laboratory with relays, and how long they took beside the same ones without the appliance.
import { createHash } from 'node:crypto'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { median } from '../../bench/lib/statistics.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Host } from '../../src/demo/network.js'
import { kServicePorts } from './lab.js'
import type { Family, Lab } from './lab.js'
import { startNginxPeer } from './nginx-peer.js'
import { patternOf } from './pattern.js'
import { startSink } from './servers.js'

export type Direction = 'down' | 'up'

/** What carries a transfer: the appliance; nginx in its place; the kernel's routing, in clear. */
export type Carrier = 'cutwater' | 'nginx' | 'plain'

export interface Transfers {
  readonly direction: Direction
  readonly bytes: number
  readonly connections: number
  readonly carrier?: Carrier
  readonly family?: Family
  readonly tls?: '1.2' | '1.3'
  readonly seconds?: number
}

const kSinkPort = 8082 // a second sink: packets of the service's own server port belong to the appliance
const kNginxAddress = { connect: kAddresses.wan.v4, port: 443 } as const

/** Starts what transfers are compared with. Linux shall not learn from one transfer about the path of the next. */
export async function startComparison(lab: Lab): Promise<void> {
  for (const host of [lab.network.client, lab.network.appliance, lab.network.server]) {
    await host.output(['sysctl', '-qw', 'net.ipv4.tcp_no_metrics_save=1'])
  }
  const { congestion } = lab.options
  if (congestion !== undefined) await setCongestionByRoutes(lab.network.appliance, congestion)
  await startSink(lab.network.server, kSinkPort, { hash: true, ...congestionOf(lab) })
  await startNginxPeer(lab.network, kSinkPort, lab.trust.server.ecdsa)
}

// For programs that do not choose themselves (nginx). The sysctl would do only what the first namespace allows everybody.
async function setCongestionByRoutes(host: Host, congestion: string): Promise<void> {
  const routes = (await host.output(['ip', '-4', 'route', 'show'])).split('\n').filter((route) => route.trim() !== '')
  for (const route of routes) {
    await host.output(['ip', 'route', 'change', ...route.trim().split(/\s+/), 'congctl', congestion])
  }
}

// The client speaks as the laboratory's sink does.
function congestionOf(lab: Lab): { congestion?: string } {
  return lab.options.congestion === undefined ? {} : { congestion: lab.options.congestion }
}

/** Moves them at once. Returns: how long each took in milliseconds once it was connected. @throws Error when one ended early or had other bytes. */
export async function move(lab: Lab, transfers: Transfers): Promise<number[]> {
  const { direction, bytes, connections, carrier = 'cutwater', tls = '1.3', seconds = 60 } = transfers
  const address = kAddresses.server[transfers.family ?? 'v4']
  const target = {
    cutwater: { connect: address, port: kServicePorts.transfers[0], tls },
    nginx: { ...kNginxAddress, tls },
    plain: { connect: address, port: kSinkPort, plain: true },
  }[carrier]
  const path = direction === 'down' ? `/bytes/${bytes}` : '/'
  const result = await runLoad(lab.network.client, 'bulk', {
    ...target,
    direction,
    bytes,
    connections,
    path,
    seconds,
    hash: true,
    ...congestionOf(lab),
  })
  if (result.done !== connections) {
    throw new Error(
      `${carrier} ${direction}: ${result.done} of ${connections} done, ${result.failures} failed: ${result.failure}`,
    )
  }
  const digests = new Set(result.digests.map((digest) => (typeof digest === 'string' ? digest : digest.sha256)))
  const wanted = createHash('sha256').update(patternOf(bytes)).digest('hex')
  if (digests.size !== 1 || !digests.has(wanted))
    throw new Error(`${carrier} ${direction}: other bytes arrived than were sent`)
  return [...result.transferMs]
}

/** Quartiles of repeated times, as a person reads them. */
export function spreadOf(times: readonly number[]): string {
  if (times.length === 0) return '-'
  const sorted = [...times].sort((a, b) => a - b)
  const at = (part: number): string => (sorted[Math.round((sorted.length - 1) * part)] ?? Number.NaN).toFixed(0)
  return `${at(0.5)} ms [${at(0.25)}..${at(0.75)}]`
}

/**
 * How many times the median of `times` is that of `base`, and where nine of ten such ratios lie when both are drawn again
 * from what was seen (bootstrap, with a fixed sequence so that the same figures say the same).
 */
export function ratioOf(times: readonly number[], base: readonly number[]): string {
  if (times.length === 0 || base.length === 0) return '-'
  let state = 1
  const draw = (values: readonly number[]): number => {
    const again = values.map(() => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return values[Math.floor((state / 2 ** 32) * values.length)] ?? Number.NaN
    })
    return median(again)
  }
  const ratios = Array.from({ length: 500 }, () => draw(times) / draw(base)).sort((a, b) => a - b)
  return `${(median(times) / median(base)).toFixed(2)} [${ratios[25]?.toFixed(2)}..${ratios[474]?.toFixed(2)}]`
}
