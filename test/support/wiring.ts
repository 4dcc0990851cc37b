// Other shapes for the network of src/demo/network.ts: rewired after it was built and before anything runs in it.
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'

export type Wiring = (network: Network) => Promise<void>

const noOffloads = 'tx off rx off sg off tso off gso off gro off'
const { client, wan, lan, server } = kAddresses

function script(network: Network, lines: readonly string[]): Promise<string> {
  const names = { C: network.client.namespace, A: network.appliance.namespace, S: network.server.namespace }
  const set = Object.entries(names).map(([letter, name]) => `${letter}=${name}`)
  return network.appliance.output(['sh', '-e'], { input: [...set, ...lines, ''].join('\n') })
}

function addresses(namespace: string, device: string, { v4, v6 }: { v4: string; v6: string }): string[] {
  return [
    `ip -n ${namespace} addr add ${v4}/24 dev ${device}`,
    `ip -n ${namespace} addr add ${v6}/64 dev ${device} nodad`,
  ]
}

/** Routes go with the device they were by, so they are made again. */
const routes = [
  `ip -n $C route add default via ${wan.v4}; ip -n $C -6 route add default via ${wan.v6}`,
  `ip -n $S route add default via ${lan.v4}; ip -n $S -6 route add default via ${lan.v6}`,
]

/**
 * Devices of the appliance with several queues. The kernel picks the queue by a hash of addresses and ports, each direction its
 * own, so about half of the packets come in on a queue that is not their owner's.
 *
 *   client ── c0 ═ 2 queues ═ wan ── appliance ── lan ═ 2 queues ═ s0 ── server
 */
export function withQueues(queues: number): Wiring {
  const many = `numtxqueues ${queues} numrxqueues ${queues}`
  const pair = (device: string, peer: string, where: string): string[] => [
    `ip -n $A link del ${device}`,
    `ip -n $A link add ${device} ${many} type veth peer name ${peer} ${many} netns ${where}`,
    `ip netns exec $A ethtool -K ${device} ${noOffloads} >/dev/null; ip -n $A link set ${device} up`,
    `ip netns exec ${where} ethtool -K ${peer} ${noOffloads} >/dev/null; ip -n ${where} link set ${peer} up`,
  ]
  return async (network) => {
    await script(network, [
      ...pair('wan', 'c0', '$C'), ...addresses('$A', 'wan', wan), ...addresses('$C', 'c0', client),
      ...pair('lan', 's0', '$S'), ...addresses('$A', 'lan', lan), ...addresses('$S', 's0', server),
      ...routes,
    ]) // prettier-ignore
  }
}

/**
 * One device of the appliance for both sides; client and server hang on the same bridge, each in its own subnet.
 *
 *   client ── b0 ─┬─ c0 ~veth~ wan ── appliance (both subnets)
 *                 └─ c1 ~veth~ s0 ── server
 */
export const oneArm: Wiring = async (network) => {
  await script(network, [
    'ip -n $A link del lan',
    'ip -n $C link add b0 type bridge; ip -n $C link set b0 up',
    'ip -n $C link add c1 type veth peer name s0 netns $S',
    `for one in c0 c1; do ip netns exec $C ethtool -K $one ${noOffloads} >/dev/null; ip -n $C link set $one up master b0; done`,
    `ip netns exec $S ethtool -K s0 ${noOffloads} >/dev/null; ip -n $S link set s0 up`,
    `ip netns exec $C ethtool -K b0 ${noOffloads} >/dev/null`,
    'ip -n $C route flush dev c0; ip -n $C -6 route flush dev c0; ip -n $C addr flush dev c0 scope global',
    ...addresses('$C', 'b0', client),
    ...addresses('$S', 's0', server),
    ...addresses('$A', 'wan', lan),
    // What the kernel still routes goes out where it came in; it must not tell the hosts to talk past the appliance.
    'ip netns exec $A sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.wan.send_redirects=0',
    ...routes,
  ])
}
