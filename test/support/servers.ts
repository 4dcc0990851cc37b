// The real servers behind the appliance: nginx, Apache, a Node server (HTTP/1.1 and h2c), the sink for transfers, one that misbehaves.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunningProcess } from '../../src/demo/command.js'
import type { Host, Network } from '../../src/demo/network.js'

export { startSink } from '../../bench/e2e/load-tool.js'

export function programFile(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url))
}

/** What a line of nginx's access log says here. */
export interface AccessLine {
  readonly client: string
  readonly port: number
  readonly request: string
  readonly status: number
  /** How many requests that connection has carried. */
  readonly requests: number
}

export interface Nginx {
  readonly running: RunningProcess
  accessLog(): AccessLine[]
}

/** nginx on ports 80 (HTTP/1.1) of every address; `/hello` and 404s, files from `files/` of the network's folder. */
export async function startNginx(network: Network): Promise<Nginx> {
  const log = network.file('access.log')
  const config = network.file('nginx.conf')
  writeFileSync(log, '')
  writeFileSync(
    config,
    `daemon off; worker_processes 1; error_log stderr warn; pid ${network.file('nginx.pid')};
events { worker_connections 15000; }
http {
  log_format seen '$remote_addr $remote_port $status $connection_requests $request';
  access_log ${log} seen;
  keepalive_timeout 600s; keepalive_requests 1000000;
  client_body_temp_path ${network.file('body')}; proxy_temp_path ${network.file('proxy')};
  fastcgi_temp_path ${network.file('f')}; uwsgi_temp_path ${network.file('u')}; scgi_temp_path ${network.file('s')};
  server {
    listen 80 backlog=16384; listen [::]:80 backlog=16384;
    root ${network.file('files')};
    location = /hello { default_type text/html; return 200 "<html><body>hello from nginx</body></html>\\n"; }
  }
}
`,
  )
  const running = network.server.start(['nginx', '-c', config, '-e', 'stderr'])
  await waitForListener(network.server, running, 80)
  return {
    running,
    accessLog: () => readFileSync(log, 'utf8').split('\n').filter(Boolean).map(parseAccessLine),
  }
}

function parseAccessLine(line: string): AccessLine {
  const [client = '', port, status, requests, ...request] = line.split(' ')
  return { client, port: Number(port), status: Number(status), requests: Number(requests), request: request.join(' ') }
}

/** With `log`, a file: "client path" for each request. */
export async function startNodeServer(network: Network, port: number, log?: string): Promise<RunningProcess> {
  const argv = [process.execPath, programFile('backend.mjs'), String(port)]
  return startProgram(network.server, log === undefined ? argv : [...argv, log])
}

/**
 * Apache on port 80 (HTTP/1.1) and 82 (HTTP/2 in clear) of `addresses`: `/hello`; its access log is "client path" a line. Its name says
 * https, without which it refuses HTTP/2 requests that do.
 */
export async function startApache(
  network: Network,
  addresses: readonly string[],
  log: string,
): Promise<RunningProcess> {
  const file = (what: string) => network.file(`apache-${what}`)
  const modules = ['mpm_event', 'authz_core', 'http2']
  const hosts = addresses.map((address) => (address.includes(':') ? `[${address}]` : address))
  mkdirSync(file('pages'))
  writeFileSync(join(file('pages'), 'hello'), 'hello from apache\n')
  writeFileSync(
    file('conf'),
    `ServerRoot ${network.folder}
ServerName https://localhost
PidFile ${file('pid')}
DefaultRuntimeDir ${network.folder}
User www-data
Group www-data
${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
${hosts.flatMap((host) => [80, 82].map((port) => `Listen ${host}:${port}`)).join('\n')}
Protocols h2c http/1.1
MaxKeepAliveRequests 0
KeepAliveTimeout 600
DocumentRoot ${file('pages')}
LogFormat "%a %U" seen
CustomLog ${log} seen
ErrorLog ${file('errors')}
`,
  )
  const running = network.server.start(['apache2', '-D', 'FOREGROUND', '-f', file('conf')])
  await waitForListener(network.server, running, 80, addresses[0])
  return running
}

/** Speaks first, then echoes. */
export async function startGreeter(network: Network, port: number): Promise<RunningProcess> {
  return startProgram(network.server, [process.execPath, programFile('greeter.mjs'), String(port)])
}

export async function startOddServer(network: Network, port: number): Promise<RunningProcess> {
  return startProgram(network.server, ['python3', programFile('odd-server.py'), String(port)])
}

async function startProgram(host: Host, argv: readonly string[]): Promise<RunningProcess> {
  const running = host.start(argv)
  await running.until((stdout) => stdout.includes('ready'))
  return running
}

/** Until somebody listens on a port, of `address` if it is given. */
export async function waitForListener(
  host: Host,
  running: RunningProcess,
  port: number,
  address?: string,
): Promise<void> {
  const filter = `sport = :${port}${address === undefined ? '' : ` and src ${address}`}`
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await host.output(['ss', '-Hltn', filter])).length > 0) return
    if (running.result !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${running.argv.join(' ')} does not listen on ${port}: ${running.stderr.slice(-2_000)}`)
}
