import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, afterEach, describe, expect, it } from 'vitest'

import { ask } from '../../../src/control/client.js'
import { defaultControlPath } from '../../../src/control/path.js'
import type { ControlRequest } from '../../../src/control/protocol.js'
import { type Answer, ControlServer } from '../../../src/control/server.js'
import { CutwaterError } from '../../../src/errors.js'

const folder = mkdtempSync(join(tmpdir(), 'cutwater-control-'))
let made = 0
const newPath = () => join(folder, `${++made}`, 'one.sock')
const open: ControlServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function listen(answer: Answer, path = newPath()): Promise<string> {
  open.push(await ControlServer.listen(path, answer))
  return path
}

async function all(path: string, request: ControlRequest): Promise<unknown[]> {
  const lines: unknown[] = []
  for await (const line of ask(path, request)) lines.push(line)
  return lines
}

/** What a client that speaks by hand gets back. */
async function say(path: string, text: string): Promise<string> {
  const socket = connect(path)
  let heard = ''
  socket.setEncoding('utf8').on('data', (part: string) => (heard += part))
  socket.on('error', () => undefined)
  socket.end(text)
  await once(socket, 'close')
  return heard
}

async function* echo(request: ControlRequest): AsyncGenerator<unknown> {
  await sleep(1)
  yield request
  yield { second: true }
}

async function* endless(): AsyncGenerator<unknown> {
  for (let n = 0; ; n++) {
    yield { n, padding: 'x'.repeat(1_000) }
    await sleep(0)
  }
}

describe('control socket', () => {
  it('carries a request there and lines back', async () => {
    const path = await listen(echo)
    expect(await all(path, { command: 'flows', limit: 5 })).toEqual([{ command: 'flows', limit: 5 }, { second: true }])
  })

  it('belongs to its user alone', async () => {
    const path = await listen(echo)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
  })

  it('passes on the code and the words of a failure', async () => {
    const path = await listen(() => {
      throw new CutwaterError('RESTART_NEEDED', 'only a restart can change workers')
    })
    await expect(all(path, { command: 'reload' })).rejects.toMatchObject({
      code: 'RESTART_NEEDED',
      message: 'only a restart can change workers',
    })
  })

  it.each([
    ['not json\n', 'the request is not JSON'],
    ['{"command":"shutdown"}\n', 'unknown or malformed request; the commands are stats, flows, trace, reload'],
    ['{"command":"flows","limit":-1}\n', 'unknown or malformed request'],
    ['{"command":"flows","limit":1,"extra":1}\n', 'unknown or malformed request'],
    ['{"command":"stats"}', 'the request has no end of line'],
    ['x'.repeat(100_000), 'the request is too long'],
  ])('answers %o with a reason', async (text, reason) => {
    const heard = await say(await listen(echo), text)
    expect(heard).toContain(reason)
    expect(heard).toContain('CONTROL_REFUSED')
  })

  it('stops producing when the client has gone', async () => {
    let ended = false
    const path = await listen(async function* () {
      try {
        yield* endless()
      } finally {
        ended = true
      }
    })
    let seen = 0
    for await (const _ of ask(path, { command: 'trace', packets: 10 })) if (++seen === 3) break
    await expect.poll(() => ended).toBe(true)
  })

  it('does not outrun a client that does not read', async () => {
    let made = 0
    const path = await listen(async function* () {
      for await (const line of endless()) {
        made++
        yield line
      }
    })
    const socket = connect(path)
    await once(socket, 'connect')
    socket.write('{"command":"stats"}\n')
    await sleep(500)
    const before = made
    await sleep(500)
    expect(made).toBe(before)
    socket.destroy()
  })

  it('notices an answer that was cut off', async () => {
    const path = newPath()
    await listen(endless, path)
    const asking = all(path, { command: 'stats' })
    await sleep(50)
    await open.splice(0)[0]?.close()
    await expect(asking).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
  })

  it('is taken while another answers there, and free once that one was killed', async () => {
    const path = await listen(echo)
    await expect(ControlServer.listen(path, echo)).rejects.toMatchObject({ code: 'CONTROL_TAKEN' })
    const stale = join(folder, 'stale.sock')
    const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
    await once(spawn(process.execPath, ['-e', script, stale]), 'exit')
    expect(existsSync(stale)).toBe(true)
    expect(await all(await listen(echo, stale), { command: 'stats' })).toHaveLength(2)
  })

  it('never removes what is not a socket', async () => {
    const path = join(folder, 'precious')
    writeFileSync(path, 'data')
    await expect(ControlServer.listen(path, echo)).rejects.toMatchObject({ code: 'CONTROL_TAKEN' })
    expect(existsSync(path)).toBe(true)
  })

  it('is gone after closing, and closing twice is one closing', async () => {
    const path = newPath()
    const server = await ControlServer.listen(path, echo)
    await Promise.all([server.close(), server.close()])
    expect(existsSync(path)).toBe(false)
    await expect(all(path, { command: 'stats' })).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
  })
})

it.each([
  [0, undefined, '/run/cutwater/edge.sock'],
  [0, '/run/user/0', '/run/cutwater/edge.sock'],
  [1000, '/run/user/1000', '/run/user/1000/cutwater/edge.sock'],
  [1000, undefined, '/tmp/cutwater-1000/edge.sock'],
])('for user %i with %o the default path is %s', (uid, runtimeDirectory, path) => {
  expect(defaultControlPath('edge', { uid, runtimeDirectory, temporaryDirectory: '/tmp' })).toBe(path)
})
