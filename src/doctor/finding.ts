/** One thing the doctor looked at, and how to mend it. */

export type Status = 'ok' | 'note' | 'warn' | 'fail'

/** A command that mends something; run only when the operator asks for it. */
export type Command = readonly [string, ...string[]]

export interface Finding {
  /** Stable, for programs: "offloads:eth0". */
  readonly id: string
  readonly status: Status
  readonly text: string
  /** Commands to run as root, in order. Absent: nothing to do, or nothing a command could do. */
  readonly fix?: readonly Command[]
}

/** A command as it would be typed. */
export function formatCommand(command: Command): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}
