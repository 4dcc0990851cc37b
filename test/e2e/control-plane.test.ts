// The control plane on a running appliance: stats, flows, trace, reload, metrics, doctor, and the API in a program.
//
//   client ── c0 ~ wan [ cutwater ] lan ~ s0 ── server
//                 443 shop -> 80 nginx            control.sock, metrics on 127.0.0.1:9464 of the appliance
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'

import type { CommandResult } from '../../src/demo/command.js'
import type { FlowEntry, TraceEntry } from '../../src/native/contract.js'
import { kClients } from '../support/clients.js'
import { Lab } from '../support/lab.js'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const api = new URL('../../dist/index.js', import.meta.url).href

interface Service {
  listen: { address: string; port: number }
  truncation?: string
}
interface ConfigFile {
  workers?: number
  services: Record<string, Service>
}

describe('control plane', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port: 'xsk', services: { shop: {} }, more: { metrics: { port: 9464 } } })
  })
  afterAll(() => lab.close())

  const cutwater = (...args: string[]): Promise<CommandResult> =>
    lab.network.appliance.run([process.execPath, main, ...args, '--control', lab.network.file('control.sock')])
  const fetchPage = () =>
    kClients['curl']!({
      host: lab.network.client,
      trust: lab.trust,
      ...lab.target('shop'),
      path: '/hello',
      version: '1.3',
    })
  /** Changes the configuration file for as long as `action` takes. */
  async function withConfig(change: (config: ConfigFile) => void, action: () => Promise<void>): Promise<void> {
    const file = lab.network.file('cutwater.yaml')
    const before = readFileSync(file, 'utf8')
    const config = parse(before) as ConfigFile
    change(config)
    writeFileSync(file, stringify(config))
    try {
      await action()
    } finally {
      writeFileSync(file, before)
    }
  }

  it('says in its ready line what the ports turned out to be', () => {
    expect(lab.appliance.ready).toMatchObject({
      event: 'ready',
      pid: expect.any(Number) as number,
      aead: expect.stringMatching(/^(ipsec-mb|openssl)$/) as string,
      interfaces: {
        wan: { device: 'wan', port: 'xsk', attach: expect.any(String) as string, mtu: 1500 },
        lan: { device: 'lan', port: 'xsk' },
      },
      services: { 'shop-v4': { mode: 'direct', listen: '203.0.113.10:443', servers: ['203.0.113.10:80'] } },
    })
  })

  it('stats counts what went through, for people and for programs', async () => {
    await fetchPage()
    const { code, stdout } = await cutwater('stats', '--json')
    expect(code).toBe(0)
    const counters = JSON.parse(stdout) as { name: string; value: number }[]
    expect(counters.find(({ name }) => name === 'flows_established')?.value).toBeGreaterThan(0)
    const human = await cutwater('stats')
    expect(human.stdout).toMatch(/^counter +service +value$/m)
    expect(human.stdout).toMatch(/^flows_established +\S* *\d+$/m)
    expect(human.stdout).not.toMatch(/ 0$/m)
  })

  it('metrics serves the same counters to Prometheus', async () => {
    const text = await lab.network.appliance.output(['curl', '-sS', 'http://127.0.0.1:9464/metrics'])
    expect(text).toMatch(/^cutwater_flows_established_total(\{[^}]*\})? [1-9]\d*$/m)
    expect(text).toContain('cutwater_port_info{interface="wan",device="wan",port="xsk"')
  })

  it('trace shows a connection on both sides, and stops by itself', async () => {
    const tracing = cutwater('trace', '--packets', '12', '--json')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await fetchPage()
    const { code, stdout } = await tracing
    expect(code).toBe(0)
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TraceEntry)
    expect(entries).toHaveLength(12)
    expect(entries[0]).toMatchObject({ side: 'client', direction: 'rx', flags: 'S' })
    expect(new Set(entries.map(({ side }) => side))).toEqual(new Set(['client', 'server']))
  })

  it('flows lists a connection with its suite', async () => {
    const { address, port } = lab.target('shop')
    const client = lab.network.client.start([
      'openssl',
      's_client',
      '-connect',
      `${address}:${port}`,
      '-tls1_3',
      '-quiet',
    ])
    try {
      await expect
        .poll(async () => JSON.parse((await cutwater('flows', '--json')).stdout) as FlowEntry[], { timeout: 5_000 })
        .toContainEqual(
          expect.objectContaining({ service: 'shop-v4', state: 'established', suite: 'TLS_AES_128_GCM_SHA256' }),
        )
      expect((await cutwater('flows')).stdout).toContain('TLS_AES_128_GCM_SHA256')
    } finally {
      await client.stop()
    }
  })

  it('reload says what changed; a second one finds nothing', async () => {
    const change = (config: ConfigFile) => {
      const service = config.services['shop-v4']
      if (service) service.truncation = 'forward'
    }
    await withConfig(change, async () => {
      const { code, stdout } = await cutwater('reload', '--json')
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ changes: ['service shop-v4: changed truncation'] })
      expect((await cutwater('reload')).stdout).toBe('nothing has changed\n')
    })
    expect((await fetchPage()).body).toContain('hello')
  })

  it('a reload that is wrong changes nothing and says why, by socket and by SIGHUP', async () => {
    const workers = await withRefused(1, (config) => (config.workers = 2))
    expect(workers).toContain('only a restart can change workers')
    const port = await withRefused(2, (config) => {
      const service = config.services['shop-v4']
      if (service) service.listen.port = 0
    })
    expect(port).toContain('services.shop-v4.listen.port: expected a port, 1 to 65535, got 0')
    expect((await fetchPage()).body).toContain('hello')
  })

  async function withRefused(exitCode: number, change: (config: ConfigFile) => void): Promise<string> {
    let said = ''
    await withConfig(change, async () => {
      const { code, stderr } = await cutwater('reload')
      expect(code).toBe(exitCode)
      said = stderr
      lab.appliance.running.signal('SIGHUP')
      await lab.appliance.running.until((_, log) => log.includes('reload failed, everything stays as it was'))
    })
    return said
  }

  it('SIGHUP takes a service away, and gives it back', async () => {
    const { running } = lab.appliance
    const take = (config: ConfigFile) => {
      delete config.services['shop-v4']
    }
    await withConfig(take, async () => {
      running.signal('SIGHUP')
      await running.until((_, log) => log.includes('changes="service shop-v4: removed"'))
      await expect(fetchPage()).rejects.toThrow()
    })
    running.signal('SIGHUP')
    await running.until((_, log) => log.includes('changes="service shop-v4: added"'))
    expect((await fetchPage()).body).toContain('hello')
  })

  it('doctor finds nothing wrong here, and the offload that is turned on', async () => {
    const { appliance } = lab.network
    const examine = async (...args: string[]) => {
      const file = lab.network.file('cutwater.yaml')
      const { stdout } = await appliance.run([process.execPath, main, 'doctor', '--config', file, '--json', ...args])
      return JSON.parse(stdout) as {
        findings: { id: string; status: string }[]
        mended: { command: string; error: string }[]
      }
    }
    const failures = async (...args: string[]) =>
      (await examine(...args)).findings.filter(({ status }) => status === 'fail').map(({ id }) => id)
    expect(await failures()).toEqual([])
    await appliance.output(['ethtool', '-K', 'lan', 'gro', 'on'])
    expect(await failures()).toEqual(['offloads:lan'])
    const { mended } = await examine('--fix')
    expect(mended).toContainEqual({ id: 'offloads:lan', command: 'ethtool -K lan gro off', error: '' })
    expect(await failures()).toEqual([])
  })

  it('the API starts, counts, traces and closes in a program of its own', async () => {
    await lab.appliance.stop()
    const program = `
      import { Appliance } from ${JSON.stringify(api)}
      const file = process.argv[1]
      const appliance = await Appliance.start(file)
      console.log('ready', [...appliance.ready.ports.keys()].join())
      const signal = AbortSignal.timeout(20_000)
      for await (const snapshot of appliance.snapshots({ everyMs: 50, signal })) {
        if (snapshot.total('flows_established') > 0n) break
      }
      console.log('established', typeof appliance.counters().total('flows_established'))
      const applied = await appliance.apply(file)
      console.log('applied', applied.actions.length)
      const streams = [appliance.snapshots(), appliance.events(), appliance.trace()]
      const ended = Promise.all(streams.map(async (stream) => { for await (const _ of stream); }))
      await Promise.all([appliance.close(), appliance.close()])
      await ended
      console.log('closed', (() => { try { appliance.counters() } catch (error) { return error.code } })())
    `
    const file = lab.network.file('cutwater.yaml')
    const running = lab.network.appliance.start([process.execPath, '--input-type=module', '-e', program, file])
    await running.until((stdout) => stdout.includes('ready wan,lan'))
    await fetchPage()
    const { code, stdout, stderr } = await running.ended
    expect(stderr).toBe('')
    expect(stdout).toBe('ready wan,lan\nestablished bigint\napplied 0\nclosed CLOSED\n')
    expect(code).toBe(0)
    await lab.startAppliance()
  })
})
