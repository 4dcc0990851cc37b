import { describe, expect, it } from 'vitest'

import { rates } from '../../../src/stats/rates.js'
import { Snapshot } from '../../../src/stats/snapshot.js'

const names = [
  { name: 'flows_opened', service: '' },
  { name: 'records_opened', service: 'a' },
  { name: 'records_opened', service: 'b' },
  { name: 'live_flows', service: '' },
]
const snapshot = (atMs: number, values: readonly bigint[]) => new Snapshot(atMs, names, BigUint64Array.from(values))

describe('snapshot', () => {
  const one = snapshot(0, [1n, 2n, 3n, 4n])

  it('finds a counter by name and service, and adds up over services', () => {
    expect(one.value('flows_opened')).toBe(1n)
    expect(one.value('records_opened', 'b')).toBe(3n)
    expect(one.total('records_opened')).toBe(5n)
    expect(one.value('records_opened')).toBe(0n)
    expect(one.value('nonsense')).toBe(0n)
  })

  it('stays exact beyond 2^53', () => {
    const large = snapshot(0, [2n ** 53n + 1n, 0n, 0n, 0n])
    expect(large.toJSON()[0]).toEqual({ name: 'flows_opened', value: '9007199254740993' })
    expect(one.toJSON()[1]).toEqual({ name: 'records_opened', service: 'a', value: 2 })
  })
})

describe('rates', () => {
  it('are per second, and gauges have none', () => {
    expect(rates(snapshot(1_000, [10n, 0n, 0n, 9n]), snapshot(1_500, [20n, 1n, 0n, 3n]))).toEqual([
      { name: 'flows_opened', service: '', perSecond: 20 },
      { name: 'records_opened', service: 'a', perSecond: 2 },
      { name: 'records_opened', service: 'b', perSecond: 0 },
    ])
  })

  it('of two snapshots of one moment are none', () => {
    expect(rates(snapshot(5, [0n, 0n, 0n, 0n]), snapshot(5, [1n, 1n, 1n, 1n]))).toEqual([])
  })
})
