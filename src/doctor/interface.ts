/** One network device: is it there, is it up, and does it hand over packets as they were on the wire. */
import { readdir } from 'node:fs/promises'

import type { InterfaceConfig } from '../config/defaults.js'
import type { Finding } from './finding.js'
import { output, read, readLinkName } from './read.js'

/** A chunk of 16 KiB less the headroom that the kernel and we want. */
const largestMtu = 16_046
/** Of a chunk of 4 KiB: what is longer lies in several frames of AF_XDP. */
const largestOfOneFrame = 3_758

/** Drivers known to give AF_XDP their own memory. */
const zeroCopyDrivers = ['i40e', 'ice', 'igb', 'igc', 'ixgbe', 'mlx5_core', 'stmmac', 'gve', 'virtio_net', 'idpf']

export async function examineInterface(name: string, config: InterfaceConfig): Promise<Finding[]> {
  const { device } = config
  const base = `/sys/class/net/${device}`
  const [state, mtu, kind, queues, features, numa, link] = await Promise.all([
    read(`${base}/operstate`),
    read(`${base}/mtu`),
    driverOf(device),
    receiveQueues(device),
    output(['ethtool', '-k', device]),
    read(`${base}/device/numa_node`),
    output(['ip', '-j', 'link', 'show', 'dev', device]),
  ])
  if (state === undefined) {
    return [{ id: `device:${name}`, status: 'fail', text: `interfaces.${name}: there is no device "${device}"` }]
  }
  return [
    judgeState(name, device, state),
    judgeMtu(name, device, Number(mtu)),
    judgeDriver(name, config, kind),
    ...judgeQueues(name, device, queues, config),
    ...judgeOffloads(name, config, kind, features.stdout),
    ...judgeNuma(name, device, numa),
    ...judgeOtherXdp(name, device, link.stdout),
  ]
}

async function driverOf(device: string): Promise<string> {
  const fromSysfs = await readLinkName(`/sys/class/net/${device}/device/driver`)
  if (fromSysfs !== undefined) return fromSysfs
  const { stdout } = await output(['ethtool', '-i', device])
  return /^driver: (.+)$/m.exec(stdout)?.[1] ?? 'unknown'
}

async function receiveQueues(device: string): Promise<number> {
  const names = await readdir(`/sys/class/net/${device}/queues`).catch((): string[] => [])
  return names.filter((name) => name.startsWith('rx-')).length
}

function judgeState(name: string, device: string, state: string): Finding {
  // Virtual devices say "unknown" while they work.
  if (state === 'up' || state === 'unknown') return { id: `state:${name}`, status: 'ok', text: `${device} is up` }
  return {
    id: `state:${name}`,
    status: 'fail',
    text: `${device} is ${state}`,
    fix: [['ip', 'link', 'set', 'dev', device, 'up']],
  }
}

export function judgeMtu(name: string, device: string, mtu: number): Finding {
  const id = `mtu:${name}`
  if (mtu > largestMtu) {
    return {
      id,
      status: 'fail',
      text: `${device} has an MTU of ${mtu}; a packet must fit a chunk, so ${largestMtu} is the most`,
      fix: [['ip', 'link', 'set', 'dev', device, 'mtu', '1500']],
    }
  }
  if (mtu < 576) return { id, status: 'warn', text: `${device} has an MTU of ${mtu}: records will be tiny` }
  const frames =
    mtu > largestOfOneFrame ? '; port "xsk" needs Linux 6.6 for it, and a driver with multi-buffer XDP' : ''
  return { id, status: 'ok', text: `${device} has an MTU of ${mtu}${frames}` }
}

function judgeDriver(name: string, { device, port }: InterfaceConfig, driver: string): Finding {
  const id = `driver:${name}`
  if (port === 'packet')
    return { id, status: 'ok', text: `${device} is driven by ${driver}; port "packet" runs on any` }
  if (zeroCopyDrivers.includes(driver))
    return { id, status: 'ok', text: `${device} is driven by ${driver}, which can do zero-copy` }
  if (driver === 'veth') return { id, status: 'ok', text: `${device} is a veth: driver mode with copying` }
  return {
    id,
    status: 'note',
    text: `${device} is driven by ${driver}: zero-copy is not to be expected, generic mode may be used`,
  }
}

function judgeQueues(name: string, device: string, queues: number, { port }: InterfaceConfig): Finding[] {
  if (port === 'packet' || queues === 0) return []
  return [
    { id: `queues:${name}`, status: 'ok', text: `${device} has ${queues} receive queue${queues === 1 ? '' : 's'}` },
  ]
}

/** ethtool's long names, what is wrong with each, and the short name that turns it off. */
const harmful = [
  { feature: 'generic-receive-offload', flag: 'gro', on: 'packet and veth' },
  { feature: 'large-receive-offload', flag: 'lro', on: 'all' },
  { feature: 'tcp-segmentation-offload', flag: 'tso', on: 'veth' },
  { feature: 'generic-segmentation-offload', flag: 'gso', on: 'veth' },
  { feature: 'tx-checksumming', flag: 'tx', on: 'veth' },
  { feature: 'rx-checksumming', flag: 'rx', on: 'veth' },
] as const

/** Features of an `ethtool -k` output that are on. */
export function featuresOn(text: string): Set<string> {
  return new Set([...text.matchAll(/^\s*([\w-]+): on(?: \[fixed\])?.*$/gm)].map((match) => match[1] ?? ''))
}

export function judgeOffloads(name: string, config: InterfaceConfig, driver: string, ethtool: string): Finding[] {
  const { device, port, vlan } = config
  const id = `offloads:${name}`
  if (ethtool === '')
    return [{ id, status: 'note', text: `cannot read the offloads of ${device} (is ethtool installed?)` }]
  const on = featuresOn(ethtool)
  const isVeth = driver === 'veth'
  const wrong = harmful.filter(({ feature, on: where }) => {
    const applies = where === 'all' || isVeth || (where === 'packet and veth' && port === 'packet')
    return applies && on.has(feature)
  })
  const findings: Finding[] = []
  if (wrong.length > 0) {
    const flags = wrong.flatMap(({ flag }) => [flag, 'off'])
    findings.push({
      id,
      status: 'fail',
      text: `${device} merges packets or leaves checksums undone (${wrong.map(({ feature }) => feature).join(', ')})`,
      fix: [['ethtool', '-K', device, ...flags]],
    })
  } else {
    findings.push({ id, status: 'ok', text: `${device} hands over packets as they were on the wire` })
  }
  if (isVeth) {
    const text = `${device} is a veth: the same offloads must be off at its other end, which cannot be seen from here`
    findings.push({ id: `offloads-peer:${name}`, status: 'note', text })
  }
  if (vlan !== 0 && on.has('rx-vlan-offload')) {
    findings.push({
      id: `offloads-vlan:${name}`,
      status: 'fail',
      text: `${device} takes VLAN tags off before they reach us`,
      fix: [['ethtool', '-K', device, 'rxvlan', 'off']],
    })
  }
  return findings
}

function judgeNuma(name: string, device: string, node: string | undefined): Finding[] {
  if (node === undefined || node === '-1') return []
  const text = `${device} is on NUMA node ${node}: put the workers on its CPUs (/sys/devices/system/node/node${node}/cpulist)`
  return [{ id: `numa:${name}`, status: 'note', text }]
}

function judgeOtherXdp(name: string, device: string, json: string): Finding[] {
  if (!/"xdp"\s*:/.test(json)) return []
  const text = `${device} has an XDP program already: another appliance, or another tool's`
  return [{ id: `xdp:${name}`, status: 'warn', text }]
}
