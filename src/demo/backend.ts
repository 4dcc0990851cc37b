// The server of the demonstration: plain HTTP, nothing else. Argument: port. It tells whom it sees, gives as many bytes as
// asked for (/bytes/N), and counts what is uploaded.
import { createServer } from 'node:http'

const kPiece = Buffer.alloc(256 * 1024, 'All the world over, so easy to see. ')

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const wanted = /^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1]
  let received = 0
  request.on('data', (piece: Buffer) => (received += piece.length))
  request.on('end', () => {
    if (wanted !== undefined) {
      giveBytes(Number(wanted))
      return
    }
    const seen = {
      client: request.socket.remoteAddress?.replace('::ffff:', ''),
      port: request.socket.remotePort,
      received,
    }
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify(seen)}\n`)
  })

  function giveBytes(left: number): void {
    response.setHeader('content-length', left)
    const next = (): void => {
      while (left > 0) {
        const piece = kPiece.subarray(0, Math.min(left, kPiece.length))
        left -= piece.length
        if (!response.write(piece)) {
          response.once('drain', next)
          return
        }
      }
      response.end()
    }
    next()
  }
})

server.listen(Number(process.argv[2]), '::', 4_096, () => {
  console.log('ready')
})
