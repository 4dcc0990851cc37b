/** `cutwater doctor`: what stands in the way of running here, and how to mend it. */
import { readConfig } from '../config/parse.js'
import { examine, mend } from '../doctor/examine.js'
import { type Finding, formatCommand, type Status } from '../doctor/finding.js'
import { exitCodes, type ExitCode } from './exit-code.js'
import { printJson, printLine } from './print.js'

export interface DoctorOptions {
  readonly config: string | undefined
  readonly json: boolean
  /** "look" changes nothing; "fix" runs the commands of what fails or warns, then looks again. */
  readonly action: 'look' | 'fix'
}

const marks: Readonly<Record<Status, string>> = { ok: 'ok  ', note: 'note', warn: 'WARN', fail: 'FAIL' }

export async function doctor({ config: file, json, action }: DoctorOptions): Promise<ExitCode> {
  const config = file === undefined ? undefined : await readConfig(file)
  let findings = await examine(config)
  const mended = action === 'fix' ? await mend(findings) : []
  if (mended.length > 0) findings = await examine(config)
  const code = findings.some(({ status }) => status === 'fail') ? exitCodes.failed : exitCodes.ok
  if (json) {
    printJson({ event: 'examined', findings, mended })
    return code
  }
  for (const { command, error } of mended) printLine(`ran   ${command}${error ? `: ${error}` : ''}`)
  for (const finding of findings) printFinding(finding)
  if (!config) printLine('\nWith --config FILE the interfaces and routes of that configuration are examined, too.')
  return code
}

function printFinding({ status, text, fix }: Finding): void {
  printLine(`${marks[status]}  ${text}`)
  for (const command of fix ?? []) printLine(`      mend: ${formatCommand(command)}`)
}
