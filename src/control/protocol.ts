/**
 * What is said over the control socket: JSON, one object a line. The client sends one request; the server answers with
 * lines and closes. The last line is `{"end":true}` or `{"error":{"code":…,"message":…}}`, so a cut answer is noticed.
 */
import { z } from 'zod'

import { CutwaterError } from '../errors.js'

export const maxRequestBytes = 65_536

const requestSchema = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('stats') }),
  z.strictObject({ command: z.literal('flows'), limit: z.int().min(1).max(1_000_000) }),
  z.strictObject({ command: z.literal('trace'), packets: z.int().min(1).max(1_000_000) }),
  z.strictObject({ command: z.literal('reload') }),
  z.strictObject({ command: z.literal('servers') }),
  z.strictObject({ command: z.literal('failures') }),
  z.strictObject({ command: z.literal('drain'), service: z.string(), server: z.string() }),
  z.strictObject({ command: z.literal('enable'), service: z.string(), server: z.string() }),
])

export type ControlRequest = z.output<typeof requestSchema>

/** @throws CutwaterError CONTROL_REFUSED */
export function parseRequest(line: string): ControlRequest {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new CutwaterError('CONTROL_REFUSED', 'the request is not JSON', { cause })
  }
  const parsed = requestSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const known = requestSchema.options.map((option) => option.shape.command.value).join(', ')
  throw new CutwaterError('CONTROL_REFUSED', `unknown or malformed request; the commands are ${known}`)
}

export interface EndLine {
  readonly end: true
}

export interface ErrorLine {
  readonly error: { readonly code: string; readonly message: string }
}

export function isEndLine(line: unknown): line is EndLine {
  return typeof line === 'object' && line !== null && 'end' in line
}

export function isErrorLine(line: unknown): line is ErrorLine {
  return typeof line === 'object' && line !== null && 'error' in line
}
