// The real clients, each fetching one page its own way. All return the same answer, so that one table can drive them.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import type { CommandResult } from '../../src/demo/command.js'
import type { Host } from '../../src/demo/network.js'
import { programFile } from './servers.js'
import { kServerName } from './trust.js'
import type { Trust } from './trust.js'
import { kSuites } from './suites.js'
import type { TlsVersion } from './suites.js'

export interface Request {
  readonly host: Host
  readonly trust: Trust
  readonly address: string
  readonly port: number
  readonly path: string
  readonly version: TlsVersion
  /** Registered name. Default: the client's own preference. */
  readonly suite?: string
}

export interface Answer {
  readonly body: string
  /** As the program says it; absent when it does not. */
  readonly version?: TlsVersion
}

export type Client = (request: Request) => Promise<Answer>

const kTimeoutMs = 20_000

function insist(result: CommandResult, argv: readonly string[]): CommandResult {
  if (result.code === 0) return result
  throw new Error(
    `${argv.join(' ')}: exit ${result.code ?? result.signal}\n${result.stdout.slice(-800)}\n${result.stderr.slice(-2_000)}`,
  )
}

async function succeed(request: Request, argv: readonly string[], input?: string): Promise<CommandResult> {
  return insist(
    await request.host.run(argv, { timeoutMs: kTimeoutMs, ...(input === undefined ? {} : { input }) }),
    argv,
  )
}

