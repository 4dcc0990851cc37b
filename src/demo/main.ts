// `npm run demo`, `cutwater demo`: the appliance between real clients and a real server, on one machine, in half a minute.
import type { TraceEntry } from '../native/contract.js'
import type { Network } from './network.js'
import { demoUsage, parseDemoOptions } from './options.js'
import type { DemoOptions } from './options.js'
import { Paper } from './paper.js'
import { fetchByCurl, fetchByNode, kVersions, measure } from './performance.js'
import type { Fetched, Figures, Sizes } from './performance.js'
import { showFetches, showFigures, showInvitation, showNetwork } from './show.js'
import { Stage } from './stage.js'
import { longestFlow, renderTrace } from './trace-view.js'
import { enterCommand, mayBuildNetworks, runInUserNamespace } from './user-namespace.js'

const kSizes: Record<DemoOptions['effort'], Sizes> = {
  quick: { transferBytes: 20_000_000, requests: 300, idleConnections: 100 },
  usual: { transferBytes: 200_000_000, requests: 2_000, idleConnections: 1_000 },
}

/** Ctrl-C and SIGTERM, once each; the network that stands then is taken down in any case. */
class Interruption {
  readonly signal: AbortSignal
  network: Network | undefined

  constructor() {
    const controller = new AbortController()
    this.signal = controller.signal
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (controller.signal.aborted) return
        controller.abort()
        void this.network?.close().then(() => process.exit(name === 'SIGINT' ? 130 : 143))
      })
    }
  }

  /** Until someone interrupts, or the command line that started us is gone. */
  wait(): Promise<void> {
    const parent = process.ppid
    return new Promise((resolve) => {
      const watch = setInterval(() => {
        if (!this.signal.aborted && process.ppid === parent) return
        clearInterval(watch)
        resolve()
      }, 500)
    })
  }
}

async function main(args: readonly string[]): Promise<number> {
  let options: DemoOptions | 'help'
  try {
    options = parseDemoOptions(args)
  } catch (error) {
    process.stderr.write(`cutwater demo: ${(error as Error).message}\n\n${demoUsage}\n`)
    return 2
  }
  if (options === 'help') {
    console.log(demoUsage)
    return 0
  }
  const isInside = enterCommand() !== undefined
  if (!isInside && !mayBuildNetworks()) return runInUserNamespace(args)
  const interruption = new Interruption()
  try {
    await show(options, options.port === 'auto' ? (isInside ? 'packet' : 'xsk') : options.port, interruption)
    return 0
  } catch (error) {
    if (interruption.signal.aborted) return 130
    process.stderr.write(`cutwater demo: ${(error as Error).message}\n`)
    return 1
  } finally {
    await interruption.network?.close()
  }
}

async function show(options: DemoOptions, port: 'xsk' | 'packet', interruption: Interruption): Promise<void> {
  const paper = new Paper(process.stdout, process.env)
  const say = (text: string): void => {
    if (options.output === 'text') console.log(text)
  }
  const stage = await Stage.build(port, (network) => (interruption.network = network))
  say(showNetwork(paper, stage))
  const fetches: Fetched[] = []
  const { trace } = await stage.tracing(async () => fetches.push(await fetchByCurl(stage, '1.3')))
  for (const version of kVersions) {
    if (version !== '1.3') fetches.push(await fetchByCurl(stage, version))
    fetches.push(await fetchByNode(stage, version))
  }
  say(showFetches(paper, fetches))
  const packets = longestFlow(trace)
  say(paper.heading('One connection, packet by packet (curl, TLS 1.3)'))
  say(renderTrace(paper, packets))
  const figures = await measure(stage, kSizes[options.effort])
  say(showFigures(paper, stage, figures))
  if (options.output === 'json') console.log(JSON.stringify(reportOf(stage, fetches, packets, figures)))
  const wrong = fetches.find(({ status }) => status !== 200)
  if (wrong !== undefined) throw new Error(`${wrong.client} with TLS ${wrong.version} got status ${wrong.status}`)
  if (options.after === 'stay') {
    say(showInvitation(paper, stage, enterCommand()))
    await interruption.wait()
  }
}

function reportOf(stage: Stage, fetches: readonly Fetched[], trace: readonly TraceEntry[], figures: Figures): object {
  const { client, appliance, server } = stage.network
  return {
    event: 'demo',
    interfaces: stage.ready.interfaces,
    aead: stage.ready.aead,
    namespaces: { client: client.namespace, appliance: appliance.namespace, server: server.namespace },
    fetches,
    figures,
    trace,
  }
}

process.exitCode = await main(process.argv.slice(2))
