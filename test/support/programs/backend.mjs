// The Node server of the tests: HTTP/1.1 and HTTP/2 with prior knowledge on one port. Arguments: port, and a file for its access
// log ("client path" a line), if one is wanted. Answers JSON that tells what it saw: { path, protocol, client, requests }
// (requests: how many came over that connection).
import fs from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'

const port = Number(process.argv[2])
const log = process.argv[3] === undefined ? undefined : fs.createWriteStream(process.argv[3], { flags: 'a' })
const counts = new WeakMap()

function answer(request, response) {
  const socket = request.stream?.session?.socket ?? request.socket
  const key = request.stream?.session ?? socket
  counts.set(key, (counts.get(key) ?? 0) + 1)
  const client = `${socket.remoteAddress}`.replace('::ffff:', '')
  log?.write(`${client} ${request.url}\n`)
  const size = /^\/bytes\/(\d+)$/.exec(request.url)?.[1]
  const body =
    size === undefined
      ? JSON.stringify({
          path: request.url,
          protocol: request.httpVersion,
          client,
          requests: counts.get(key),
        })
      : Buffer.alloc(Number(size), 'cutwater ')
  request.resume()
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

const http1 = http.createServer({ keepAliveTimeout: 600_000 }, answer)
const h2c = http2.createServer(answer)
const kPreface = 'PRI * HTTP/2.0'

// The first bytes tell the protocol; the connection then goes to that server with those bytes put back.
net
  .createServer((socket) => {
    socket.once('data', (first) => {
      socket.pause()
      const server = first.toString('latin1').startsWith(kPreface.slice(0, first.length)) ? h2c : http1
      server.emit('connection', socket)
      socket.unshift(first)
      process.nextTick(() => socket.resume())
    })
    socket.on('error', () => undefined)
  })
  .listen(port, '::', () => console.log('ready'))
