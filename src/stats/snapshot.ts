/** The counters at one moment. */
import type { CounterName } from '../native/contract.js'

export interface CounterValue extends CounterName {
  readonly value: bigint
}

export class Snapshot {
  /** Milliseconds of a clock that never goes back; only differences have a meaning. */
  readonly takenAtMs: number
  readonly #names: readonly CounterName[]
  readonly #values: BigUint64Array

  constructor(takenAtMs: number, names: readonly CounterName[], values: BigUint64Array) {
    this.takenAtMs = takenAtMs
    this.#names = names
    this.#values = values
  }

  /** Every counter, in the engine's order. */
  *entries(): Generator<CounterValue> {
    for (const [index, name] of this.#names.entries()) yield { ...name, value: this.#values[index] ?? 0n }
  }

  /** One counter: of a service, or with '' the one that belongs to none. 0n when there is no such counter. */
  value(name: string, service = ''): bigint {
    const index = this.#names.findIndex((entry) => entry.name === name && entry.service === service)
    return this.#values[index] ?? 0n
  }

  /** The sum of a counter over everything it is kept for. */
  total(name: string): bigint {
    return this.#names.reduce(
      (sum, entry, index) => (entry.name === name ? sum + (this.#values[index] ?? 0n) : sum),
      0n,
    )
  }

  /** Plain data for JSON, where there is no bigint: numbers where they are exact, else strings of digits. */
  toJSON(): { name: string; service?: string; value: number | string }[] {
    return [...this.entries()].map(({ name, service, value }) => ({
      name,
      ...(service ? { service } : {}),
      value: value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString(),
    }))
  }
}
