// What the figures were measured on. Written into every result, because a figure without its machine says nothing.
import { readFileSync } from 'node:fs'
import { availableParallelism, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly flags: readonly string[]
  /** One-minute load average at the start: other work on the machine spoils figures. */
  readonly load: number
}

const kInterestingFlags = ['aes', 'vaes', 'vpclmulqdq', 'avx2', 'avx512f', 'sha_ni', 'gfni']

export function describeMachine(): Machine {
  const info = readFileSync('/proc/cpuinfo', 'utf8')
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(info)?.[1] ?? '').split(' '))
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(info)?.[1] ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    flags: kInterestingFlags.filter((flag) => flags.has(flag)),
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  }
}
