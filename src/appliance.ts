/** The appliance: an engine with its configuration. Everything a program does with Cutwater starts here. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { HealthChecks } from './balance/health.js'
import type { Action } from './config/actions.js'
import type { Config } from './config/defaults.js'
import { diff, type Wanted } from './config/diff.js'
import { parseConfig, readConfig } from './config/parse.js'
import type { ConfigInput } from './config/schema.js'
import { CutwaterError } from './errors.js'
import { type Identities, keyCustody, readIdentities, wipeKeys } from './identity/service-identity.js'
import { callNative, createEngine } from './native/binding.js'
import type {
  FailureReport,
  FlowEntry,
  FlowEvent,
  NativeEngine,
  PortReport,
  ServerEntry,
  TraceEntry,
} from './native/contract.js'
import { toNativeConfig, toNativeServices } from './native/convert.js'
import { CounterReader } from './stats/counters.js'
import type { Snapshot } from './stats/snapshot.js'

/** What the appliance turned out to be once it ran. */
export interface Ready {
  /** By the name of the interface. */
  readonly ports: ReadonlyMap<string, PortReport>
  /** The AEAD implementation in use: "ipsec-mb" or "openssl". */
  readonly aead: string
  /** About certificates that work but should not stay as they are. */
  readonly warnings: readonly string[]
}

/** What `apply` did. */
export interface Applied {
  readonly actions: readonly Action[]
  readonly warnings: readonly string[]
}

export interface PollOptions {
  /** Default 100. */
  readonly everyMs?: number
  readonly signal?: AbortSignal
}

/** A configuration as a value, or the path of a configuration file. */
export type ConfigSource = ConfigInput | string

const defaultPollMs = 100
const defaultFlowLimit = 1_000
const defaultTraceCapacity = 4_096

/**
 * A running appliance.
 *
 * @example
 * await using appliance = await Appliance.start('shop.yaml')
 * for await (const snapshot of appliance.snapshots({ everyMs: 1_000 })) console.log(snapshot.total('flows_opened'))
 */
