// Many idle TLS connections held at once, and what each costs the appliance.
//
//   cutwater-load hold (10,000 connections) ── TLS ── wan [ cutwater ] lan ── clear ── sink :8081
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kManyFiles, loadArguments } from '../../bench/e2e/load-tool.js'
import { processTree, settledMemoryBytes } from '../../src/demo/process-memory.js'
import { Lab, kPorts } from '../support/lab.js'

const kConnections = 10_000
const kMostBytesEach = 2_048 // issue 2: all told; the design's aim is 512 bytes of flow state

interface HoldLine {
  readonly event: string
  readonly established: number
  readonly failed: number
  readonly answered: number
  readonly failure: string
}

describe.each(kPorts)(`${kConnections} idle connections over %s`, (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { transfers: {} } })
  })
  afterAll(() => lab.close())

  it('are held, still work, and cost little memory each (I5)', async () => {
    const target = lab.target('transfers')
    const options = { connect: target.address, port: target.port, seconds: 90, path: '/bytes/100' }
    // What the first connections cost once (code pages, pools, stacks) is not the price of one more.
    const first = lab.network.client.start([
      ...kManyFiles,
      ...loadArguments('hold', { ...options, connections: 1_000 }),
    ])
    await lineOf(first.until.bind(first), 'held')
    const pids = processTree(lab.appliance.ready.pid)
    const before = await settledMemoryBytes(pids)
    const holder = lab.network.client.start([
      ...kManyFiles,
      ...loadArguments('hold', { ...options, connections: kConnections }),
    ])
    expect(await lineOf(holder.until.bind(holder), 'held')).toMatchObject({
      established: kConnections,
      failed: 0,
      failure: '',
    })
    const each = ((await settledMemoryBytes(pids)) - before) / kConnections
    console.log(
      `${port}: ${kConnections} idle TLS connections, ${each.toFixed(0)} bytes each (anonymous memory of the appliance)`,
    )
    expect(each).toBeLessThan(kMostBytesEach)
    holder.write('check\n')
    expect(await lineOf(holder.until.bind(holder), 'checked')).toMatchObject({ answered: kConnections, failed: 0 })
    for (const running of [first, holder]) {
      running.endInput()
      await running.ended
    }
  }, 180_000)
})

type Until = (test: (stdout: string) => string | undefined, timeoutMs: number) => Promise<string>

async function lineOf(until: Until, event: string): Promise<HoldLine> {
  return JSON.parse(
    await until((stdout) => stdout.split('\n').find((line) => line.includes(`"${event}"`)), 120_000),
  ) as HoldLine
}
