import { expect, it } from 'vitest'

import { toMs } from '../../../src/config/values.js'

it.each([
  ['0s', 0],
  ['50us', 0.05],
  ['250ms', 250],
  ['1.5s', 1_500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['5', undefined],
  ['5 m', undefined],
  ['-5s', undefined],
  ['s', undefined],
  ['1e3s', undefined],
  ['5min', undefined],
])('%j is %j ms', (text, ms) => {
  expect(toMs(text)).toBe(ms)
})
