// Other shapes for the network of src/demo/network.ts: rewired after it was built and before anything runs in it.
import { outputOf } from '../../src/demo/command.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'

export type Wiring = (network: Network) => Promise<void>

const noOffloads = 'tx off rx off sg off tso off gso off gro off'
const { client, wan, lan, server } = kAddresses

function script(network: Network, lines: readonly string[]): Promise<string> {
  const names = {
    C: network.client.namespace,
    A: network.appliance.namespace,
    S: network.server.namespace,
    R: network.relay.namespace,
  }
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

/** A server behind a router of its own, for `behindRouter`. */
export const kRemoteServer = { v4: '192.0.2.10', v6: '2001:db8:9::10' } as const

/**
 * A router on the servers' network, with a server behind it: two next hops, two link addresses. Both are in the relay's namespace.
 *
 *   appliance ── lan ~veth~ s0 ─┬─ b1 ── server
 *                               └─ r0 ~veth~ r1 ── router .20 ── 192.0.2.10
 */
export const behindRouter: Wiring = async (network) => {
  const router = { v4: '203.0.113.20', v6: '2001:db8:5::20' }
  await outputOf(['ip', 'netns', 'add', network.relay.namespace]) // not from within another: it would be seen there alone
  await script(network, [
    'ip -n $R link set lo up',
    'ip netns exec $R sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0',
    'ip -n $S link add b1 type bridge; ip -n $S link set b1 up',
    'ip -n $S link add r0 type veth peer name r1 netns $R',
    `for one in r0 b1; do ip netns exec $S ethtool -K $one ${noOffloads} >/dev/null; done`,
    `ip netns exec $R ethtool -K r1 ${noOffloads} >/dev/null; ip -n $R link set r1 up`,
    'ip -n $S addr flush dev s0 scope global',
    'for one in s0 r0; do ip -n $S link set $one up master b1; done',
    ...addresses('$S', 'b1', server),
    ...addresses('$R', 'r1', router),
    `ip -n $R addr add ${kRemoteServer.v4}/32 dev lo; ip -n $R addr add ${kRemoteServer.v6}/128 dev lo nodad`,
    `ip -n $S route replace default via ${lan.v4}; ip -n $S -6 route replace default via ${lan.v6}`,
    `ip -n $R route add default via ${lan.v4}; ip -n $R -6 route add default via ${lan.v6}`,
    `ip -n $A route add ${kRemoteServer.v4}/32 via ${router.v4}; ip -n $A -6 route add ${kRemoteServer.v6}/128 via ${router.v6}`,
  ])
}
