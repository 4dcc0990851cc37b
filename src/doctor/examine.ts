/** The whole examination, and the mending. */
import type { Config } from '../config/defaults.js'
import { type Finding, formatCommand } from './finding.js'
import { examineInterface } from './interface.js'
import { examineMachine } from './machine.js'
import { output } from './read.js'
import { examineRouting } from './routing.js'

/** Looks at the machine, and with a configuration at its devices and routes. Changes nothing. */
export async function examine(config: Config | undefined): Promise<Finding[]> {
  const machine = await examineMachine()
  if (!config) return machine
  const interfaces = await Promise.all([...config.interfaces].map(([name, one]) => examineInterface(name, one)))
  return [...machine, ...interfaces.flat(), ...(await examineRouting(config))]
}

export interface Mended {
  readonly id: string
  readonly command: string
  /** Empty: it worked. */
  readonly error: string
}

/** Runs the commands of what fails or warns; notes are left to the operator. */
export async function mend(findings: readonly Finding[]): Promise<Mended[]> {
  const mended: Mended[] = []
  for (const { id, status, fix } of findings) {
    if (!fix || (status !== 'fail' && status !== 'warn')) continue
    for (const command of fix) {
      const { code, stderr } = await output(command)
      const error = code === 0 ? '' : stderr.trim() || `exit code ${code}`
      mended.push({ id, command: formatCommand(command), error })
    }
  }
  return mended
}
