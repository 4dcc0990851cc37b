// The memory of a process and its children, as the kernel accounts it. Read from /proc, from outside.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** The processes below and including `root`. */
export function processTree(root: number): number[] {
  const pids = [root]
  for (const pid of pids) {
    try {
      // Each thread has its own children.
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
        pids.push(...children.split(' ').map(Number).filter((child) => child > 0)) // prettier-ignore
      }
    } catch {
      // it ended meanwhile
    }
  }
  return pids
}

/** Anonymous memory of the processes together, in bytes: heaps and stacks, shared pages counted once, no program code. */
export function memoryBytes(pids: readonly number[]): number {
  let kibibytes = 0
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    kibibytes += Number(/^Pss_Anon:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
    kibibytes += Number(/^Pss_Shmem:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
  }
  return kibibytes * 1_024
}

/** The least of several samples over two seconds: what a garbage collector still holds for a moment is not counted. */
export async function settledMemoryBytes(pids: readonly number[]): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let sample = 0; sample < 8; sample += 1) {
    least = Math.min(least, memoryBytes(pids))
    await sleep(250)
  }
  return least
}
