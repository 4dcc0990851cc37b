/** `cutwater demo`: hands over to the demonstration, a program of its own that takes its options from the same line. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { exitCodes, type ExitCode } from './exit-code.js'

const program = fileURLToPath(new URL('../demo/main.js', import.meta.url))

export async function demo(args: readonly string[]): Promise<ExitCode> {
  const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' })
  // Ctrl-C reaches the child by itself, as it is in our process group, a kill does not; it minds the first signal only. We
  // stay until it has cleaned up.
  process.on('SIGINT', () => child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0 ? exitCodes.ok : code === exitCodes.usage ? exitCodes.usage : exitCodes.failed
}
