// When findings become a verdict.
import { describe, expect, it } from 'vitest'
import { type Health, initialStanding, judge } from '../../../src/balance/verdict.js'

function after(findings: string, limits = { rise: 2, fall: 3 }): Health {
  return Array.from(findings).reduce(
    (standing, finding) => judge(standing, finding === '+' ? 'up' : 'down', limits),
    initialStanding,
  ).health
}

describe('A8: a server', () => {
  it.each<[string, Health]>([
    ['', 'up'],
    ['--', 'up'],
    ['---', 'down'],
    ['--+--', 'up'],
    ['--+---', 'down'],
    ['---+', 'down'],
    ['---+-+', 'down'],
    ['---++', 'up'],
    ['---++--', 'up'],
    ['---++---', 'down'],
  ])('after the findings "%s" is %s', (findings, health) => {
    expect(after(findings)).toBe(health)
  })

  it('falls and rises with the first finding when the limits say so', () => {
    expect(after('-', { rise: 1, fall: 1 })).toBe('down')
    expect(after('-+', { rise: 1, fall: 1 })).toBe('up')
  })
})
