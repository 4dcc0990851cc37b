// What the demonstration can be told on its command line.
import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly output: 'text' | 'json'
  /** `stay`: leave the network up for trying things. */
  readonly after: 'clean-up' | 'stay'
  readonly port: 'auto' | 'xsk' | 'packet'
  readonly effort: 'quick' | 'usual'
}

export const demoUsage = `Usage: cutwater demo [--keep] [--json] [--quick] [--port xsk|packet]

Builds a network of namespaces on this machine (client, appliance, server), starts an HTTP server and the appliance in it, sends
curl and Node through it with TLS 1.3 and 1.2, and shows what happened packet by packet and what it cost. Nothing outside the
namespaces is touched; everything is removed at the end. Root uses AF_XDP; others get AF_PACKET in a user namespace.

  --keep    leave it running, say what to try; Ctrl-C removes it
  --json    one JSON document instead of pictures
  --quick   shorter measurements
  --port    which way packets are taken (default: xsk for root, else packet)
  --help    this text

Colours are left out when NO_COLOR is set or the output is not a terminal.
Exit codes: 0 all went well, 1 something failed, 2 wrong usage.`

/** @throws Error with a message for the user. */
export function parseDemoOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      port: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const { port } = values
  if (port !== 'auto' && port !== 'xsk' && port !== 'packet')
    throw new Error(`--port: expected xsk or packet, not "${port}"`)
  return {
    output: values.json ? 'json' : 'text',
    after: values.keep ? 'stay' : 'clean-up',
    port,
    effort: values.quick ? 'quick' : 'usual',
  }
}
