// What a device's processes have used: processor time and memory. Read from /proc, from outside.
import { readFileSync, readdirSync } from 'node:fs'

export { processTree, settledMemoryBytes } from '../../src/demo/process-memory.js'

/** User and system time of the processes together, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + secondsIn(`/proc/${pid}/stat`), 0)
}

/** The same of those of their threads whose names begin with `name`. */
export function threadSeconds(pids: readonly number[], name: string): number {
  const threads = pids.flatMap((pid) => readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`))
  return threads
    .filter((folder) => readFileSync(`${folder}/comm`, 'utf8').startsWith(name))
    .reduce((sum, folder) => sum + secondsIn(`${folder}/stat`), 0)
}

function secondsIn(file: string): number {
  const stat = readFileSync(file, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100 // utime and stime in USER_HZ, proc(5)
}

/** Time one core was not idle since boot, in seconds: interrupts and packet processing for others are in it. */
export function coreBusySeconds(core: number): number {
  const line =
    readFileSync('/proc/stat', 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`cpu${core} `)) ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(' ').slice(1).map(Number)
  return (user + nice + system + irq + softirq) / 100
}

/** The slab caches that hold a TCP socket, its inode, its file and its place in an epoll set. */
const kSocketCaches = new Set([
  'TCP',
  'TCPv6',
  'sock_inode_cache',
  'filp',
  'eventpoll_epi',
  'eventpoll_pwq',
  'lsm_file_cache',
])

/** Kernel memory in objects that come and go with sockets, of the whole machine, in bytes. Needs root. */
export function socketSlabBytes(): number {
  let bytes = 0
  for (const line of readFileSync('/proc/slabinfo', 'utf8').split('\n')) {
    const [name = '', active = '0', , size = '0'] = line.split(/\s+/) // slabinfo(5): name active_objs num_objs objsize
    if (kSocketCaches.has(name)) bytes += Number(active) * Number(size)
  }
  return bytes
}
