// A server that tells what it was asked. Arguments: name, address, port, and a file for a log (JSON a line). Answers JSON { server, method,
// url, headers, bytes, sha256 } of the request; besides:
//   /…/bytes/N     N bytes of a pattern, by length      /…/chunked/N   the same in chunks
//   /…/die         ends the connection without a word   /…/half        promises 100 bytes, sends 50, ends
//   /…/last        "Connection: close"                  /…/bad         an answer with two lengths
//   /…/refuse      417 to "Expect: 100-continue"        Upgrade: echo  101, then everything comes back
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'

const [, , name, address, port, logFile] = process.argv
const log = logFile === undefined ? undefined : fs.createWriteStream(logFile, { flags: 'a' })

function pattern(bytes) {
  return Buffer.alloc(bytes, `${name} says: cutwater `)
}

function answer(request, response) {
  const hash = createHash('sha256')
  let bytes = 0
  request.on('data', (piece) => {
    bytes += piece.length
    hash.update(piece)
  })
  request.on('end', () => {
    const seen = {
      server: name,
      method: request.method,
      url: request.url,
      headers: request.rawHeaders,
      bytes,
      sha256: hash.digest('hex'),
    }
    log?.write(
      `${JSON.stringify({ ...seen, client: request.socket.remoteAddress.replace('::ffff:', ''), port: request.socket.remotePort })}\n`,
    )
    const [, what, size] = /\/(bytes|chunked|die|half|last|bad)(?:\/(\d+))?$/.exec(request.url) ?? []
    if (what === 'die') return request.socket.destroy()
    if (what === 'half') return request.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${'x'.repeat(50)}`)
    if (what === 'bad')
      return request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok')
    if (what === 'last') response.setHeader('connection', 'close')
    const body = what === 'bytes' || what === 'chunked' ? pattern(Number(size)) : Buffer.from(JSON.stringify(seen))
    if (what === 'chunked') response.write(body.subarray(0, 10))
    else response.setHeader('content-length', body.length)
    response.end(what === 'chunked' ? body.subarray(10) : body)
  })
}

const server = http.createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, answer)
server.on('upgrade', (request, socket, head) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  if (head.length > 0) socket.write(head)
  socket.on('error', () => undefined)
  socket.pipe(socket)
})
server.on('checkContinue', (request, response) => {
  if (request.url.endsWith('/refuse')) {
    response.writeHead(417, { 'content-length': 0 })
    return response.end()
  }
  response.writeContinue()
  answer(request, response)
})
server.listen(Number(port), address, () => console.log('ready'))
