// What is compared: Cutwater, three TLS terminators of Debian, and no TLS at all as the floor. Each runs alone on the
// device core of the same network and forwards to the same server.
import { writeFileSync, readFileSync } from 'node:fs'
import { outputOf } from '../../src/demo/command.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import { kManyFiles } from './load-tool.js'
import { processTree } from './process-cost.js'
import { startCutwater } from './cutwater.js'

/** The core of the device; client and server share the other. */
export const kDeviceCore = 1
export const kLoadCore = 0

/** A device that carries traffic now. */
export interface RunningDevice {
  /** Where clients connect. */
  readonly address: string
  readonly port: number
  readonly plain: 'plain' | 'tls'
  /** The process that started it and, below it, all its workers; -1: the kernel alone. */
  readonly pid: number
  /** How it says it runs, for the record. */
  readonly note: string
  /** Clients it has that did not finish their handshake; absent: it does not tell. */
  halfOpen?(): Promise<number>
  /** A busy-polling worker's own account of its busy time in seconds; absent: the processes' times tell. */
  busySeconds?(): Promise<number>
  stop(): Promise<void>
}

export type DeviceName = 'cutwater' | 'cutwater-packet' | 'cutwater-proxy' | 'nginx' | 'haproxy' | 'hitch' | 'no-tls'

export const kDeviceNames: readonly DeviceName[] = [
  'cutwater',
  'cutwater-packet',
  'cutwater-proxy',
  'nginx',
  'haproxy',
  'hitch',
  'no-tls',
]

/** Kernel work for a device's packets is done on the device's core, for the others' on theirs: what interrupts do on real cards. */
export async function steerPacketWork(network: Network): Promise<void> {
  const steer = (device: string, core: number): string[] => [
    'sh',
    '-c',
    `echo ${1 << core} > /sys/class/net/${device}/queues/rx-0/rps_cpus`,
  ]
  await network.appliance.output(steer('wan', kDeviceCore))
  await network.appliance.output(steer('lan', kDeviceCore))
  await network.client.output(steer('c0', kLoadCore))
  await network.server.output(steer('s0', kLoadCore))
}

/** Starts a device in the appliance of `network`. */
export async function startDevice(name: DeviceName, network: Network, keys: KeyPair): Promise<RunningDevice> {
  switch (name) {
    case 'cutwater':
      return startCutwater(network, keys, 'xsk')
    case 'cutwater-packet':
      return startCutwater(network, keys, 'packet')
    case 'cutwater-proxy':
      return startCutwater(network, keys, 'xsk', { mode: 'proxy' })
    case 'nginx':
      return startPeer(network, nginxCommand(network, keys))
    case 'haproxy':
      return startPeer(network, haproxyCommand(network, keys))
    case 'hitch':
      return startPeer(network, hitchCommand(network, keys))
    case 'no-tls':
      return {
        address: kAddresses.server.v4,
        port: 80,
        plain: 'plain',
        pid: -1,
        note: 'kernel routing',
        stop: () => Promise.resolve(),
      }
    default:
      throw new Error(`unreachable: ${name satisfies never}`)
  }
}

async function startPeer(network: Network, argv: readonly string[]): Promise<RunningDevice> {
  const running = network.appliance.start([...kManyFiles, 'taskset', '-c', String(kDeviceCore), ...argv])
  await waitForListener(network, running)
  for (const pid of processTree(running.pid)) await outputOf(['taskset', '-cp', String(kDeviceCore), String(pid)]) // hitch moves its worker
  return {
    address: kAddresses.wan.v4,
    port: 443,
    plain: 'tls',
    pid: running.pid,
    note: argv[0] ?? '',
    stop: async () => void (await running.stop('SIGTERM', 2_000)),
  }
}

async function waitForListener(network: Network, running: RunningProcess): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const listening = await network.appliance.output(['ss', '-Hltn', 'sport = :443'])
    if (listening.includes(':443')) return
    if (running.result !== undefined) break
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${running.argv.join(' ')} does not listen: ${running.stderr.slice(-2_000)}`)
}

/** Where a terminator forwards to, as its configuration says it: "address:port", nginx and HAProxy also with "weight=N" or "weight N". */
const kOneServer: readonly string[] = [`${kAddresses.server.v4}:80`]

/** Writes nginx's configuration, anew each time. Returns: the command that runs it. */
export function nginxCommand(network: Network, keys: KeyPair, servers = kOneServer): string[] {
  const file = network.file('peer-nginx.conf')
  writeFileSync(
    file,
    `daemon off; worker_processes 1; worker_rlimit_nofile 1048576; error_log stderr crit; pid ${network.file('peer-nginx.pid')};
events { worker_connections 200000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;
  client_body_temp_path ${network.file('body')}; proxy_temp_path ${network.file('proxy')};
  fastcgi_temp_path ${network.file('f')}; uwsgi_temp_path ${network.file('u')}; scgi_temp_path ${network.file('s')};
  upstream server { ${servers.map((server) => `server ${server};`).join(' ')} keepalive 64; keepalive_requests 1000000000; }
  server {
    listen ${kAddresses.wan.v4}:443 ssl backlog=65535;
    ssl_certificate ${keys.certificate}; ssl_certificate_key ${keys.key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:16m; ssl_session_timeout 1h;
    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256;
    client_max_body_size 0;
    location / {
      proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_request_buffering off; proxy_max_temp_file_size 0;
    }
  }
}
`,
  )
  return ['nginx', '-c', file, '-e', 'stderr']
}

/** The same for HAProxy, of one process. */
export function haproxyCommand(network: Network, keys: KeyPair, servers = kOneServer): string[] {
  const file = network.file('peer-haproxy.cfg')
  writeFileSync(network.file('peer.pem'), readFileSync(keys.certificate, 'utf8') + readFileSync(keys.key, 'utf8'), {
    mode: 0o600,
  })
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 200000
  no strict-limits
  tune.ssl.cachesize 100000
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  http-reuse safe
frontend tls
  bind ${kAddresses.wan.v4}:443 ssl crt ${network.file('peer.pem')} backlog 65535
  default_backend server
backend server
${servers.map((server, index) => `  server server${index} ${server}`).join('\n')}
`,
  )
  return ['haproxy', '-f', file, '-db', '-q']
}

function hitchCommand(network: Network, keys: KeyPair): string[] {
  writeFileSync(network.file('peer.pem'), readFileSync(keys.key, 'utf8') + readFileSync(keys.certificate, 'utf8'), {
    mode: 0o600,
  })
  return [
    'hitch', `--backend=[${kAddresses.server.v4}]:80`, `--frontend=[${kAddresses.wan.v4}]:443`, '-n', '1', '-B', '65535',
    '--tls-protos=TLSv1.2 TLSv1.3', '-u', 'nobody', '-g', 'nogroup', '--quiet', network.file('peer.pem'),
  ] // prettier-ignore
}
