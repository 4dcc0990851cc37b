// The Node client of the demonstration, run in the client's namespace. Argument: JSON { action, address, port, name, ca, version, count }.
//   fetch    one request          -> { status, version, cipher, body, us }
//   latency  count small requests on one connection -> { p50Us, p99Us, perSecond }
//   hold     count idle connections; prints { held } and ends when its input does
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import { TLSSocket, connect } from 'node:tls'
import type { ConnectionOptions, SecureVersion } from 'node:tls'

interface Task {
  readonly action: 'fetch' | 'latency' | 'hold'
  readonly address: string
  readonly port: number
  readonly name: string
  readonly ca: string
  readonly version: '1.2' | '1.3'
  readonly count: number
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const version = `TLSv${task.version}` as SecureVersion
const tlsOptions: ConnectionOptions = {
  host: task.address, port: task.port, servername: task.name, ca: readFileSync(task.ca), minVersion: version, maxVersion: version,
} // prettier-ignore
const agent = new Agent({ ...tlsOptions, keepAlive: true, maxSockets: 1 })

interface Answer {
  readonly status: number
  readonly body: string
  readonly socket: TLSSocket
}

function fetchOnce(): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ agent, path: '/', headers: { host: task.name } }, (response) => {
      let body = ''
      const { socket } = response
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('error', reject).on('end', () => {
        if (socket instanceof TLSSocket) resolve({ status: response.statusCode ?? 0, body, socket })
        else reject(new Error('the answer did not come over TLS'))
      })
    })
    request.on('error', reject)
  })
}

async function measureLatency(): Promise<object> {
  const times: number[] = []
  for (let count = 0; count < 50; count += 1) await fetchOnce() // the compiler and the caches warm up
  const started = process.hrtime.bigint()
  for (let count = 0; count < task.count; count += 1) {
    const before = process.hrtime.bigint()
    await fetchOnce()
    times.push(Number(process.hrtime.bigint() - before) / 1_000)
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  times.sort((a, b) => a - b)
  const at = (quantile: number): number => Math.round(times[Math.floor((times.length - 1) * quantile)] ?? 0)
  return { p50Us: at(0.5), p99Us: at(0.99), perSecond: Math.round(task.count / seconds) }
}

function holdOne(): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(tlsOptions, () => {
      resolve(socket)
    })
    socket.on('error', reject)
  })
}

async function hold(): Promise<void> {
  const sockets: TLSSocket[] = []
  while (sockets.length < task.count) {
    const some = Math.min(32, task.count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: some }, holdOne))))
  }
  console.log(JSON.stringify({ held: sockets.length }))
  for await (const _ of process.stdin) continue
  for (const socket of sockets) socket.end()
}

switch (task.action) {
  case 'fetch': {
    const { status, body, socket } = await fetchOnce()
    console.log(
      JSON.stringify({
        status,
        body,
        version: socket.getProtocol()?.replace('TLSv', ''),
        cipher: socket.getCipher().standardName,
      }),
    )
    break
  }
  case 'latency':
    console.log(JSON.stringify(await measureLatency()))
    break
  case 'hold':
    await hold()
    break
  default:
    throw new Error(`unreachable: ${JSON.stringify(task.action satisfies never)}`)
}
agent.destroy()
