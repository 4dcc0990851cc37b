import { describe, expect, it } from 'vitest'

import { formatCommand } from '../../../src/doctor/finding.js'
import {
  hasCapability,
  judgeAfXdp,
  judgeCapabilities,
  judgeJit,
  judgeKernel,
  judgeMemlock,
  judgeProcessor,
} from '../../../src/doctor/machine.js'

const withCapabilities = (hex: string) => `Name:\tnode\nCapEff:\t${hex}\nCapBnd:\t000001ffffffffff\n`

it.each([
  ['6.1.0-25-amd64', 'ok'],
  ['5.11.0', 'ok'],
  ['5.10.0-28-amd64', 'warn'],
  ['5.3.18', 'fail'],
  ['4.19.0', 'fail'],
  ['', 'fail'],
])('kernel %s: %s', (release, status) => {
  expect(judgeKernel(release).status).toBe(status)
})

it.each([
  ['0000000000000000 T xsk_rcv\n', 'ok'],
  ['0000000000000000 t tcp_rcv\n', 'fail'],
  ['', 'note'],
  [undefined, 'note'],
])('symbols %j: %s', (symbols, status) => {
  expect(judgeAfXdp(symbols).status).toBe(status)
})

describe('capabilities', () => {
  it.each([
    ['000001ffffffffff', 'ok'],
    ['0000000000003000', 'warn'], // NET_ADMIN and NET_RAW, no BPF
    ['0000008000003000', 'ok'], // and BPF
    ['0000000000203000', 'ok'], // and SYS_ADMIN
    ['0000000000000000', 'fail'],
    ['0000000000001000', 'fail'],
  ])('%s: %s', (hex, status) => {
    expect(judgeCapabilities(withCapabilities(hex)).status).toBe(status)
  })

  it('are read bit by bit', () => {
    expect(hasCapability(withCapabilities('0000008000000000'), 'bpf')).toBe(true)
    expect(hasCapability(withCapabilities('0000004000000000'), 'bpf')).toBe(false)
  })
})

it.each([
  ['0000000000004000', '8388608', 'ok'], // CAP_IPC_LOCK
  ['0000000000000000', '8388608', 'warn'],
  ['0000000000000000', '67108864', 'ok'],
  ['0000000000000000', 'unlimited', 'ok'],
])('with capabilities %s and a limit of %s locked bytes: %s', (hex, limit, status) => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units\nMax locked memory         ${limit}              ${limit}              bytes\n`
  expect(judgeMemlock(limits, withCapabilities(hex)).status).toBe(status)
})

it.each([
  ['flags\t\t: fpu aes pclmulqdq vaes avx512f', 'ok', 'VAES with AVX-512'],
  ['flags\t\t: fpu aes pclmulqdq', 'ok', 'AES-NI'],
  ['flags\t\t: fpu sse2', 'warn', 'prefer TLS_CHACHA20_POLY1305_SHA256'],
])('%j: %s', (cpuinfo, status, words) => {
  expect(judgeProcessor(cpuinfo)).toMatchObject({ status, text: expect.stringContaining(words) as string })
})

it('tells how to turn on the BPF compiler', () => {
  expect(judgeJit('0').fix).toEqual([['sysctl', '-w', 'net.core.bpf_jit_enable=1']])
  expect(judgeJit('1').fix).toBeUndefined()
})

it('prints commands as they are typed', () => {
  expect(formatCommand(['ethtool', '-K', 'eth0', 'gro', 'off'])).toBe('ethtool -K eth0 gro off')
  expect(formatCommand(['echo', "it's"])).toBe("echo 'it'\\''s'")
})
