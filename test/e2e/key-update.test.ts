// KeyUpdate in both directions while data moves, asked for by the client and by the appliance itself.
//
//   openssl s_client (K: update, and you too; k: update) ── TLS 1.3 ── wan [ cutwater ] lan ── clear ── sink :8081
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runLoad } from '../../bench/e2e/load-tool.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { growth, kHasStandIn } from '../support/appliance.js'
import { Lab, kPorts } from '../support/lab.js'
import { patternOf } from '../support/pattern.js'
import { kServerName } from '../support/trust.js'

const kBytes = 60_000_000

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe.each(kPorts)('key updates over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { transfers: {}, shop: {}, odd: { rekeyAfterRecords: 100 } } })
  })
  afterAll(() => lab.close())

  /** s_client with its output in a file; `-brief` keeps everything but the data out of it and leaves K and k to us. */
  function sClient(file: string): RunningProcess {
    const { address, port: tlsPort } = lab.target('transfers')
    const command = `exec openssl s_client -connect ${address}:${tlsPort} -servername ${kServerName} -tls1_3 -brief > ${file}`
    return lab.network.client.start(['sh', '-c', command])
  }

  async function bodyHash(file: string, headBytes: number): Promise<string> {
    const hash = createHash('sha256')
    let left = headBytes
    for await (const piece of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(piece.subarray(Math.min(left, piece.length)))
      left -= Math.min(left, piece.length)
    }
    return hash.digest('hex')
  }

  it('the client updates its keys and asks for ours, many times, while a download runs', async () => {
    const file = lab.network.file('download')
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${kBytes}\r\n\r\n`
    const grown = await growth(lab.appliance, async () => {
      const running = sClient(file)
      await running.until((_, stderr) => stderr.includes('CONNECTION ESTABLISHED'))
      running.write(`GET /bytes/${kBytes} HTTP/1.1\r\nHost: x\r\n\r\n`)
      // s_client looks at the first letter of what one read gives it, so the next is written when the last was understood.
      for (const [index, letter] of ['K', 'k', 'K', 'K', 'k', 'k', 'K', 'k'].entries()) {
        await sleep(10)
        running.write(`${letter}\n`)
        await running.until((_, stderr) => stderr.split('KEYUPDATE').length > index + 1)
      }
      await lab.network.client.output(
        [
          'sh',
          '-c',
          `for i in $(seq 300); do [ "$(stat -c %s ${file})" -ge ${kBytes + head.length} ] && break; sleep 0.1; done`,
        ],
        { timeoutMs: 40_000 },
      )
      await running.stop()
    })
    expect(await bodyHash(file, head.length)).toBe(sha256(patternOf(kBytes)))
    if (kHasStandIn) return
    expect(grown['key_updates_received']).toBe(8)
    // Requests that come while one of ours is under way are answered by that one (RFC 8446 4.6.3 allows it).
    expect(grown['key_updates_sent']).toBeGreaterThanOrEqual(1)
    expect(grown['key_updates_sent']).toBeLessThanOrEqual(4)
  })

  it('the client updates its keys in the middle of an upload', async () => {
    const file = lab.network.file('upload')
    const piece = patternOf(500)
    const running = sClient(file)
    await running.until((_, stderr) => stderr.includes('CONNECTION ESTABLISHED'))
    // s_client reads commands from its input too: pieces are written one at a time, each ending where the next begins.
    const pieces = Array.from({ length: 10 }, () => piece)
    running.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${pieces.length * piece.length}\r\n\r\n`)
    for (const [index, one] of pieces.entries()) {
      await sleep(60)
      running.write(one)
      await sleep(60)
      running.write(index % 2 === 0 ? 'K\n' : 'k\n')
    }
    const answer = await lab.network.client.output([
      'sh',
      '-c',
      `for i in $(seq 50); do grep -q sha256 ${file} && break; sleep 0.1; done; cat ${file}`,
    ])
    await running.stop()
    expect(answer).toContain(sha256(Buffer.concat(pieces)))
  })

  it('the appliance updates its own keys after so many records, in mid-transfer', async () => {
    const target = lab.target('odd')
    await lab.odd.stop()
    const sink = await import('../support/servers.js')
    const server = await sink.startSink(lab.network.server, 7080, { hash: true })
    const grown = await growth(lab.appliance, async () => {
      const result = await runLoad(lab.network.client, 'bulk', {
        connect: target.address, port: target.port, direction: 'down', bytes: 5_000_000, connections: 1, hash: true, path: '/bytes/5000000', seconds: 30,
      }) // prettier-ignore
      expect(result).toMatchObject({ failure: '', done: 1, digests: [sha256(patternOf(5_000_000))] })
    })
    await server.stop()
    if (!kHasStandIn) expect(grown['key_updates_sent']).toBeGreaterThan(5)
  })

  it('more key updates than any honest client sends: the flow is reset, with the reason counted', async () => {
    const grown = await growth(lab.appliance, async () => {
      const file = lab.network.file('flood')
      const running = sClient(file)
      await running.until((_, stderr) => stderr.includes('CONNECTION ESTABLISHED'))
      for (let count = 0; count < 400 && running.result === undefined; count += 1) {
        running.write('k\n')
        await sleep(1)
      }
      await sleep(300)
      await running.stop()
    })
    if (!kHasStandIn) expect(grown).toMatchObject({ reset_key_update_flood: 1 })
  })
})