export class Appliance {
  readonly ready: Ready
  readonly #engine: NativeEngine
  readonly #counters: CounterReader
  readonly #health: HealthChecks
  readonly #closed = new AbortController()
  #running: Wanted
  #applying: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(engine: NativeEngine, running: Wanted, ready: Ready) {
    this.#engine = engine
    this.#counters = new CounterReader(engine)
    this.#running = running
    this.#health = new HealthChecks((service, server, health) => {
      if (!this.#closed.signal.aborted) engine.judge(service, server, health)
    })
    this.#health.watch(running.config)
    this.ready = ready
  }

  /**
   * Opens the ports and starts the workers. When it returns, traffic flows; when it throws, nothing is left behind.
   *
   * @throws CutwaterError CONFIG_UNREADABLE, CONFIG_INVALID, CERTIFICATE_INVALID, PORT_UNAVAILABLE, NATIVE_MISSING
   */
  static async start(source: ConfigSource): Promise<Appliance> {
    const { config, identities } = await load(source)
    try {
      const engine = createEngine()
      const report = callNative(() => engine.start(toNativeConfig(config, identities.services)))
      const names = [...config.interfaces.keys()]
      const ports = new Map(report.ports.map((port, index) => [names[index] ?? port.device, port]))
      const ready = { ports, aead: report.aead, warnings: identities.warnings }
      return new Appliance(engine, toWanted(config, identities), ready)
    } finally {
      wipeKeys(identities.services)
    }
  }

  /** The configuration it runs on. */
  get config(): Config {
    return this.#running.config
  }

  /**
   * Goes over to another configuration. Services that did not change are not touched; established flows keep what they
   * were set up with. Certificate files are read again. Calls are carried out one after the other.
   *
   * @throws CutwaterError RESTART_NEEDED when interfaces, workers or other keys outside `services` differ; then, as after
   * CONFIG_UNREADABLE, CONFIG_INVALID and CERTIFICATE_INVALID, everything stays as it was.
   */
  apply(source: ConfigSource): Promise<Applied> {
    const applied = this.#applying.then(() => this.#apply(source))
    this.#applying = applied.catch(() => undefined)
    return applied
  }

  async #apply(source: ConfigSource): Promise<Applied> {
    this.#throwIfClosed()
    const { config, identities } = await load(source)
    try {
      this.#throwIfClosed()
      const wanted = toWanted(config, identities)
      const { actions, restartKeys } = diff(this.#running, wanted)
      if (restartKeys.length > 0) {
        const keys = restartKeys.join(', ')
        throw new CutwaterError('RESTART_NEEDED', `nothing was applied: only a restart can change ${keys}`)
      }
      if (actions.length > 0) {
        callNative(() => {
          this.#engine.apply(toNativeServices(config, identities.services))
        })
      }
      this.#running = wanted
      this.#health.watch(config)
      return { actions, warnings: identities.warnings }
    } finally {
      wipeKeys(identities.services)
    }
  }

  /** The counters now. @throws CutwaterError CLOSED */
  counters(): Snapshot {
    this.#throwIfClosed()
    return this.#counters.read(performance.now())
  }

  /** The counters now and then every `everyMs`, until aborted or closed. */
  async *snapshots(options: PollOptions = {}): AsyncGenerator<Snapshot, void, undefined> {
    yield* this.#poll(options, () => [this.counters()])
  }

  /** What happens to flows, sampled. There is one stream of events: each goes to one reader. */
  async *events(options: PollOptions = {}): AsyncGenerator<FlowEvent, void, undefined> {
    yield* this.#poll(options, () => callNative(() => this.#engine.takeEvents()))
  }

  /**
   * The packets of flows that begin from now on, as the splice sees them. Recording ends with the iteration. At most
   * `capacity` packets are kept between two polls; more are lost, never waited for.
   */
  async *trace(
    options: PollOptions & { readonly capacity?: number } = {},
  ): AsyncGenerator<TraceEntry, void, undefined> {
    this.#throwIfClosed()
    callNative(() => {
      this.#engine.trace(options.capacity ?? defaultTraceCapacity)
    })
    try {
      yield* this.#poll(options, () => callNative(() => this.#engine.takeTrace()))
    } finally {
      if (!this.#closed.signal.aborted) this.#engine.trace(0)
    }
  }

  /** Flows alive now, at most `limit` (1,000 by default). @throws CutwaterError CLOSED */
  flows(options: { readonly limit?: number } = {}): FlowEntry[] {
    this.#throwIfClosed()
    return callNative(() => this.#engine.flows(options.limit ?? defaultFlowLimit))
  }

  /** Failed handshakes of every service that had any, by reason, with the last of them. @throws CutwaterError CLOSED */
  failures(): FailureReport[] {
    this.#throwIfClosed()
    return callNative(() => this.#engine.failures())
  }

  /**
   * Every server with its state and sessions; those taken out of the configuration as long as flows of theirs last.
   *
   * @throws CutwaterError CLOSED
   */
  servers(): ServerEntry[] {
    this.#throwIfClosed()
    return callNative(() => this.#engine.servers())
  }

  /**
   * Gives a server no new flows while its old ones end. Stays so over reloads, until `enable`.
   *
   * @throws CutwaterError CONFIG_INVALID when there is no such server
   */
  drain(service: string, server: string): void {
    this.#throwIfClosed()
    callNative(() => {
      this.#engine.admit(service, server, 'draining')
    })
  }

  /** Takes `drain` back. @throws CutwaterError CONFIG_INVALID when there is no such server */
  enable(service: string, server: string): void {
    this.#throwIfClosed()
    callNative(() => {
      this.#engine.admit(service, server, 'enabled')
    })
  }

  /** Stops the workers and gives the ports back. Closing twice is one closing. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutDown())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(): Promise<void> {
    this.#closed.abort()
    this.#health.close()
    await this.#applying
    callNative(() => {
      this.#engine.close()
    })
  }

  /** Reads at once and then every `everyMs`; ends when the caller aborts or the appliance closes. */
  async *#poll<T>(
    { everyMs = defaultPollMs, signal }: PollOptions,
    read: () => readonly T[],
  ): AsyncGenerator<T, void, undefined> {
    const ended = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal
    while (!ended.aborted) {
      yield* read() // in one go with the look at `ended`: nothing is read from a closed engine
      try {
        await sleep(everyMs, undefined, { signal: ended })
      } catch {
        return // aborted: the only way a sleep fails
      }
    }
  }

  #throwIfClosed(): void {
    if (this.#closed.signal.aborted) throw new CutwaterError('CLOSED', 'this appliance has been closed')
  }
}

async function load(source: ConfigSource): Promise<{ config: Config; identities: Identities }> {
  const config = typeof source === 'string' ? await readConfig(source) : parseConfig(source)
  return { config, identities: await readIdentities(config, new Date(), keyCustody(config.secure.place)) }
}

function toWanted(config: Config, { services }: Identities): Wanted {
  return { config, digests: new Map([...services].map(([name, { digest }]) => [name, digest])) }
}
