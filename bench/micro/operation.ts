// One operation of a bench: a function that does it `batch` times, and how it is measured.
import Benchmark from 'benchmark'
import { median } from '../lib/statistics.js'

export interface Operation {
  readonly name: string
  /** How often one call does it. */
  readonly batch: number
  readonly run: () => unknown
  /** Bytes it works on, for the rate. */
  readonly bytes?: number
  /** Name of the operation whose time is part of this one and is taken off: the copy that opening needs. */
  readonly without?: string
  /** Name of the operation it is compared with: the bare AEAD. */
  readonly base?: string
}

export interface Measured {
  readonly name: string
  readonly batch: number
  readonly bytes: number
  /** Of one operation, in the median of the samples; what is named in `without` is taken off. NaN: nothing was left. */
  readonly ns: number
  readonly perSecond: number
  /** Relative margin of error at 95 %, in percent, as the benchmark package has it: half the interval around
   * the mean. Large when the machine did something else meanwhile. */
  readonly marginPercent: number
  readonly samples: number
  /** Times the base. */
  readonly ratio?: number
}

export interface Effort {
  /** Longest time for one operation. */
  readonly seconds: number
  /** Least time for one sample. */
  readonly sampleSeconds: number
  readonly samples: number
}

/** Measures each, one after the other. @throws whatever an operation throws: a figure of a failure is none. */
export function measureAll(operations: readonly Operation[], effort: Effort, say: (line: string) => void): Measured[] {
  const raw = new Map<string, number>()
  const results: Measured[] = []
  for (const operation of operations) {
    const { stats } = timed(operation, effort)
    // The median: another program that gets the core for a moment lengthens a few samples a lot, and the mean with them.
    const ns = (median(stats.sample) * 1e9) / operation.batch
    raw.set(operation.name, ns)
    const left = ns - valueOf(raw, operation.without, 0)
    const own = left > 0 ? left : Number.NaN // the machine was too busy to tell the two apart
    const base = operation.base === undefined ? undefined : valueOf(raw, operation.base, Number.NaN)
    results.push({
      name: operation.name, batch: operation.batch, bytes: operation.bytes ?? 0, ns: own, perSecond: 1e9 / own,
      // What is taken off has an error of its own; the one of the whole is put on what is left.
      marginPercent: (stats.rme * ns) / own, samples: stats.sample.length, ...(base === undefined ? {} : { ratio: own / base }),
    }) // prettier-ignore
    say(operation.name)
  }
  return results
}

function timed(operation: Operation, { seconds, sampleSeconds, samples }: Effort): Benchmark {
  const bench = new Benchmark(operation.name, operation.run, {
    maxTime: seconds,
    minTime: sampleSeconds,
    minSamples: samples,
  })
  bench.run()
  const { error } = bench as unknown as { error?: Error } // the package keeps what was thrown instead of throwing it
  if (error !== undefined) throw error
  return bench
}

function valueOf(raw: ReadonlyMap<string, number>, name: string | undefined, otherwise: number): number {
  if (name === undefined) return otherwise
  const value = raw.get(name)
  if (value === undefined) throw new Error(`no operation "${name}" was measured before`)
  return value
}
