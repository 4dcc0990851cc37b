// Runs programs/raw-client.py: a TLS client that can misbehave in a chosen way.
import type { Host } from '../../src/demo/network.js'
import { programFile } from './servers.js'
import { kServerName } from './trust.js'

export type Step =
  | 'handshake'
  | 'closeNotify'
  | 'fin'
  | 'reset'
  | 'readToEnd'
  | 'readRaw'
  | { readonly wait: number }
  | { readonly send: string }
  | { readonly cut: string }
  | { readonly forge: string }
  | { readonly sendInTwo: string }
  | { readonly read: number }
  | { readonly raw: string }
  | { readonly rawRepeat: readonly [hex: string, times: number] }

export interface RawOptions {
  readonly address: string
  readonly port: number
  readonly name?: string
  readonly version?: '1.2' | '1.3'
  readonly certificate?: string
  readonly key?: string
}

export interface RawResult {
  readonly handshake: boolean
  readonly received: number
  readonly text: string
  /** OpenSSL's name for the alert that came, for instance TLSV1_ALERT_RECORD_OVERFLOW. */
  readonly alert: string | null
  readonly ended: 'close_notify' | 'fin' | 'reset' | 'timeout' | 'refused' | null
  readonly error: string | null
  /** The first bytes that came from the network. */
  readonly rawHex: string
}

export async function rawClient(host: Host, options: RawOptions, steps: readonly Step[]): Promise<RawResult> {
  const all = { name: kServerName, version: '1.3', ...options, steps }
  const result = await host.run(['python3', programFile('raw-client.py'), JSON.stringify(all)], { timeoutMs: 60_000 })
  if (result.code !== 0) throw new Error(`raw-client: ${result.stderr}`)
  return JSON.parse(result.stdout) as RawResult
}
