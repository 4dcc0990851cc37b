// Cutwater as a device of the comparison: the command line as an operator starts it.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ask } from '../../src/control/client.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import type { RunningDevice } from './devices.js'
import { kManyFiles } from './load-tool.js'

const kProjectFolder = process.env['CUTWATER_ROOT'] ?? fileURLToPath(new URL('../../', import.meta.url))

/** How its one service differs from the plain one. */
export interface CutwaterTuning {
  readonly mode?: 'direct' | 'proxy'
  readonly retry?: 'never' | 'auto' | 'always'
  /** Clients that have not finished their handshake: at once, and for how long. */
  readonly maxHalfOpen?: number
  readonly handshakeTimeout?: string
}

export async function startCutwater(
  network: Network,
  keys: KeyPair,
  port: 'xsk' | 'packet',
  tuning: CutwaterTuning = {},
): Promise<RunningDevice> {
  const file = network.file(`cutwater-${port}.yaml`)
  const control = network.file('cutwater.sock')
  writeFileSync(
    file,
    `interfaces:
  wan: { device: wan, port: ${port} }
  lan: { device: lan, port: ${port} }
maxHalfOpen: ${tuning.maxHalfOpen ?? 65_536}
services:
  bench:
    mode: ${tuning.mode ?? 'direct'}
    hello: { retry: ${tuning.retry ?? 'never'} }
    timeouts: { handshake: ${tuning.handshakeTimeout ?? '10s'} }
    listen: { address: ${kAddresses.server.v4}, port: 443 }
    servers: [ { address: ${kAddresses.server.v4}, port: 80 } ]
    tls: { versions: ['1.2', '1.3'], certificates: [ { certificate: ${keys.certificate}, key: ${keys.key} } ] }
`,
  )
  const running = network.appliance.start([
    ...kManyFiles, 'taskset', '-c', '1', process.execPath, `${kProjectFolder}dist/cli/main.js`,
    'run', '--config', file, '--json', '--control', control,
  ]) // prettier-ignore
  const ready = await running.until((stdout) => stdout.split('\n').find((line) => line.includes('"ready"')), 20_000)
  return {
    address: kAddresses.server.v4,
    port: 443,
    plain: 'tls',
    pid: running.pid,
    note: ready,
    halfOpen: async () => {
      for await (const line of ask(control, { command: 'stats' })) {
        const { name, value } = line as { name: string; value: number }
        if (name === 'half_open_live') return value
      }
      throw new Error('no counter is called half_open_live')
    },
    stop: async () => void (await running.stop('SIGTERM', 5_000)),
  }
}
