/** The control socket of a running appliance. Only its user (and root) may connect: folder 0700, socket 0600. */
import { once } from 'node:events'
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'

import { CutwaterError } from '../errors.js'
import { type ControlRequest, maxRequestBytes, parseRequest } from './protocol.js'

/** Answers a request with any number of lines; stops when `signal` says that the client has gone. */
export type Answer = (request: ControlRequest, signal: AbortSignal) => AsyncIterable<unknown>

const maxConnections = 32
const requestTimeoutMs = 5_000

export class ControlServer {
  readonly path: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #closing: Promise<void> | undefined

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
  }

  /** @throws CutwaterError CONTROL_TAKEN when another process answers there */
  static async listen(path: string, answer: Answer): Promise<ControlServer> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await removeStale(path)
    const server = createServer({ allowHalfOpen: true })
    server.maxConnections = maxConnections
    const control = new ControlServer(path, server)
    server.on('connection', (socket) => {
      control.#sockets.add(socket)
      socket.once('close', () => control.#sockets.delete(socket))
      void converse(socket, answer)
    })
    server.listen(path)
    await once(server, 'listening')
    await chmod(path, 0o600)
    return control
  }

  /** Stops listening, ends conversations and removes the socket. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => {
        resolve()
      })
      for (const socket of this.#sockets) socket.destroy()
    }))
  }
}

/** A socket nobody answers at was left behind by a process that was killed. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new CutwaterError('CONTROL_TAKEN', `${path}: is there, and is not a socket`)
  if (await isAnswered(path)) throw new CutwaterError('CONTROL_TAKEN', `${path}: another appliance listens there`)
  await unlink(path).catch(() => undefined)
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function converse(socket: Socket, answer: Answer): Promise<void> {
  const gone = new AbortController()
  socket.once('close', () => {
    gone.abort()
  })
  socket.on('error', () => undefined) // a client that went away; 'close' follows
  const write = async (line: unknown) => {
    if (!socket.write(`${JSON.stringify(line)}\n`) && !gone.signal.aborted) {
      await once(socket, 'drain', { signal: gone.signal })
    }
  }
  try {
    const request = parseRequest(await readLine(socket))
    for await (const line of answer(request, gone.signal)) await write(line)
    await write({ end: true })
  } catch (error) {
    if (!gone.signal.aborted) socket.write(`${JSON.stringify({ error: describe(error) })}\n`)
  } finally {
    socket.end()
  }
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof CutwaterError) return { code: error.code, message: error.message }
  return { code: 'NATIVE_FAILED', message: error instanceof Error ? error.message : String(error) }
}

/** The first line a client sends, bounded in length and time. What follows it is ignored. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const refuse = (why: string) => {
      reject(new CutwaterError('CONTROL_REFUSED', why))
    }
    socket.setEncoding('utf8')
    socket.setTimeout(requestTimeoutMs, () => {
      refuse('no request within 5 s')
    })
    socket.on('data', (part: string) => {
      text += part
      const end = text.indexOf('\n')
      if (end >= 0) {
        socket.setTimeout(0)
        resolve(text.slice(0, end))
        socket.removeAllListeners('data').resume()
      } else if (text.length > maxRequestBytes) {
        refuse('the request is too long')
        socket.removeAllListeners('data').resume()
      }
    })
    socket.once('end', () => {
      refuse('the request has no end of line')
    })
    socket.once('close', () => {
      refuse('the client went away')
    })
  })
}
