// A laboratory: the network of src/demo/network.ts with servers and the appliance, for one test file.
//
//   client ── wan [appliance] lan ── server
//                  443 shop      ->  80    nginx
//                 8443 node      ->  8080  Node, HTTP/1.1 and h2c
//                 9443 transfers ->  8081  the sink of cutwater-load
//                 7443 odd       ->  7080  a server that misbehaves
//                 6443 absent    ->  6080  nobody
//
// Clients connect to the server's own address, in direct mode unless a service says otherwise. Each service exists once for IPv4 and once for IPv6.
import type { ServiceInput } from '../../src/config/schema.js'
import { buildLoadTool } from '../../bench/e2e/load-tool.js'
import { Network, kAddresses } from '../../src/demo/network.js'
import type { Cable, NetworkOptions } from '../../src/demo/network.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { Appliance } from './appliance.js'
import type { PortKind } from './appliance.js'
import { Relay } from './relay.js'
import { startNginx, startNodeServer, startOddServer, startSink } from './servers.js'
import type { Nginx } from './servers.js'
import { trustForTests } from './trust.js'
import type { Trust } from './trust.js'
import type { Wiring } from './wiring.js'

export const kPorts: readonly PortKind[] = ['xsk', 'packet']
export type Family = 'v4' | 'v6'
export const kFamilies: readonly Family[] = ['v4', 'v6']

export const kServicePorts = {
  shop: [443, 80],
  node: [8443, 8080],
  transfers: [9443, 8081],
  odd: [7443, 7080],
  absent: [6443, 6080],
} as const
export type ServiceName = keyof typeof kServicePorts

/** The options of a service beside its addresses. */
export type ServiceTuning = Omit<ServiceInput, 'listen' | 'servers' | 'tls'> & {
  readonly tls?: Partial<ServiceInput['tls']>
}

export interface LabOptions extends NetworkOptions {
  readonly port: PortKind
  /** Gives the network another shape before anything runs in it (wiring.ts). */
  readonly wiring?: Wiring
  /** Which services, and how they differ from plain ones. Default: all, plain. */
  readonly services?: Partial<Record<ServiceName, ServiceTuning>>
  readonly more?: Readonly<Record<string, unknown>>
  /** Congestion control of the sink of `transfers`. Default: the machine's. */
  readonly congestion?: string
}

export class Lab {
  readonly network: Network
  readonly trust: Trust
  readonly options: LabOptions
  #appliance: Appliance | undefined
  nginx!: Nginx
  node!: RunningProcess
  odd!: RunningProcess
  /** Of the cables that `relayed` names; they start as plain cables. */
  readonly relays = new Map<Cable, Relay>()

  private constructor(network: Network, trust: Trust, options: LabOptions) {
    this.network = network
    this.trust = trust
    this.options = options
  }

  static async create(options: LabOptions): Promise<Lab> {
    const [network, trust] = await Promise.all([Network.create(options), trustForTests(), buildLoadTool()])
    const lab = new Lab(network, trust, options)
    try {
      await options.wiring?.(network)
      for (const cable of options.relayed ?? []) lab.relays.set(cable, await Relay.start(network, cable))
      lab.nginx = await startNginx(network)
      lab.node = await startNodeServer(network, kServicePorts.node[1])
      lab.odd = await startOddServer(network, kServicePorts.odd[1])
      await startSink(network.server, kServicePorts.transfers[1], {
        hash: true,
        ...(options.congestion === undefined ? {} : { congestion: options.congestion }),
      })
      await lab.startAppliance()
    } catch (error) {
      await lab.close()
      throw error
    }
    return lab
  }

  get appliance(): Appliance {
    if (this.#appliance === undefined) throw new Error('the appliance does not run')
    return this.#appliance
  }

  async startAppliance(): Promise<Appliance> {
    const { port, more } = this.options
    const services = servicesOf(this.options.services ?? kAllPlain, [
      this.trust.server.ecdsa,
      this.trust.server.rsa,
      this.trust.other,
    ])
    this.#appliance = await Appliance.start(this.network, { port, services, ...(more === undefined ? {} : { more }) })
    return this.#appliance
  }

  /** Where clients of a service connect. */
  target(service: ServiceName, family: Family = 'v4'): { address: string; port: number } {
    return { address: kAddresses.server[family], port: kServicePorts[service][0] }
  }

  close(): Promise<void> {
    return this.network.close()
  }
}

const kAllPlain: Partial<Record<ServiceName, ServiceTuning>> = {
  shop: {},
  node: { tls: { protocols: ['h2', 'http/1.1'] } },
  transfers: {},
  odd: {},
  absent: {},
}

function servicesOf(
  wanted: Partial<Record<ServiceName, ServiceTuning>>,
  pairs: readonly KeyPair[],
): Record<string, ServiceInput> {
  const services: Record<string, ServiceInput> = {}
  for (const [name, tuning] of Object.entries(wanted) as [ServiceName, ServiceTuning][]) {
    const [port, serverPort] = kServicePorts[name]
    for (const family of kFamilies) {
      const address = kAddresses.server[family]
      services[`${name}-${family}`] = {
        mode: 'direct',
        ...tuning,
        listen: { address, port },
        servers: [{ address, port: serverPort }],
        tls: { versions: ['1.2', '1.3'], certificates: [...pairs], ...tuning.tls },
      }
    }
  }
  return services
}
