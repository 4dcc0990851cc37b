/**
 * Active health checks: every server of every service that asks for them, each at its own pace. Verdicts go to the engine, which
 * gives a server that is down no new flows from that moment on.
 */
import type { Config, HealthConfig, ServerConfig, ServerTlsConfig } from '../config/defaults.js'
import { probe } from './probe.js'
import { type Health, initialStanding, judge, type Standing } from './verdict.js'

/** Tells the engine. Throws when it does not know the server any more. */
export type Tell = (service: string, server: string, health: Health) => void

interface Watched {
  readonly service: string
  readonly server: ServerConfig
  readonly health: HealthConfig
  readonly serverTls: ServerTlsConfig | undefined
  standing: Standing
  timer: NodeJS.Timeout | undefined
}

export class HealthChecks {
  readonly #tell: Tell
  #watched = new Map<string, Watched>()
  #isClosed = false

  constructor(tell: Tell) {
    this.#tell = tell
  }

  /** Goes over to the servers of a configuration. Those that stay keep their standing; those no longer checked are taken to be up. */
  watch(config: Config): void {
    const before = this.#watched
    this.#watched = new Map()
    for (const [service, { servers, health, serverTls }] of config.services) {
      if (health === undefined) {
        for (const server of servers) this.#forgive(before.get(keyOf(service, server)))
        continue
      }
      for (const server of servers) {
        const key = keyOf(service, server)
        const standing = before.get(key)?.standing ?? initialStanding
        this.#watched.set(key, { service, server, health, serverTls, standing, timer: undefined })
      }
    }
    for (const { timer } of before.values()) clearTimeout(timer)
    // The first looks are spread over one interval, so that a hundred servers are not all asked in the same millisecond.
    let at = 0
    for (const watched of this.#watched.values())
      this.#plan(watched, (watched.health.intervalMs * at++) / this.#watched.size)
  }

  /** Stops looking. A look under way has no effect any more. */
  close(): void {
    this.#isClosed = true
    for (const { timer } of this.#watched.values()) clearTimeout(timer)
    this.#watched.clear()
  }

  #plan(watched: Watched, delayMs: number): void {
    watched.timer = setTimeout(() => void this.#look(watched), delayMs)
    watched.timer.unref()
  }

  async #look(watched: Watched): Promise<void> {
    const finding = await probe(watched.server, watched.health, watched.serverTls)
    if (this.#isClosed || this.#watched.get(keyOf(watched.service, watched.server)) !== watched) return
    const before = watched.standing.health
    watched.standing = judge(watched.standing, finding === undefined ? 'up' : 'down', watched.health)
    if (watched.standing.health !== before) this.#report(watched, watched.standing.health)
    this.#plan(watched, watched.health.intervalMs)
  }

  #forgive(watched: Watched | undefined): void {
    if (watched?.standing.health === 'down') this.#report(watched, 'up')
  }

  #report({ service, server }: Watched, health: Health): void {
    try {
      this.#tell(service, server.name, health)
    } catch {
      // the engine is closing, or the server has just gone: there is nobody to tell
    }
  }
}

function keyOf(service: string, { name, address, port }: ServerConfig): string {
  return `${service} ${name} ${address} ${port}`
}
