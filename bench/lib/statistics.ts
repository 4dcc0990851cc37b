// Medians, spread and ratios: what is said of repeated measurements here, and nothing cleverer.
// Used by: every bench suite.

/** A quantity measured several times. */
export interface Summary {
  readonly median: number
  /** Half the distance between the smallest and the largest value, relative to the median. */
  readonly spread: number
  readonly values: readonly number[]
}

/** The middle value; of an even number the mean of the two in the middle. @throws RangeError for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined) throw new RangeError('a median needs at least one value')
  return (lower + upper) / 2
}

export function summarize(values: readonly number[]): Summary {
  const middle = median(values)
  const halfRange = (Math.max(...values) - Math.min(...values)) / 2
  return { median: middle, spread: middle === 0 ? 0 : halfRange / Math.abs(middle), values }
}

/** How many times `value` is `base`; NaN when there is nothing to compare with. */
export function ratio(value: number, base: number): number {
  return base === 0 ? Number.NaN : value / base
}
