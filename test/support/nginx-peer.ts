// nginx as a terminating device beside the appliance, on the appliance's own address: what an upload is compared with.
import { writeFileSync } from 'node:fs'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import { waitForListener } from './servers.js'

/** Starts it in front of a port of the server. Returns: where clients connect. */
export async function startNginxPeer(
  network: Network,
  serverPort: number,
  keys: KeyPair,
): Promise<{ address: string; port: number }> {
  const [address, port] = [kAddresses.wan.v4, 443]
  const file = network.file('nginx-peer.conf')
  writeFileSync(
    file,
    `daemon off; worker_processes 1; error_log stderr crit; pid ${network.file('nginx-peer.pid')};
events { worker_connections 4096; }
http {
  access_log off; tcp_nodelay on; client_max_body_size 0;
  client_body_temp_path ${network.file('peer-body')}; proxy_temp_path ${network.file('peer-proxy')};
  fastcgi_temp_path ${network.file('peer-f')}; uwsgi_temp_path ${network.file('peer-u')}; scgi_temp_path ${network.file('peer-s')};
  server {
    listen ${address}:${port} ssl;
    ssl_certificate ${keys.certificate}; ssl_certificate_key ${keys.key}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://${kAddresses.server.v4}:${serverPort}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_max_temp_file_size 0;
    }
  }
}
`,
  )
  const running = network.appliance.start(['nginx', '-c', file, '-e', 'stderr'])
  await waitForListener(network.appliance, running, port)
  return { address, port }
}
