import { describe, expect, it } from 'vitest'

import { formatTrace } from '../../../src/cli/control.js'
import { exitCodeOf } from '../../../src/cli/exit-code.js'
import { formatLog, formatTable } from '../../../src/cli/print.js'
import { CutwaterError, type ErrorCode } from '../../../src/errors.js'

describe('log lines', () => {
  const at = new Date('2026-01-02T03:04:05.678Z')

  it('are key=value, quoted where needed', () => {
    expect(
      formatLog(at, 'warn', 'handshake failed', { service: 'shop', client: '[2001:db8::1]:50000', count: 3 }),
    ).toBe(
      'time=2026-01-02T03:04:05.678Z level=warn msg="handshake failed" service=shop client=[2001:db8::1]:50000 count=3',
    )
  })

  it.each(['a\nlevel=error msg=forged', 'a "quoted" word', '\u001b[31mred', '', 'a=b'])(
    'cannot be forged by a client that says %j',
    (words) => {
      const line = formatLog(at, 'warn', 'x', { detail: words })
      expect(line).not.toMatch(/[\n\u001b]/)
      expect(JSON.parse(/detail=(".*")$/.exec(line)?.[1] ?? '')).toBe(words)
    },
  )
})

it('tables line up, numbers to the right', () => {
  expect(
    formatTable(
      ['name', 'value'],
      [
        ['a', 5],
        ['longer', 123_456],
      ],
    ),
  ).toBe(['name    value', 'a            5', 'longer  123456'].join('\n'))
})

it.each([
  [0, 1, ' records 0-1', 'handshake'],
  [3, 3, ' records 3', ''],
  [-1, -1, '', 'pure ACK'],
])('a packet with records %i to %i is one line', (firstRecord, lastRecord, records, note) => {
  const entry = {
    atUs: 1_234_567,
    flow: 7,
    side: 'client',
    direction: 'rx',
    seq: 1,
    ack: 2,
    window: 64_240,
    payloadBytes: 517,
    flags: 'PA',
    firstRecord,
    lastRecord,
    note,
  } as const
  expect(formatTrace(entry)).toBe(
    `   1.234567 flow 7 client rx PA  seq 1 ack 2 win 64240 len 517${records}  ${note}`.trimEnd(),
  )
})

it.each<[ErrorCode, number]>([
  ['CONFIG_INVALID', 2],
  ['CONFIG_UNREADABLE', 2],
  ['CERTIFICATE_INVALID', 2],
  ['CONTROL_UNREACHABLE', 3],
  ['PORT_UNAVAILABLE', 1],
  ['NATIVE_MISSING', 1],
  ['RESTART_NEEDED', 1],
])('%s ends the process with %i', (code, status) => {
  expect(exitCodeOf(new CutwaterError(code, 'x'))).toBe(status)
})

it('anything unforeseen ends the process with 1', () => {
  expect(exitCodeOf(new Error('x'))).toBe(1)
})
