import { afterEach, expect, it, vi } from 'vitest'

import { EventLog } from '../../../src/cli/event-log.js'

const event = (kind: string) => ({ atUs: 0, kind, service: 'shop', client: '192.0.2.1:5000', detail: 'unknown_ca' })

function capture(): string[] {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  return lines
}

afterEach(() => {
  vi.restoreAllMocks()
})

it('writes at most 20 lines a second and then says how many were left out', () => {
  const lines = capture()
  const log = new EventLog('failures')
  for (let i = 0; i < 1_000; i++) log.write(event('handshake_failed'), 5_000 + i / 10)
  expect(lines).toHaveLength(20)
  log.write(event('reset'), 6_000)
  expect(lines).toHaveLength(22)
  expect(lines[20]).toContain('msg="events suppressed" count=980')
  expect(lines[21]).toMatch(/level=warn msg=reset service=shop client=192\.0\.2\.1:5000 detail=unknown_ca\n$/)
})

it('leaves out what went well, unless asked', () => {
  const lines = capture()
  new EventLog('failures').write(event('established'), 0)
  expect(lines).toEqual([])
  new EventLog('all').write(event('established'), 0)
  expect(lines).toHaveLength(1)
})
