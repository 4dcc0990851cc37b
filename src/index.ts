export { Appliance } from './appliance.js'
export type { Applied, ConfigSource, PollOptions, Ready } from './appliance.js'
export { describeAction } from './config/actions.js'
export type { Action } from './config/actions.js'
export type { Config } from './config/defaults.js'
export { parseConfig, readConfig } from './config/parse.js'
export { defineConfig } from './config/schema.js'
export type { ConfigInput, InterfaceInput, Mode, Release, ServiceInput } from './config/schema.js'
export { CutwaterError } from './errors.js'
export type { ErrorCode } from './errors.js'
export { readIdentities } from './identity/service-identity.js'
export { buildInfo } from './native/binding.js'
export type {
  BuildInfo,
  CounterName,
  FailureReport,
  FailureSample,
  FlowEntry,
  FlowEvent,
  PortReport,
  TraceEntry,
} from './native/contract.js'
export { toPrometheus } from './stats/prometheus.js'
export { rates } from './stats/rates.js'
export type { Rate } from './stats/rates.js'
export type { CounterValue, Snapshot } from './stats/snapshot.js'
