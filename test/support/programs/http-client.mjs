// HTTP over one TLS connection, by hand. Argument: JSON { address, port, name, ca, alpn, steps, version }. Each step is
// { send: base64 } bytes to send, { expect: n } answers to wait for (heads and bodies, interim ones not counted), { bytes: n } bytes to
// wait for, { pause: ms }, { end: true } to wait for the server's end, { mix: n, prefixes } n requests of many kinds, checked one by one.
// Prints JSON { received: base64, ended, error, mixed: { [server]: requests } }.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import tls from 'node:tls'

const options = JSON.parse(process.argv[2])
const socket = tls.connect({
  host: options.address,
  port: options.port,
  servername: options.name,
  ca: readFileSync(options.ca),
  ...(options.alpn ? { ALPNProtocols: [options.alpn] } : {}),
  ...(options.version ? { minVersion: options.version, maxVersion: options.version } : {}),
})
let received = Buffer.alloc(0)
let isEnded = false
let error
let wake = () => undefined
socket.on('data', (piece) => {
  received = Buffer.concat([received, piece])
  wake()
})
socket.on('end', () => {
  isEnded = true
  wake()
})
socket.on('error', (reason) => {
  error = reason.code ?? reason.message
  wake()
})

const news = () => new Promise((resolve) => (wake = resolve))

async function until(what) {
  while (!what()) {
    if (isEnded || error !== undefined) return false
    await news()
  }
  return true
}

/** The answer at `from`: { head, body, next }, or undefined while it is not whole. */
function answerAt(from, isHead = false) {
  const end = received.indexOf('\r\n\r\n', from)
  if (end < 0) return undefined
  const head = received.subarray(from, end).toString('latin1')
  const status = Number(head.slice(9, 12))
  if (status < 200 && status !== 101) return answerAt(end + 4, isHead)
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  let at = end + 4
  if (isHead || status === 101 || status === 204 || status === 304)
    return { head, status, body: Buffer.alloc(0), next: at }
  if (length !== undefined) {
    if (received.length < at + Number(length)) return undefined
    return { head, status, body: received.subarray(at, at + Number(length)), next: at + Number(length) }
  }
  const pieces = []
  while (true) {
    const line = received.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = parseInt(received.subarray(at, line).toString('latin1'), 16)
    if (received.length < line + 4 + size) return undefined
    pieces.push(received.subarray(line + 2, line + 2 + size))
    at = line + 4 + size
    if (size === 0) return { head, status, body: Buffer.concat(pieces), next: at }
  }
}

let at = 0
async function nextAnswer(isHead) {
  let answer
  if (!(await until(() => (answer = answerAt(at, isHead)) !== undefined)))
    throw new Error(`no answer: ${error ?? 'end'}, ${received.subarray(at, at + 200)}`)
  received = received.subarray(answer.next)
  return answer
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Request k of a mix: to each prefix in turn; bodies by length and in chunks, HEAD, large and chunked answers. */
async function mixed(k, prefixes, counts) {
  const prefix = prefixes[k % prefixes.length]
  const kind = Math.floor(k / prefixes.length) % 6
  const host = `Host: ${options.name}\r\n`
  if (prefix === '/static') {
    socket.write(`GET /static/page-${k % 7}.txt HTTP/1.1\r\n${host}\r\n`)
    const { status, body } = await nextAnswer()
    const wanted = Buffer.alloc(1000 * (k % 7) + 1, `page ${k % 7} `)
    if (status !== 200 || !body.equals(wanted)) throw new Error(`${k}: static: ${status}, ${body.length} bytes`)
    counts[prefix] = (counts[prefix] ?? 0) + 1
    return
  }
  const url = `${prefix}/${k}${kind === 4 ? `/bytes/${k % 50_000}` : kind === 5 ? `/chunked/${k % 50_000}` : ''}`
  const sent = Buffer.alloc(kind === 1 || kind === 2 ? (k * 37) % 40_000 : 0, `request ${k} `)
  const method = kind === 1 || kind === 2 ? 'POST' : kind === 3 ? 'HEAD' : 'GET'
  if (kind === 2) {
    const half = sent.length >> 1
    socket.write(`${method} ${url} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`)
    for (const piece of [sent.subarray(0, half), sent.subarray(half)]) {
      if (piece.length > 0)
        socket.write(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]))
    }
    socket.write('0\r\n\r\n')
  } else {
    const length = kind === 1 ? `Content-Length: ${sent.length}\r\n` : ''
    socket.write(Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${host}${length}\r\n`), sent]))
  }
  const { status, body } = await nextAnswer(method === 'HEAD')
  if (status !== 200) throw new Error(`${k}: ${method} ${url}: ${status}`)
  if (kind === 3) return
  const server = prefix.slice(1)
  if (kind >= 4) {
    if (!body.equals(Buffer.alloc(k % 50_000, `${server} says: cutwater `)))
      throw new Error(`${k}: ${url}: other bytes`)
  } else {
    const seen = JSON.parse(body)
    const isRight =
      seen.server === server && seen.url === url && seen.bytes === sent.length && seen.sha256 === sha256(sent)
    if (!isRight) throw new Error(`${k}: ${method} ${url}: ${body.subarray(0, 300)}`)
  }
  counts[prefix] = (counts[prefix] ?? 0) + 1
}

const counts = {}
const kept = []
try {
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  for (const step of options.steps) {
    if (step.send !== undefined) socket.write(Buffer.from(step.send, 'base64'))
    if (step.expect !== undefined)
      for (let n = 0; n < step.expect; n += 1) {
        const { head, body } = await nextAnswer(step.isHead)
        kept.push(Buffer.from(`${head}\r\n\r\n`), Buffer.from(body))
      }
    if (step.bytes !== undefined) await until(() => received.length >= step.bytes)
    if (step.pause !== undefined) await new Promise((resolve) => setTimeout(resolve, step.pause))
    if (step.end) await until(() => false)
    if (step.mix !== undefined) for (let k = 0; k < step.mix; k += 1) await mixed(k, step.prefixes, counts)
  }
} catch (reason) {
  error ??= reason.message
}
const all = Buffer.concat([...kept, received])
console.log(
  JSON.stringify({
    received: all.toString('base64'),
    ended: isEnded,
    error,
    mixed: counts,
    protocol: socket.alpnProtocol,
  }),
)
socket.destroy()
