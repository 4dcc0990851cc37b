// nginx as a server that ends TLS itself, behind services with `serverTls`: a port for each of its ways.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { KeyPair } from '../../src/demo/certificates.js'
import type { RunningProcess } from '../../src/demo/command.js'
import type { Network } from '../../src/demo/network.js'
import { waitForListener } from './servers.js'

export interface TlsListener {
  readonly port: number
  readonly pair: KeyPair
  readonly versions: string
  /** Clients must have a certificate of this authority. */
  readonly clientAuthority?: KeyPair
  readonly http2?: boolean
}

export interface TlsNginx {
  readonly running: RunningProcess
  /** A file that is served under this name, or was put there. */
  file(name: string): string
  /** "port protocol cipher sni client subject request" for each request. */
  log(): readonly string[]
}

/** Serves `/hello`, files by GET and PUT; tells of each request what its TLS was. */
export async function startTlsNginx(network: Network, listeners: readonly TlsListener[]): Promise<TlsNginx> {
  const file = (what: string) => network.file(`tls-${what}`)
  mkdirSync(file('files'), { mode: 0o777 })
  writeFileSync(file('log'), '')
  const server = ({ port, pair, versions, clientAuthority, http2 }: TlsListener) => `server {
    listen ${port} ssl${http2 === true ? ' http2' : ''}; listen [::]:${port} ssl${http2 === true ? ' http2' : ''};
    ssl_protocols ${versions}; ssl_certificate ${pair.certificate}; ssl_certificate_key ${pair.key};
    ${clientAuthority === undefined ? '' : `ssl_verify_client on; ssl_client_certificate ${clientAuthority.certificate};`}
    root ${file('files')}; dav_methods PUT; create_full_put_path on; client_max_body_size 200m;
    location = /hello { return 200 "hello from ${port}\\n"; }
    location = /who { return 200 "$ssl_client_s_dn\\n"; }
  }`
  writeFileSync(
    file('conf'),
    `user root; daemon off; worker_processes 1; error_log stderr warn; pid ${file('pid')};
events { worker_connections 4096; }
http {
  log_format seen '$server_port $ssl_protocol $ssl_cipher $ssl_server_name $remote_addr $request';
  access_log ${file('log')} seen; keepalive_timeout 600s; keepalive_requests 1000000;
  client_body_temp_path ${file('body')}; proxy_temp_path ${file('proxy')};
  fastcgi_temp_path ${file('f')}; uwsgi_temp_path ${file('u')}; scgi_temp_path ${file('s')};
  ${listeners.map(server).join('\n  ')}
}
`,
  )
  const running = network.server.start(['nginx', '-c', file('conf'), '-e', 'stderr'])
  for (const { port } of listeners) await waitForListener(network.server, running, port)
  return {
    running,
    file: (name) => `${file('files')}/${name}`,
    log: () => readFileSync(file('log'), 'utf8').split('\n').filter(Boolean),
  }
}
