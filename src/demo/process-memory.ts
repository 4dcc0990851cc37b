// The memory of a process and its children, as the kernel accounts it. Read from /proc, from outside.
import { readFileSync } from 'node:fs'

/** The processes below and including `root`. */
export function processTree(root: number): number[] {
  const pids = [root]
  for (const pid of pids) {
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      pids.push(...children.split(' ').map(Number).filter((child) => child > 0)) // prettier-ignore
    } catch {
      // it ended meanwhile
    }
  }
  return pids
}

/** Proportional set size of the processes together, in bytes: shared pages are counted once. */
export function memoryBytes(pids: readonly number[]): number {
  let kibibytes = 0
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    kibibytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
  }
  return kibibytes * 1_024
}
