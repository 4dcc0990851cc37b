// A Node HTTPS client. Argument: JSON { address, port, name, path, version, ciphers, ca, requests, protocol }.
// Prints JSON { status, body, version, cipher, protocol, localPorts, remote }.
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'

const options = JSON.parse(process.argv[2])
const tlsOptions = {
  host: options.address,
  port: options.port,
  servername: options.name,
  ca: readFileSync(options.ca),
  minVersion: `TLSv${options.version}`,
  maxVersion: `TLSv${options.version}`,
  ...(options.ciphers ? { ciphers: options.ciphers } : {}),
}

function overHttp1() {
  const agent = new https.Agent({ ...tlsOptions, keepAlive: true, maxSockets: 1 })
  const once = () =>
    new Promise((resolve, reject) => {
      const request = https.get({ agent, path: options.path, headers: { host: options.name } }, (response) => {
        const pieces = []
        const { socket } = response
        response.on('data', (piece) => pieces.push(piece))
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            body: Buffer.concat(pieces).toString(),
            version: socket.getProtocol(),
            cipher: socket.getCipher().standardName,
            localPort: socket.localPort,
          }),
        )
        response.on('error', reject)
      })
      request.on('error', reject)
    })
  return { once, close: () => agent.destroy() }
}

function overHttp2() {
  const session = http2.connect(`https://${options.name}:${options.port}`, tlsOptions)
  const once = () =>
    new Promise((resolve, reject) => {
      session.on('error', reject)
      const stream = session.request({ ':path': options.path })
      const pieces = []
      let status = 0
      stream.on('response', (headers) => (status = headers[':status']))
      stream.on('data', (piece) => pieces.push(piece))
      stream.on('error', reject)
      stream.on('end', () =>
        resolve({
          status,
          body: Buffer.concat(pieces).toString(),
          version: session.socket.getProtocol(),
          cipher: session.socket.getCipher().standardName,
          localPort: session.socket.localPort,
          protocol: session.alpnProtocol,
        }),
      )
    })
  return { once, close: () => session.close() }
}

const client = options.protocol === 'h2' ? overHttp2() : overHttp1()
try {
  const answers = []
  for (let count = 0; count < (options.requests ?? 1); count += 1) answers.push(await client.once())
  const last = answers.at(-1)
  console.log(JSON.stringify({ ...last, localPorts: answers.map((answer) => answer.localPort) }))
} catch (error) {
  console.log(JSON.stringify({ error: error.code ?? error.message }))
  process.exitCode = 1
} finally {
  client.close()
}
