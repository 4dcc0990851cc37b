// A small network of namespaces: a client and a server with the appliance as the router between them.
//
//   client ── c0 ~veth~ wan ── appliance ── lan ~veth~ s0 ── server
//   198.51.100.2        .1               203.0.113.1    203.0.113.10
//   2001:db8:c::2      ::1               2001:db8:5::1  2001:db8:5::10
//
// The addresses are documentation ranges and never leave the namespaces. Each network carries the process ID of its
// maker in its names, so that a later one can remove what a killed process left behind.
// Used by: the demo, the end-to-end tests and benches.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunningProcess, outputOf, runCommand } from './command.js'
import type { CommandOptions, CommandResult } from './command.js'

/** The same in every network; each has its own namespaces, so they never meet. */
export const kAddresses = {
  client: { v4: '198.51.100.2', v6: '2001:db8:c::2' },
  wan: { v4: '198.51.100.1', v6: '2001:db8:c::1' },
  lan: { v4: '203.0.113.1', v6: '2001:db8:5::1' },
  server: { v4: '203.0.113.10', v6: '2001:db8:5::10' },
} as const

const kNamePattern = /^cw-(\d+)-\d+-(client|appliance|server|relay)$/
const kNetnsFolder = '/run/netns'

/** How a network differs from the usual one. */
export interface NetworkOptions {
  /** More client addresses, for tests that need more than 60,000 connections or several peers. Default: none. */
  readonly extraClientAddresses?: readonly string[]
  /** Cables that run through the relay's namespace, where a program must pass the packets. Default: none. */
  readonly relayed?: readonly Cable[]
}

/** The cable of the client or of the server to the appliance. */
export type Cable = 'client' | 'server'

/** The ends of a relayed cable in the relay's namespace: towards the client, towards the server. */
export const kRelayDevices: Readonly<Record<Cable, readonly [string, string]>> = {
  client: ['c1', 'c2'],
  server: ['s2', 's1'],
}

/** One machine of the network: a namespace in which programs run. */
export class Host {
  readonly namespace: string
  #processes: Set<RunningProcess>

  constructor(namespace: string, processes: Set<RunningProcess>) {
    this.namespace = namespace
    this.#processes = processes
  }

  /** The command line that runs `argv` on this host, for a person to type. */
  argv(argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace, ...argv]
  }
  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return runCommand(this.argv(argv), options)
  }
  output(argv: readonly string[], options?: CommandOptions): Promise<string> {
    return outputOf(this.argv(argv), options)
  }
  /** Starts a program that is stopped with the network at the latest. */
  start(argv: readonly string[], options?: CommandOptions): RunningProcess {
    const running = new RunningProcess(this.argv(argv), options)
    this.#processes.add(running)
    void running.ended.then(() => this.#processes.delete(running))
    return running
  }
}

let made = 0
const open = new Set<Network>()

/** Client, appliance and server, wired up. Needs root, or a user namespace in which we are root. */
export class Network {
  readonly client: Host
  readonly appliance: Host
  readonly server: Host
  /** Empty, but for the ends of cables that `relayed` names. */
  readonly relay: Host
  /** For configuration, certificates, logs and sockets; removed with the network. Readable by unprivileged server workers. */
  readonly folder: string
  #processes = new Set<RunningProcess>()
  #closing: Promise<void> | undefined

