/** The machine: kernel, privileges, memory limits, processor, and this build. */
import { CutwaterError } from '../errors.js'
import { buildInfo } from '../native/binding.js'
import type { Finding } from './finding.js'
import { read } from './read.js'

/** Capabilities by bit number (linux/capability.h). */
const capabilities = { net_admin: 12, net_raw: 13, ipc_lock: 14, sys_admin: 21, bpf: 39 } as const

export async function examineMachine(): Promise<Finding[]> {
  const [kernel, status, limits, cpuinfo, isolated, symbols, jit, btf] = await Promise.all([
    read('/proc/sys/kernel/osrelease'),
    read('/proc/self/status'),
    read('/proc/self/limits'),
    read('/proc/cpuinfo'),
    read('/sys/devices/system/cpu/isolated'),
    read('/proc/kallsyms'),
    read('/proc/sys/net/core/bpf_jit_enable'),
    read('/sys/kernel/btf/vmlinux'),
  ])
  return [
    judgeBuild(),
    judgeKernel(kernel ?? ''),
    judgeAfXdp(symbols),
    judgeJit(jit),
    judgeBtf(btf),
    judgeCapabilities(status ?? ''),
    judgeMemlock(limits ?? '', status ?? ''),
    judgeProcessor(cpuinfo ?? ''),
    judgeIsolation(isolated ?? ''),
  ]
}

function judgeBuild(): Finding {
  try {
    const { version, openssl, ipsecMb, libxdp, compiler } = buildInfo()
    const parts = [version, openssl, ipsecMb, libxdp, compiler].filter(Boolean)
    return { id: 'build', status: 'ok', text: `native part loads: ${parts.join(', ')}` }
  } catch (error) {
    const text = error instanceof CutwaterError ? error.message : String(error)
    return { id: 'build', status: 'fail', text }
  }
}

/** 5.4 brought need_wakeup, 5.11 counts BPF memory against cgroups and not RLIMIT_MEMLOCK; Debian 12 has 6.1. */
export function judgeKernel(release: string): Finding {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10))
  const number = major * 1_000 + minor
  const text = `kernel ${release}`
  if (number >= 5_011) return { id: 'kernel', status: 'ok', text }
  if (number >= 5_004) return { id: 'kernel', status: 'warn', text: `${text}: works; 5.11 or newer is what we test on` }
  return { id: 'kernel', status: 'fail', text: `${text}: port "xsk" needs 5.4 or newer; port "packet" works` }
}

export function judgeAfXdp(symbols: string | undefined): Finding {
  if (symbols === undefined || symbols === '') {
    return { id: 'af-xdp', status: 'note', text: 'cannot see whether the kernel has AF_XDP (/proc/kallsyms is closed)' }
  }
  if (/ xsk_(rcv|generic_rcv|bind)\b/m.test(symbols))
    return { id: 'af-xdp', status: 'ok', text: 'the kernel has AF_XDP' }
  return {
    id: 'af-xdp',
    status: 'fail',
    text: 'the kernel is built without AF_XDP (CONFIG_XDP_SOCKETS): use port "packet"',
  }
}

export function judgeJit(value: string | undefined): Finding {
  if (value === undefined || value === '1' || value === '2')
    return { id: 'bpf-jit', status: 'ok', text: 'BPF is compiled' }
  return {
    id: 'bpf-jit',
    status: 'warn',
    text: 'BPF is interpreted, so steering packets costs several times more',
    fix: [['sysctl', '-w', 'net.core.bpf_jit_enable=1']],
  }
}

function judgeBtf(btf: string | undefined): Finding {
  if (btf !== undefined) return { id: 'btf', status: 'ok', text: 'the kernel describes its types (BTF)' }
  const text = 'the kernel has no BTF: libxdp cannot share an interface with other XDP programs; ours alone works'
  return { id: 'btf', status: 'note', text }
}

/** The effective capability set of a /proc/PID/status. */
export function hasCapability(status: string, name: keyof typeof capabilities): boolean {
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'
  return ((BigInt(`0x${hex}`) >> BigInt(capabilities[name])) & 1n) === 1n
}

export function judgeCapabilities(status: string): Finding {
  const missing: string[] = []
  if (!hasCapability(status, 'net_admin')) missing.push('CAP_NET_ADMIN')
  if (!hasCapability(status, 'net_raw')) missing.push('CAP_NET_RAW')
  if (!hasCapability(status, 'bpf') && !hasCapability(status, 'sys_admin')) missing.push('CAP_BPF')
  if (missing.length === 0) return { id: 'capabilities', status: 'ok', text: 'may open AF_XDP and packet sockets' }
  const onlyPacket = missing.every((name) => name === 'CAP_BPF')
  const text = onlyPacket
    ? 'missing CAP_BPF: port "xsk" will not open, port "packet" will'
    : `missing ${missing.join(', ')}: run as root, or in a user and network namespace of your own (unshare -rn)`
  return { id: 'capabilities', status: onlyPacket ? 'warn' : 'fail', text }
}

/** Packet memory is locked memory: 4 KiB a chunk, 16,384 chunks a worker by default. */
export function judgeMemlock(limits: string, status: string): Finding {
  if (hasCapability(status, 'ipc_lock')) return { id: 'memlock', status: 'ok', text: 'locked memory is not limited' }
  const limit = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1] ?? '0'
  const wanted = 16_384 * 4_096
  if (limit === 'unlimited' || Number(limit) >= wanted) {
    return { id: 'memlock', status: 'ok', text: `locked memory up to ${limit} bytes` }
  }
  const text = `locked memory is limited to ${limit} bytes, one worker wants ${wanted}: raise it (ulimit -l, LimitMEMLOCK=)`
  return { id: 'memlock', status: 'warn', text }
}

export function judgeProcessor(cpuinfo: string): Finding {
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? '').split(' '))
  if (!flags.has('aes') || !flags.has('pclmulqdq')) {
    const text = 'no AES instructions: AES-GCM runs many times slower; prefer TLS_CHACHA20_POLY1305_SHA256'
    return { id: 'processor', status: 'warn', text }
  }
  const best = flags.has('vaes') && flags.has('avx512f') ? 'VAES with AVX-512' : flags.has('vaes') ? 'VAES' : 'AES-NI'
  return { id: 'processor', status: 'ok', text: `AES in hardware: ${best}` }
}

function judgeIsolation(isolated: string): Finding {
  if (isolated)
    return { id: 'isolation', status: 'ok', text: `CPUs ${isolated} are isolated: put the workers there (cpus)` }
  const text = 'no CPU is isolated (isolcpus=): other processes share the workers’ CPUs, which shows in the latency'
  return { id: 'isolation', status: 'note', text }
}
