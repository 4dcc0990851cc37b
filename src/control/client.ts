/** Asks a running appliance over its control socket. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

import { CutwaterError, type ErrorCode } from '../errors.js'
import { type ControlRequest, isEndLine, isErrorLine } from './protocol.js'

/**
 * Yields the lines of the answer.
 *
 * @throws CutwaterError CONTROL_UNREACHABLE, CONTROL_REFUSED, or the code the appliance answered with
 */
export async function* ask(
  path: string,
  request: ControlRequest,
  signal?: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
  const socket = await open(path)
  const lines = createInterface({ input: socket, crlfDelay: Infinity })
  const stop = () => {
    lines.close() // destroying the socket alone would not end the iteration
    socket.destroy()
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const text of lines) {
      const line = JSON.parse(text) as unknown
      if (isEndLine(line)) return
      if (isErrorLine(line)) throw new CutwaterError(line.error.code as ErrorCode, line.error.message)
      yield line
    }
    if (!signal?.aborted)
      throw new CutwaterError('CONTROL_UNREACHABLE', `${path}: the appliance went away in mid-answer`)
  } finally {
    signal?.removeEventListener('abort', stop)
    socket.destroy()
  }
}

async function open(path: string): Promise<Socket> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'EACCES' ? 'it belongs to another user' : 'no appliance answers there; is it running?'
    throw new CutwaterError('CONTROL_UNREACHABLE', `${path}: ${why}`, { cause })
  }
  socket.on('error', () => undefined) // shows as the end of the answer
  return socket
}
