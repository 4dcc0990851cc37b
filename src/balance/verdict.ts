/** When findings become a verdict: a server falls after `fall` bad ones in a row and rises after `rise` good ones. Pure. */

export type Health = 'up' | 'down'

export interface Standing {
  readonly health: Health
  /** Findings in a row that speak against `health`. */
  readonly against: number
}

/** A server nobody has looked at yet is taken to be up: an appliance that starts must not refuse everybody. */
export const initialStanding: Standing = { health: 'up', against: 0 }

/** What a finding makes of a server's standing. */
export function judge(
  before: Standing,
  passed: Health,
  limits: { readonly rise: number; readonly fall: number },
): Standing {
  if (passed === before.health) return { health: before.health, against: 0 }
  const against = before.against + 1
  const limit = before.health === 'up' ? limits.fall : limits.rise
  return against < limit ? { health: before.health, against } : { health: passed, against: 0 }
}
