// The bytes that cutwater-load moves (bench/load/pattern.hpp), made here a second time and independently, so that a test
// knows what should have arrived.

const kPeriod = 65_521 // the largest prime below 2^16

let period: Buffer | undefined

function onePeriod(): Buffer {
  if (period !== undefined) return period
  period = Buffer.alloc(kPeriod)
  let state = 1
  for (let index = 0; index < kPeriod; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    period[index] = state >>> 24
  }
  return period
}

/** The first `bytes` of the endless pattern. */
export function patternOf(bytes: number): Buffer {
  return Buffer.alloc(bytes, onePeriod())
}
