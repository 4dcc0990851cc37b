import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { describe, expect, it } from 'vitest'

import { MetricsServer } from '../../../src/stats/metrics-server.js'
import { toPrometheus } from '../../../src/stats/prometheus.js'
import { Snapshot } from '../../../src/stats/snapshot.js'

const facts = {
  version: '1.2.3',
  aead: 'ipsec-mb',
  ports: new Map([
    [
      'wan',
      {
        device: 'eth0',
        kind: 'xsk',
        attachMode: 'driver',
        copyMode: 'copy',
        queues: 1,
        mtu: 1500,
        ifindex: 2,
        mac: '02:00:00:00:00:01',
      },
    ],
  ]),
  servers: [
    {
      service: 'shop',
      name: 'a',
      address: '192.0.2.1:80',
      state: 'draining',
      weight: 1,
      maxSessions: 0,
      sessions: 7,
      opened: 8,
      failures: 9,
    },
  ],
}
const counters: readonly [string, string, bigint][] = [
  ['packets_to_clients', '', 18_446_744_073_709_551_615n],
  ['records_opened', 'a', 1n],
  ['drop_bad_checksum', '', 2n],
  ['reset_bad_tag', 'a', 3n],
  ['handshake_no_shared_suite', 'we"ird\\na\nme', 4n],
  ['records_opened', 'b', 5n],
  ['live_flows', '', 6n],
]
const snapshot = new Snapshot(
  0,
  counters.map(([name, service]) => ({ name, service })),
  BigUint64Array.from(counters.map(([, , value]) => value)),
)
const text = toPrometheus(snapshot, facts)

describe('prometheus text', () => {
  it.each([
    'cutwater_info{version="1.2.3",aead="ipsec-mb"} 1',
    'cutwater_port_info{interface="wan",device="eth0",port="xsk",attach="driver",copy="copy"} 1',
    'cutwater_server_up{service="shop",server="a",address="192.0.2.1:80"} 0',
    'cutwater_server_sessions{service="shop",server="a",address="192.0.2.1:80"} 7',
    'cutwater_server_opened_total{service="shop",server="a",address="192.0.2.1:80"} 8',
    'cutwater_server_failures_total{service="shop",server="a",address="192.0.2.1:80"} 9',
    'cutwater_packets_to_clients_total 18446744073709551615',
    'cutwater_records_opened_total{service="a"} 1',
    'cutwater_records_opened_total{service="b"} 5',
    'cutwater_drops_total{reason="bad_checksum"} 2',
    'cutwater_resets_total{reason="bad_tag",service="a"} 3',
    'cutwater_handshake_failures_total{reason="no_shared_suite",service="we\\"ird\\\\na\\nme"} 4',
    '# TYPE cutwater_live_flows gauge',
    'cutwater_live_flows 6',
  ])('has the line %s', (line) => {
    expect(text.split('\n')).toContain(line)
  })

  it('keeps to the format: each metric once, help and type before its samples', () => {
    const seen = new Set<string>()
    let current = ''
    expect(text.endsWith('\n')).toBe(true)
    for (const line of text.trimEnd().split('\n')) {
      const head = /^# HELP (\S+) ./.exec(line)
      if (head?.[1]) {
        expect(seen).not.toContain(head[1])
        seen.add((current = head[1]))
      } else if (line.startsWith('#')) {
        expect(line).toMatch(new RegExp(`^# TYPE ${current} (counter|gauge)$`))
      } else {
        expect(line).toMatch(new RegExp(`^${current}(\\{(\\w+="([^"\\\\\\n]|\\\\["\\\\n])*",?)+\\})? \\d+$`))
      }
    }
  })
})

describe('metrics endpoint', () => {
  const freePort = async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  it('serves the text, a health check, and nothing else', async () => {
    const port = await freePort()
    let scrapes = 0
    const server = await MetricsServer.listen({ address: '127.0.0.1', port }, () => `scrapes ${++scrapes}\n`)
    const base = `http://127.0.0.1:${port}`
    try {
      const response = await fetch(`${base}/metrics`)
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(await response.text()).toBe('scrapes 1\n')
      expect(await (await fetch(`${base}/metrics?x=1`)).text()).toBe('scrapes 2\n')
      expect((await fetch(`${base}/healthz`)).status).toBe(200)
      expect((await fetch(`${base}/`)).status).toBe(404)
      expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405)
      await expect(MetricsServer.listen({ address: '127.0.0.1', port }, () => '')).rejects.toMatchObject({
        code: 'METRICS_UNAVAILABLE',
      })
    } finally {
      await Promise.all([server.close(), server.close()])
    }
    await expect(fetch(`${base}/metrics`)).rejects.toThrow()
  })
})