function suiteOf(request: Request): (typeof kSuites)[string] | undefined {
  return request.suite === undefined ? undefined : kSuites[request.suite]
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function httpRequest(request: Request): string {
  return `GET ${request.path} HTTP/1.1\r\nHost: ${kServerName}\r\nConnection: close\r\n\r\n`
}

function bodyOf(text: string): string {
  const start = text.indexOf('HTTP/1.1 200')
  const end = text.indexOf('\r\n\r\n', start)
  if (start < 0 || end < 0) throw new Error(`no answer in: ${text.slice(0, 1_000)}`)
  return text.slice(end + 4)
}

const curl: Client = async (request) => {
  const suite = suiteOf(request)
  const version = request.version === '1.3' ? ['--tlsv1.3'] : ['--tlsv1.2', '--tls-max', '1.2']
  const cipher = suite === undefined ? [] : [request.version === '1.3' ? '--tls13-ciphers' : '--ciphers', suite.openssl]
  const { stdout } = await succeed(request, [
    'curl', '-sS', '--http1.1', '--max-time', '15', '--cacert', request.trust.authority.certificate, ...version, ...cipher,
    '--resolve', `${kServerName}:${request.port}:${bracketed(request.address)}`, `https://${kServerName}:${request.port}${request.path}`,
  ]) // prettier-ignore
  return { body: stdout }
}

const sClient: Client = async (request) => {
  const suite = suiteOf(request)
  const version = request.version === '1.3' ? '-tls1_3' : '-tls1_2'
  const cipher = suite === undefined ? [] : [request.version === '1.3' ? '-ciphersuites' : '-cipher', suite.openssl]
  const { stdout, stderr } = await succeed(
    request,
    [
      'openssl', 's_client', '-connect', `${bracketed(request.address)}:${request.port}`, '-servername', kServerName, '-verify_return_error',
      '-CAfile', request.trust.authority.certificate, '-brief', '-ign_eof', version, ...cipher,
    ],
    httpRequest(request),
  ) // prettier-ignore
  const said = /Protocol version: TLSv(1\.[23])/.exec(stderr + stdout)?.[1] as TlsVersion | undefined
  return { body: bodyOf(stdout), ...(said === undefined ? {} : { version: said }) }
}

const gnutls: Client = async (request) => {
  const suite = suiteOf(request)
  const priority = `NORMAL:-VERS-ALL:+VERS-TLS${request.version}${suite === undefined ? '' : `:${suite.gnutls}`}`
  const argv = [
    'gnutls-cli', '--x509cafile', request.trust.authority.certificate, '--sni-hostname', kServerName, '--verify-hostname', kServerName,
    '--priority', priority, '-p', String(request.port), request.address,
  ] // prettier-ignore
  // gnutls-cli ends the connection when its input ends, so the input stays open until the answer is there.
  const running = request.host.start(argv)
  try {
    running.write(httpRequest(request))
    const text = await running.until((stdout) => stdout.includes('Peer has closed') && stdout, kTimeoutMs)
    const body = bodyOf(text).replace(/- Peer has closed[^]*$/, '')
    const said = /TLS(1\.[23])/.exec(text)?.[1] as TlsVersion | undefined
    return { body, ...(said === undefined ? {} : { version: said }) }
  } finally {
    await running.stop()
  }
}

const nss: Client = async (request) => {
  const suite = suiteOf(request)
  const cipher = suite === undefined ? [] : ['-c', `:${suite.number}`]
  const argv = [
    'tstclnt', '-h', request.address, '-p', String(request.port), '-a', kServerName, '-d', `sql:${request.trust.nssFolder}`,
    '-V', `tls${request.version}:tls${request.version}`, '-o', ...cipher,
  ].filter((word) => word !== '-o') // prettier-ignore
  const running = request.host.start(argv)
  try {
    running.write(httpRequest(request))
    const text = await running.until((stdout) => /HTTP\/1\.1 200[^]*\r\n\r\n[^]*\n$/.test(stdout) && stdout, kTimeoutMs)
    return { body: bodyOf(text) }
  } finally {
    await running.stop()
  }
}

const node: Client = async (request) => {
  const { stdout } = await succeed(request, [
    process.execPath,
    programFile('node-client.mjs'),
    scriptArguments(request),
  ])
  return scriptAnswer(stdout)
}

const python: Client = async (request) => {
  const { stdout } = await succeed(request, ['python3', programFile('python-client.py'), scriptArguments(request)])
  return scriptAnswer(stdout)
}

function scriptArguments(request: Request): string {
  const { address, port, path, version } = request
  const ciphers = suiteOf(request)?.openssl
  return JSON.stringify({
    address,
    port,
    name: kServerName,
    path,
    version,
    ciphers,
    ca: request.trust.authority.certificate,
  })
}

function scriptAnswer(stdout: string): Answer {
  const said = JSON.parse(stdout) as { status: number; body: string; version: string }
  if (said.status !== 200) throw new Error(stdout)
  return { body: said.body, version: said.version.replace('TLSv', '') as TlsVersion }
}

/** Chromium takes no private authority on the command line, so it is given the server keys to accept and no others. */
const chromium: Client = async (request) => {
  const keys = Object.values(request.trust.server)
    .map(({ certificate }) => keyHash(certificate))
    .join(',')
  const folder = `${request.trust.folder}/chromium-${process.pid}-${Date.now()}`
  const { stdout } = await succeed(request, [
    'chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--user-data-dir=${folder}`, `--ignore-certificate-errors-spki-list=${keys}`,
    `--host-resolver-rules=MAP ${kServerName} ${bracketed(request.address)}`,
    ...(request.version === '1.2' ? ['--ssl-version-max=tls1.2'] : ['--ssl-version-min=tls1.3']),
    '--dump-dom', `https://${kServerName}:${request.port}${request.path}`,
  ]) // prettier-ignore
  return { body: stdout }
}

function keyHash(file: string): string {
  const spki = new X509Certificate(readFileSync(file)).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}

/**
 * Go's crypto/tls, by a load generator that is written in it: `connections` handshakes, a page each. It checks no certificate
 * and cannot be told a version. Returns: how many pages came.
 */
export async function fetchByGo(request: Omit<Request, 'trust' | 'version'>, connections = 1): Promise<number> {
  const url = `https://${bracketed(request.address)}:${request.port}${request.path}`
  const count = ['-n', String(connections), '-c', '1', '-disable-keepalive']
  const { stdout } = insist(
    await request.host.run(['hey', ...count, '-host', kServerName, url], { timeoutMs: kTimeoutMs }),
    ['hey'],
  )
  return Number(/\[200\]\s+(\d+) responses/.exec(stdout)?.[1] ?? 0)
}

/** Those that can be told which suite to use. Python only in TLS 1.2. */
export const kSuiteClients: Readonly<Record<string, Client>> = {
  curl,
  'openssl s_client': sClient,
  'gnutls-cli': gnutls,
  'NSS tstclnt': nss,
  node,
  python,
}

export const kClients: Readonly<Record<string, Client>> = { ...kSuiteClients, 'headless Chromium': chromium }
