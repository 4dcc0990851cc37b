/** Everything the command line writes: results on stdout, log lines and complaints on stderr. */
import { CutwaterError } from '../errors.js'

export type LogValue = string | number | bigint | boolean

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner)))
}

/** One line of key=value; values with spaces are quoted, so that the line can be taken apart again. */
export function log(
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, LogValue>> = {},
): void {
  process.stderr.write(`${formatLog(new Date(), level, message, fields)}\n`)
}

export function formatLog(
  at: Date,
  level: string,
  message: string,
  fields: Readonly<Record<string, LogValue>>,
): string {
  const all: Record<string, LogValue> = { time: at.toISOString(), level, msg: message, ...fields }
  return Object.entries(all)
    .map(([key, value]) => `${key}=${formatValue(String(value))}`)
    .join(' ')
}

function formatValue(text: string): string {
  // Control characters and quotes would let a client's words forge a line; JSON's escapes prevent that.
  return /^[\w.:/@+,[\]-]+$/.test(text) ? text : JSON.stringify(text)
}

/** Columns wide enough for their longest cell; numbers to the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = headings.map((heading, column) => {
    const cells = rows.map((row) => String(row[column] ?? '').length)
    return Math.max(heading.length, ...cells)
  })
  const line = (cells: readonly (string | number)[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [line(headings), ...rows.map(line)].join('\n')
}

/** What went wrong, for a person: each problem on its own line, no stack. */
export function printError(error: unknown): void {
  if (error instanceof CutwaterError) {
    for (const problem of error.problems) process.stderr.write(`cutwater: ${problem}\n`)
    return
  }
  process.stderr.write(`cutwater: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
}

/** The same for a program. */
export function toErrorJson(error: unknown): object {
  if (error instanceof CutwaterError) return { event: 'error', code: error.code, problems: error.problems }
  const message = error instanceof Error ? error.message : String(error)
  return { event: 'error', code: 'NATIVE_FAILED', problems: [message] }
}
