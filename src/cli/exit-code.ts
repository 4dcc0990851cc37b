/** What the process says to its caller when it ends. */
import { CutwaterError } from '../errors.js'

export const exitCodes = {
  /** Done, or stopped by SIGINT or SIGTERM. */
  ok: 0,
  /** Something failed while running. */
  failed: 1,
  /** The command line, the configuration or one of its files is wrong: trying again will not help. */
  usage: 2,
  /** No appliance answers at the control socket. */
  unreachable: 3,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export function exitCodeOf(error: unknown): ExitCode {
  if (!(error instanceof CutwaterError)) return exitCodes.failed
  switch (error.code) {
    case 'CONFIG_UNREADABLE':
    case 'CONFIG_INVALID':
    case 'CERTIFICATE_INVALID':
      return exitCodes.usage
    case 'CONTROL_UNREACHABLE':
      return exitCodes.unreachable
    default:
      return exitCodes.failed
  }
}
