/** Events as log lines, at most so many a second: under attack the log must not become the second victim. */
import type { FlowEvent } from '../native/contract.js'
import { log } from './print.js'

const linesPerSecond = 20

export class EventLog {
  readonly #kinds: 'failures' | 'all'
  #second = 0
  #written = 0
  #suppressed = 0

  constructor(kinds: 'failures' | 'all') {
    this.#kinds = kinds
  }

  write({ kind, service, client, detail }: FlowEvent, nowMs: number): void {
    if (this.#kinds === 'failures' && (kind === 'established' || kind === 'closed')) return
    this.#turnOver(Math.floor(nowMs / 1_000))
    if (this.#written >= linesPerSecond) {
      this.#suppressed++
      return
    }
    this.#written++
    const level = kind === 'established' || kind === 'closed' ? 'info' : 'warn'
    log(level, kind, { service, client, ...(detail ? { detail } : {}) })
  }

  /** Says how many lines were left out of the second that is over. */
  #turnOver(second: number): void {
    if (second === this.#second) return
    if (this.#suppressed > 0) log('warn', 'events suppressed', { count: this.#suppressed })
    this.#second = second
    this.#written = 0
    this.#suppressed = 0
  }
}
