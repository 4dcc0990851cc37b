/**
 * What callers catch. Branch on `code`; messages are for people and may change.
 *
 * | Code | What happened | What to do |
 * |---|---|---|
 * | `CONFIG_UNREADABLE` | the configuration file is missing, unreadable or not a mapping | look at the path and its permissions |
 * | `CONFIG_INVALID` | a value of the configuration cannot be used; `problems` lists all of them | mend the named lines |
 * | `RESTART_NEEDED` | a change that a running appliance cannot take (interfaces, workers …) | stop and start |
 * | `CERTIFICATE_INVALID` | a certificate or key is missing, unreadable, encrypted, mismatched or refused | mend the named file |
 * | `PORT_UNAVAILABLE` | an interface cannot be opened | `cutwater doctor` says why |
 * | `NATIVE_MISSING` | the native part is not built, or does not load here | `npm run build` |
 * | `NATIVE_FAILED` | the native part failed in a way that has no code of its own | report it, with `cutwater doctor --json` |
 * | `CONTROL_UNREACHABLE` | no appliance answers at the control socket | is it running, and is that its socket? |
 * | `CONTROL_REFUSED` | the appliance did not accept the request | the message says why |
 * | `CONTROL_TAKEN` | another appliance listens at the control socket | give one of them another `name` |
 * | `METRICS_UNAVAILABLE` | the metrics endpoint cannot listen | another address or port |
 * | `CLOSED` | the appliance has been closed | start another |
 */
export type ErrorCode =
  | 'CONFIG_UNREADABLE'
  | 'CONFIG_INVALID'
  | 'RESTART_NEEDED'
  | 'CERTIFICATE_INVALID'
  | 'PORT_UNAVAILABLE'
  | 'NATIVE_MISSING'
  | 'NATIVE_FAILED'
  | 'CONTROL_UNREACHABLE'
  | 'CONTROL_REFUSED'
  | 'CONTROL_TAKEN'
  | 'METRICS_UNAVAILABLE'
  | 'CLOSED'

export interface CutwaterErrorOptions extends ErrorOptions {
  /** One line for each thing that is wrong, where there can be several. */
  readonly problems?: readonly string[]
}

/** The one error class of the package. */
export class CutwaterError extends Error {
  override readonly name = 'CutwaterError'
  readonly code: ErrorCode
  readonly problems: readonly string[]

  constructor(code: ErrorCode, message: string, options: CutwaterErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.problems = options.problems ?? [message]
  }
}
