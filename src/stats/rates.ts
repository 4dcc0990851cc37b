/** How fast counters rise between two snapshots. */
import type { CounterName } from '../native/contract.js'
import { isGauge } from './counters.js'
import type { Snapshot } from './snapshot.js'

export interface Rate extends CounterName {
  readonly perSecond: number
}

/** Counters that are in both snapshots, in the order of the later one. Gauges have no rate. */
export function rates(before: Snapshot, after: Snapshot): Rate[] {
  const elapsedMs = after.takenAtMs - before.takenAtMs
  if (elapsedMs <= 0) return []
  return [...after.entries()]
    .filter(({ name }) => !isGauge(name))
    .map(({ name, service, value }) => {
      const risen = value - before.value(name, service)
      return { name, service, perSecond: (Number(risen) * 1_000) / elapsedMs }
    })
}
