/** Reads the engine's counters: their names once, their values as often as wanted. */
import { callNative } from '../native/binding.js'
import type { CounterName, NativeEngine } from '../native/contract.js'
import { Snapshot } from './snapshot.js'

export class CounterReader {
  readonly #engine: NativeEngine
  #names: readonly CounterName[] = []

  constructor(engine: NativeEngine) {
    this.#engine = engine
  }

  /** @throws CutwaterError CLOSED */
  read(nowMs: number): Snapshot {
    let values = callNative(() => this.#engine.counters())
    // The list of counters changes with the services. Both calls are made in one go, so the second try fits.
    if (!values || values.length !== this.#names.length) {
      this.#names = callNative(() => this.#engine.counterNames())
      values = callNative(() => this.#engine.counters())
    }
    return new Snapshot(nowMs, this.#names, values ?? new BigUint64Array())
  }
}

/** Counters that can fall: how many there are of something now. */
export function isGauge(name: string): boolean {
  return /^(live|free|alive)_|_(live|free|alive)$/.test(name)
}
