// One nginx of several behind a balanced service: tells its name, its clients, and whether it is ready.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { KeyPair } from '../../src/demo/certificates.js'
import type { RunningProcess } from '../../src/demo/command.js'
import type { Network } from '../../src/demo/network.js'
import { waitForListener } from './servers.js'

export interface BalancedNginx {
  readonly running: RunningProcess
  accessLog(): { readonly client: string; readonly request: string }[]
  /** What `/ready` answers from now on. */
  answerReady(status: 200 | 503): void
}

/** Listens on port 80 (HTTP/1.1), on port 81 for connections that begin with a PROXY header, and on port 82 (HTTP/2 in clear), and with `keys` on port 443 (TLS). */
export async function startBalancedNginx(
  network: Network,
  name: string,
  addresses: readonly string[],
  keys?: KeyPair,
): Promise<BalancedNginx> {
  const file = (what: string) => network.file(`balanced-${name}.${what}`)
  const hosts = addresses.map((address) => (address.includes(':') ? `[${address}]` : address))
  const listen = (port: number, how = '') => hosts.map((host) => `listen ${host}:${port} backlog=4096${how};`).join(' ')
  writeFileSync(file('log'), '')
  writeFileSync(
    file('conf'),
    `daemon off; worker_processes 1; error_log stderr warn; pid ${file('pid')};
events { worker_connections 15000; }
http {
  log_format seen '$remote_addr $request'; access_log ${file('log')} seen;
  keepalive_timeout 600s; keepalive_requests 1000000;
  client_body_temp_path ${file('body')}; proxy_temp_path ${file('proxy')};
  fastcgi_temp_path ${file('f')}; uwsgi_temp_path ${file('u')}; scgi_temp_path ${file('s')};
  server {
    ${listen(80)} ${listen(82, ' http2')}
    ${keys === undefined ? '' : `${listen(443, ' ssl http2')} ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${keys.certificate}; ssl_certificate_key ${keys.key};`}
    location = /hello { return 200 "hello from ${name}\\n"; }
    location = /ready { if (-f ${file('unready')}) { return 503; } return 200; }
  }
  server {
    ${listen(81, ' proxy_protocol')}
    location / { return 200 "from $remote_addr for $proxy_protocol_addr\\n"; }
  }
}
`,
  )
  const running = network.server.start(['nginx', '-c', file('conf'), '-e', 'stderr'])
  await waitForListener(network.server, running, 80, addresses[0])
  return {
    running,
    accessLog: () =>
      readFileSync(file('log'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.includes('/ready'))
        .map((line) => ({ client: line.split(' ')[0] ?? '', request: line.slice(line.indexOf(' ') + 1) })),
    answerReady: (status) => {
      if (status === 503) writeFileSync(file('unready'), '')
      else if (existsSync(file('unready'))) rmSync(file('unready'))
    },
  }
}
