// The demonstration itself, as a person starts it: as root over AF_XDP, as nobody over AF_PACKET in a user namespace.
//
//   cutwater demo ── makes ── client ── wan [ cutwater ] lan ── server, and removes it again
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { RunningProcess, runCommand } from '../../src/demo/command.js'
import { kAddresses } from '../../src/demo/network.js'
import type { TraceEntry } from '../../src/native/contract.js'

const kMain = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const kAsNobody = [
  'setpriv',
  '--reuid=65534',
  '--regid=65534',
  '--clear-groups',
  '--inh-caps=-all',
  '--bounding-set=-all',
]

interface Report {
  readonly interfaces: Readonly<Record<string, { readonly port: string }>>
  readonly namespaces: Readonly<Record<string, string>>
  readonly fetches: readonly { client: string; version: string; status: number; seen: string }[]
  readonly figures: Readonly<Record<string, number>>
  readonly trace: readonly TraceEntry[]
}

function namespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : []
}

// All at once: each has a network of its own, and waits most of its time.
describe.concurrent.each([
  ['root', [], 'xsk'],
  ['nobody', kAsNobody, 'packet'],
] as const)('the demonstration as %s', (_, prefix, port) => {
  it(`fetches pages over ${port}, traces a connection, measures, and leaves nothing behind`, async () => {
    const result = await runCommand([...prefix, process.execPath, kMain, 'demo', '--quick', '--json'], {
      timeoutMs: 90_000,
      cwd: '/',
    })
    expect(result.stderr).toBe('')
    expect(result.code).toBe(0)
    const report = JSON.parse(result.stdout) as Report
    expect(report.interfaces).toMatchObject({ wan: { port }, lan: { port } })
    const fetched = report.fetches.map(({ client, version, status, seen }) => `${client} ${version} ${status} ${seen}`)
    const seen = kAddresses.client.v4
    expect(fetched.sort()).toEqual([
      `curl 1.2 200 ${seen}`,
      `curl 1.3 200 ${seen}`,
      `node 1.2 200 ${seen}`,
      `node 1.3 200 ${seen}`,
    ])
    // The trace begins with the SYN on both sides and has data on both: TLS here, clear there.
    expect(report.trace.slice(0, 2).map(({ side, direction, flags }) => `${side} ${direction} ${flags}`)).toEqual([
      'client rx S',
      'server tx S',
    ])
    expect(
      report.trace.some((entry) => entry.side === 'server' && entry.direction === 'rx' && entry.payloadBytes > 0),
    ).toBe(true)
    expect(
      report.trace.some((entry) => entry.side === 'client' && entry.direction === 'tx' && entry.firstRecord >= 0),
    ).toBe(true)
    for (const [name, value] of Object.entries(report.figures))
      expect(value, name).toBeGreaterThanOrEqual(name === 'bytesPerIdleConnection' ? 0 : 0.001)
    expect(namespaces()).not.toEqual(expect.arrayContaining(Object.values(report.namespaces)))
  })
})

describe.concurrent('the demonstration’s options', () => {
  it('--keep stays up with commands that work; Ctrl-C removes everything', async () => {
    const running = new RunningProcess([process.execPath, kMain, 'demo', '--quick', '--keep'])
    try {
      const curl = await running.until(
        (stdout) => /Ctrl-C ends it/.test(stdout) && /^ {2}(ip netns exec \S+ curl .*)$/m.exec(stdout)?.[1],
        60_000,
      )
      const page = await runCommand(['sh', '-c', curl])
      expect(JSON.parse(page.stdout)).toMatchObject({ client: kAddresses.client.v4 })
      const name = /ip netns exec (\S+)/.exec(curl)?.[1]
      expect(namespaces()).toContain(name)
      running.signal('SIGINT')
      const interrupted = await running.ended
      expect(interrupted.stderr).toBe('')
      expect(namespaces()).not.toContain(name)
    } finally {
      await running.stop()
    }
  })

  it('--help explains, an unknown option is refused with exit code 2', async () => {
    const help = await runCommand([process.execPath, kMain, 'demo', '--help'])
    expect(help).toMatchObject({ code: 0 })
    expect(help.stdout).toContain('--keep')
    expect(await runCommand([process.execPath, kMain, 'demo', '--nonsense'])).toMatchObject({ code: 2 })
  })

  it('sets plain text in a narrow window, without colours where they are not wanted', async () => {
    const { stdout, code } = await runCommand([process.execPath, kMain, 'demo', '--quick'], {
      timeoutMs: 90_000,
      env: { COLUMNS: '60' },
    })
    expect(code).toBe(0)
    expect(stdout).not.toContain('\u001b')
    const widest = Math.max(...stdout.split('\n').map((line) => line.length))
    expect(widest).toBeLessThanOrEqual(110)
  })
})
