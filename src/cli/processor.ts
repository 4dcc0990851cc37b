/** `cutwater processor`: secure processors for appliances on other hosts. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

import { secureProgramPath } from '../native/binding.js'
import { exitCodes, type ExitCode } from './exit-code.js'

export interface ProcessorOptions {
  readonly listen: string
  readonly certificate: string
  readonly key: string
  readonly ca: string
  readonly keys: string
}

/** Serves until SIGINT or SIGTERM. */
export async function processor(options: ProcessorOptions): Promise<ExitCode> {
  const files = (['certificate', 'key', 'ca', 'keys'] as const).flatMap((name) => [`--${name}`, resolve(options[name])])
  const child = spawn(secureProgramPath, ['--listen', options.listen, ...files], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const stopped = new AbortController()
  const stop = () => {
    stopped.abort()
    child.kill('SIGTERM')
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const code = await new Promise<number | null>((done, fail) => child.once('exit', done).once('error', fail))
  return stopped.signal.aborted || code === 0 ? exitCodes.ok : exitCodes.failed
}
