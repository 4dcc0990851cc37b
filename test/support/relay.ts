// The bad network between real kernels: cutwater-relay (test/support/relay) on a cable of the network.
import { fileURLToPath } from 'node:url'
import { kRelayDevices } from '../../src/demo/network.js'
import type { Cable, Network } from '../../src/demo/network.js'
import type { RunningProcess } from '../../src/demo/command.js'

const kProgram = fileURLToPath(new URL('../../build/native/cutwater-relay', import.meta.url))

/** With which the relay speaks when a packet does not fit: one that no host of the network has. */
const kRouters = { client: ['198.51.100.254', '2001:db8:c::fe'], server: ['203.0.113.254', '2001:db8:5::fe'] } as const

/** What a direction of the relay did, in packets. */
export interface Tally {
  readonly taken: number
  readonly passed: number
  readonly lost: number
  readonly duplicated: number
  readonly reordered: number
  readonly corrupted: number
  readonly queueFull: number
  readonly tooBig: number
}

export interface RelayStats {
  readonly up: Tally
  readonly down: Tally
  /** Lost without being drawn: the machine was too slow for the relay. */
  readonly missed: number
}

/** All that can be set, as words of impairment.hpp; sent whole, so that nothing of the last one stays. */
const kNothing = 'loss=0 duplicate=0 reorder=0 corrupt=0 delay=0 jitter=0 reorder-by=2 rate=0 queue=262144 mtu=0'

export class Relay {
  readonly running: RunningProcess
  #answers = 0

  private constructor(running: RunningProcess) {
    this.running = running
  }

  /** Starts it as a plain cable. */
  static async start(network: Network, cable: Cable, seed = 1): Promise<Relay> {
    const routers = kRouters[cable].map((address) => `router=${address}`)
    const running = network.relay.start([kProgram, ...kRelayDevices[cable], `seed=${seed}`, ...routers])
    await running.until((stdout) => stdout.includes('ready'))
    return new Relay(running)
  }

  /** Sets both directions, or each its own; what is not named is off. */
  async set(words: string | { readonly up: string; readonly down: string }): Promise<void> {
    const { up, down } = typeof words === 'string' ? { up: words, down: words } : words
    await this.#say(`up ${kNothing} ${up} down ${kNothing} ${down}`)
  }

  /** Changes what is named and leaves the rest. */
  change(words: string): Promise<unknown> {
    return this.#say(words)
  }

  async stats(): Promise<RelayStats> {
    const lines = await this.#say('stats')
    return JSON.parse(lines.at(-2) ?? '') as RelayStats
  }

  // Says a line and waits until it is done. Returns: everything the relay has said so far.
  async #say(line: string): Promise<string[]> {
    this.#answers += 1
    const wanted = this.#answers
    this.running.write(`${line}\n`)
    return this.running.until((stdout) => {
      const lines = stdout.trimEnd().split('\n')
      if (lines.includes('what?')) throw new Error(`the relay does not understand: ${line}`)
      const done = lines.flatMap((text, index) => (text === 'ok' ? [index] : []))[wanted - 1]
      return done === undefined ? undefined : lines.slice(0, done + 1)
    })
  }
}
