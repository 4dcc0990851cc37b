import { describe, expect, it } from 'vitest'

import { resentFrom } from '../../support/capture.js'
import type { Segment } from '../../support/capture.js'

function segment(seq: number, text: string, more: Partial<Segment> = {}): Segment {
  return {
    from: '10.0.0.1', fromPort: 443, to: '10.0.0.2', toPort: 5000, seq, ack: 0, flags: 'A',
    payload: Buffer.from(text), options: Buffer.alloc(0), ...more,
  } // prettier-ignore
}
const syn = segment(0xffff_fff0, '', { flags: 'SA' })
const start = 0xffff_fff1

describe('resentFrom', () => {
  it('counts what comes again, in whatever cut, across the wrap of the numbers', () => {
    const text = 'abcdefghijklmnopqrstuvwxyz'
    const segments = [syn, segment(start, text), segment(start + 3, 'defg'), segment((start + 20) >>> 0, 'uvwxyz!')]
    expect(resentFrom(segments, 443)).toEqual({ bytes: 10, contradictions: [] })
  })
  it('bites: one other byte under the same number is named (I3)', () => {
    const found = resentFrom([syn, segment(start, 'abcdef'), segment(start + 2, 'cXef')], 443)
    expect(found.contradictions).toEqual(['10.0.0.1 to 10.0.0.2 5000: another byte at 3'])
  })
  it('keeps connections and sides apart', () => {
    const other = { toPort: 5001 }
    const segments = [
      syn,
      segment(start, 'abc'),
      segment(7, '', { flags: 'SA', ...other }),
      segment(8, 'xyz', other),
      segment(start, 'zzz', { fromPort: 80 }),
    ]
    expect(resentFrom(segments, 443)).toEqual({ bytes: 0, contradictions: [] })
  })
})
