import { expect, it } from 'vitest'

import { didYouMean } from '../../../src/config/did-you-mean.js'

const known = ['certificates', 'servers', 'port', 'mode', 'listen']

it.each([
  ['certficates', 'certificates'],
  ['certificats', 'certificates'],
  ['server', 'servers'],
  ['Servers', 'servers'],
  ['prot', 'port'],
  ['listne', 'listen'],
  ['colour', undefined],
  ['', undefined],
])('%j is perhaps %j', (typed, nearest) => {
  expect(didYouMean(typed, known)).toBe(nearest)
})

it('has no guess when nothing is known', () => {
  expect(didYouMean('port', [])).toBeUndefined()
})
