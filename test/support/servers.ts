// The real servers behind the appliance: nginx, a Node server (HTTP/1.1 and h2c), the sink for transfers, one that misbehaves.
import { readFileSync, writeFileSync } from 'node:fs'
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

export async function startNodeServer(network: Network, port: number): Promise<RunningProcess> {
  return startProgram(network.server, [process.execPath, programFile('backend.mjs'), String(port)])
}

export async function startOddServer(network: Network, port: number): Promise<RunningProcess> {
  return startProgram(network.server, ['python3', programFile('odd-server.py'), String(port)])
}

async function startProgram(host: Host, argv: readonly string[]): Promise<RunningProcess> {
  const running = host.start(argv)
  await running.until((stdout) => stdout.includes('ready'))
  return running
}

export async function waitForListener(host: Host, running: RunningProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await host.output(['ss', '-Hltn', `sport = :${port}`])).length > 0) return
    if (running.result !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${running.argv.join(' ')} does not listen on ${port}: ${running.stderr.slice(-2_000)}`)
}
