// What stands on the demonstration's stage: the network, the backend, a certificate, and the appliance as an operator runs it.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { ConfigInput } from '../config/schema.js'
import { ask } from '../control/client.js'
import type { FlowEntry, TraceEntry } from '../native/contract.js'
import { makeAuthority, makeCertificate } from './certificates.js'
import type { RunningProcess } from './command.js'
import { Network, kAddresses } from './network.js'

export const kName = 'shop.test'
export const kBackendPort = 80
export const kTlsPort = 443

const kMain = fileURLToPath(new URL('../cli/main.js', import.meta.url))
const kBackend = fileURLToPath(new URL('backend.js', import.meta.url))

/** The line `cutwater run --json` writes when traffic can flow; only what is shown. */
export interface ReadyLine {
  readonly pid: number
  readonly aead: string
  readonly interfaces: Readonly<
    Record<string, { readonly device: string; readonly port: string; readonly attach?: string; readonly copy?: string }>
  >
}

export class Stage {
  readonly network: Network
  readonly ready: ReadyLine
  readonly files: { readonly config: string; readonly control: string; readonly authority: string }
  readonly appliance: RunningProcess

  private constructor(network: Network, ready: ReadyLine, files: Stage['files'], appliance: RunningProcess) {
    this.network = network
    this.ready = ready
    this.files = files
    this.appliance = appliance
  }

  /** Builds everything. @throws Error with the reason; nothing is left behind. */
  static async build(port: 'xsk' | 'packet', onNetwork: (network: Network) => void): Promise<Stage> {
    const network = await Network.create()
    onNetwork(network)
    try {
      const authority = await makeAuthority(network.folder)
      const pair = await makeCertificate(network.folder, authority, {
        file: 'shop', name: kName, alternatives: [`IP:${kAddresses.server.v4}`, `IP:${kAddresses.server.v6}`],
      }) // prettier-ignore
      const files = {
        config: network.file('cutwater.yaml'),
        control: network.file('control.sock'),
        authority: authority.certificate,
      }
      writeFileSync(files.config, stringify(configFor(port, pair)))
      const backend = network.server.start([process.execPath, kBackend, String(kBackendPort)])
      await backend.until((stdout) => stdout.includes('ready'))
      const appliance = network.appliance.start([
        process.execPath, kMain, 'run', '--config', files.config, '--json', '--control', files.control,
      ]) // prettier-ignore
      const line = await appliance.until(
        (stdout) => stdout.split('\n').find((text) => text.includes('"ready"')),
        20_000,
      )
      return new Stage(network, JSON.parse(line) as ReadyLine, files, appliance)
    } catch (error) {
      await network.close()
      throw error
    }
  }

  /** The packets of the flows that begin while `action` runs. */
  async tracing<T>(action: () => Promise<T>): Promise<{ result: T; trace: TraceEntry[] }> {
    const trace: TraceEntry[] = []
    const ended = new AbortController()
    const collecting = (async () => {
      for await (const entry of ask(this.files.control, { command: 'trace', packets: 100_000 }, ended.signal))
        trace.push(entry as TraceEntry)
    })()
    await new Promise((resolve) => setTimeout(resolve, 200)) // the request reaches the appliance
    const result = await action()
    await new Promise((resolve) => setTimeout(resolve, 400)) // the end of the connection, and the next poll
    ended.abort()
    await collecting.catch((error: unknown) => {
      if (trace.length === 0) throw error // aborting ends the answer early; having heard nothing at all is another thing
    })
    return { result, trace }
  }

  async flows(): Promise<FlowEntry[]> {
    const entries: FlowEntry[] = []
    for await (const entry of ask(this.files.control, { command: 'flows', limit: 10 })) entries.push(entry as FlowEntry)
    return entries
  }

  async counters(): Promise<Map<string, number>> {
    const totals = new Map<string, number>()
    for await (const line of ask(this.files.control, { command: 'stats' })) {
      const { name, value } = line as { name: string; value: number | string }
      totals.set(name, (totals.get(name) ?? 0) + Number(value))
    }
    return totals
  }
}

function configFor(port: 'xsk' | 'packet', pair: { certificate: string; key: string }): ConfigInput {
  const { v4, v6 } = kAddresses.server
  const service = (address: string) => ({
    mode: 'direct' as const,
    listen: { address, port: kTlsPort },
    servers: [{ address, port: kBackendPort }],
    tls: { versions: ['1.2' as const, '1.3' as const], certificates: [pair] },
  })
  return {
    interfaces: { wan: { device: 'wan', port }, lan: { device: 'lan', port } },
    services: { shop: service(v4), 'shop-v6': service(v6) },
  }
}
