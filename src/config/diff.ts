/** From two configurations to the actions that lead from one to the other. Pure: touches nothing, reads nothing. */
import { isDeepStrictEqual } from 'node:util'

import type { Action } from './actions.js'
import type { Config } from './defaults.js'

/** A configuration with the digest of each service's certificate files: a renewed file is a change, too. */
export interface Wanted {
  readonly config: Config
  readonly digests: ReadonlyMap<string, string>
}

export interface Difference {
  readonly actions: readonly Action[]
  /** Keys that only a restart can change; when there are any, nothing may be applied. */
  readonly restartKeys: readonly string[]
}

export function diff(before: Wanted, after: Wanted): Difference {
  return { actions: diffServices(before, after), restartKeys: diffWhole(before.config, after.config) }
}

function diffServices(before: Wanted, after: Wanted): Action[] {
  const gone = [...before.config.services.keys()].filter((name) => !after.config.services.has(name))
  const actions: Action[] = gone.map((service) => ({ kind: 'remove-service', service }))
  for (const [service, wanted] of after.config.services) {
    const running = before.config.services.get(service)
    if (!running) {
      actions.push({ kind: 'add-service', service })
      continue
    }
    const keys = changedKeys({ ...running, tls: undefined }, { ...wanted, tls: undefined })
    keys.push(...changedKeys(running.tls ?? {}, wanted.tls ?? {}).map((key) => `tls.${key}`))
    if (before.digests.get(service) !== after.digests.get(service)) keys.push('tls certificate files')
    if (keys.length > 0) actions.push({ kind: 'change-service', service, keys })
  }
  return actions
}

function diffWhole(before: Config, after: Config): string[] {
  const { services: _before, ...one } = before
  const { services: _after, ...other } = after
  return changedKeys(one, other)
}

function changedKeys<T extends object>(before: T, after: T): string[] {
  return Object.keys(after).filter((key) => !isDeepStrictEqual(before[key as keyof T], after[key as keyof T]))
}