  private constructor() {
    made += 1
    const prefix = `cw-${process.pid}-${made}`
    this.client = new Host(`${prefix}-client`, this.#processes)
    this.appliance = new Host(`${prefix}-appliance`, this.#processes)
    this.server = new Host(`${prefix}-server`, this.#processes)
    this.relay = new Host(`${prefix}-relay`, this.#processes)
    this.folder = mkdtempSync(join(tmpdir(), `${prefix}-`))
  }

  /** Builds the network. @throws Error with the failing command; nothing is left behind. */
  static async create(options: NetworkOptions = {}): Promise<Network> {
    removeStaleNetworks()
    if (open.size === 0) process.once('exit', removeOpenNetworks)
    const network = new Network()
    open.add(network)
    try {
      await outputOf(['chmod', '755', network.folder])
      await outputOf(['sh', '-e'], { input: buildScript(network, options) })
    } catch (error) {
      await network.close()
      throw error
    }
    return network
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  /** Stops every program started here and removes the namespaces. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#tearDown())
  }

  async #tearDown(): Promise<void> {
    await Promise.all([...this.#processes].map((running) => running.stop()))
    this.removeNow()
  }

  /** The synchronous end of `close()`, also for a process that is ending. */
  removeNow(): void {
    for (const host of [this.client, this.appliance, this.server, this.relay]) removeNamespace(host.namespace)
    rmSync(this.folder, { recursive: true, force: true })
    open.delete(this)
    if (open.size === 0) process.off('exit', removeOpenNetworks)
  }
}

function buildScript(network: Network, options: NetworkOptions): string {
  const { client: c, wan, lan, server: s } = kAddresses
  const [client, appliance, server] = [network.client, network.appliance, network.server].map((host) => host.namespace)
  const noOffloads = 'tx off rx off sg off tso off gso off gro off' // XDP sees whole packets with real checksums only without them
  const cables = [
    cable(network, 'client', ['c0', client ?? ''], ['wan', appliance ?? ''], options),
    cable(network, 'server', ['lan', appliance ?? ''], ['s0', server ?? ''], options),
  ]
  const lines = [
    ...[client, appliance, server].map((name) => `ip netns add ${name}; ip -n ${name} link set lo up`),
    // IPv6 addresses are usable at once (no duplicate detection); routers announce nothing here.
    ...[client, appliance, server].map((name) =>
      inside(
        name,
        'sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0',
      ),
    ),
    ...cables.flatMap(({ lines }) => lines),
    ...[
      [client, 'c0'],
      [appliance, 'wan'],
      [appliance, 'lan'],
      [server, 's0'],
      ...cables.flatMap(({ relayDevices }) => relayDevices.map((device) => [network.relay.namespace, device])),
    ].flatMap(([name, device]) => [
      inside(name ?? '', `ethtool -K ${device} ${noOffloads} >/dev/null`),
      `ip -n ${name} link set ${device} up`,
    ]),
    `ip -n ${client} addr add ${c.v4}/24 dev c0; ip -n ${client} addr add ${c.v6}/64 dev c0 nodad`,
    `ip -n ${appliance} addr add ${wan.v4}/24 dev wan; ip -n ${appliance} addr add ${wan.v6}/64 dev wan nodad`,
    `ip -n ${appliance} addr add ${lan.v4}/24 dev lan; ip -n ${appliance} addr add ${lan.v6}/64 dev lan nodad`,
    `ip -n ${server} addr add ${s.v4}/24 dev s0; ip -n ${server} addr add ${s.v6}/64 dev s0 nodad`,
    ...(options.extraClientAddresses ?? []).map((address) => `ip -n ${client} addr add ${address}/24 dev c0`),
    `ip -n ${client} route add default via ${wan.v4}; ip -n ${client} -6 route add default via ${wan.v6}`,
    `ip -n ${server} route add default via ${lan.v4}; ip -n ${server} -6 route add default via ${lan.v6}`,
    inside(appliance ?? '', 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1'),
    // Tests open tens of thousands of connections from one address and do not want to wait for TIME-WAIT.
    inside(client ?? '', 'sysctl -qw net.ipv4.ip_local_port_range="1024 65535" net.ipv4.tcp_tw_reuse=1'),
    ...[client, server].map((name) =>
      inside(name ?? '', 'sysctl -qw net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535'),
    ),
  ]
  return `${lines.join('\n')}\n`
}

type End = readonly [device: string, namespace: string]

// A veth pair between two hosts; a relayed cable is two of them that end in the relay's namespace.
function cable(
  network: Network,
  name: Cable,
  [near, nearHost]: End,
  [far, farHost]: End,
  options: NetworkOptions,
): { lines: string[]; relayDevices: readonly string[] } {
  const isRelayed = options.relayed?.includes(name) === true
  if (!isRelayed)
    return {
      lines: [`ip -n ${farHost} link add ${far} type veth peer name ${near} netns ${nearHost}`],
      relayDevices: [],
    }
  const relay = network.relay.namespace
  const [nearEnd, farEnd] = kRelayDevices[name]
  const lines = [
    // the relay's namespace has no addresses and says nothing of its own
    `test -e ${kNetnsFolder}/${relay} || { ip netns add ${relay}; ${inside(relay, 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1')}; }`,
    `ip -n ${relay} link add ${nearEnd} type veth peer name ${near} netns ${nearHost}`,
    `ip -n ${relay} link add ${farEnd} type veth peer name ${far} netns ${farHost}`,
  ]
  return { lines, relayDevices: [nearEnd, farEnd] }
}

function inside(namespace: string | undefined, command: string): string {
  return `ip netns exec ${namespace} ${command}`
}

function removeNamespace(namespace: string): void {
  if (!existsSync(join(kNetnsFolder, namespace))) return
  const pids = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).stdout
  for (const pid of pids
    .split('\n')
    .map(Number)
    .filter((value) => value > 1)) {
    try {
      process.kill(pid, 'SIGKILL') // runs in a namespace that we made, so it is ours
    } catch {
      // it ended by itself meanwhile
    }
  }
  spawnSync('ip', ['netns', 'del', namespace])
}

/** Removes networks whose maker is gone, with the programs in them. */
export function removeStaleNetworks(): void {
  if (!existsSync(kNetnsFolder)) return
  for (const name of readdirSync(kNetnsFolder)) {
    const maker = kNamePattern.exec(name)?.[1]
    if (maker !== undefined && !isAlive(Number(maker))) removeNamespace(name)
  }
  for (const name of readdirSync(tmpdir())) {
    const maker = /^cw-(\d+)-\d+-/.exec(name)?.[1]
    if (maker !== undefined && !isAlive(Number(maker))) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

function removeOpenNetworks(): void {
  for (const network of open) network.removeNow()
}
