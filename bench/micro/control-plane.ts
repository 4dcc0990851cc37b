// Operations of the control plane: what a reload and a scrape of the counters cost.
import { readFileSync } from 'node:fs'
import { diff } from '../../src/config/diff.js'
import type { Wanted } from '../../src/config/diff.js'
import { parseConfig } from '../../src/config/parse.js'
import type { ConfigInput } from '../../src/config/schema.js'
import { createEngine } from '../../src/native/binding.js'
import { CounterReader } from '../../src/stats/counters.js'
import { toPrometheus } from '../../src/stats/prometheus.js'
import { Snapshot } from '../../src/stats/snapshot.js'
import type { Operation } from './operation.js'

const kServices = [1, 100]

export function controlPlaneOperations(): Operation[] {
  return [...kServices.flatMap(configOperations), ...counterOperations()]
}

function configOperations(services: number): Operation[] {
  const input = configOf(services, 300)
  const [before, after] = [wantedOf(input), wantedOf(configOf(services, 301))]
  const of = services === 1 ? '1 service' : `${services} services`
  return [
    { name: `check a configuration of ${of}`, batch: 1, run: () => parseConfig(input, '/') },
    { name: `diff of ${of}, all changed`, batch: 1, run: () => diff(before, after) },
    { name: `diff of ${of}, none changed`, batch: 1, run: () => diff(before, before) },
  ]
}

function configOf(services: number, idleS: number): ConfigInput {
  const one = (index: number): ConfigInput['services'][string] => ({
    listen: { address: '203.0.113.10', port: 1_000 + index },
    servers: [{ address: '203.0.113.10', port: 80 }],
    timeouts: { idle: `${idleS}s` },
    tls: { certificates: [{ certificate: 'a.crt', key: 'a.key' }] },
  })
  const names = Array.from({ length: services }, (_, index) => [`service-${index}`, one(index)] as const)
  return { interfaces: { wan: { device: 'eth0' }, lan: { device: 'eth1' } }, services: Object.fromEntries(names) }
}

function wantedOf(input: ConfigInput): Wanted {
  const config = parseConfig(input, '/')
  return { config, digests: new Map([...config.services.keys()].map((name) => [name, 'digest'])) }
}

/** The engine is not started here (that needs a device), so its own reading has few counters; the text has all that are documented. */
function counterOperations(): Operation[] {
  const reader = new CounterReader(createEngine())
  const few = [...reader.read(0).entries()].length
  const page = readFileSync(new URL('../../docs/counters.md', import.meta.url), 'utf8')
  const names = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => ({ name, service: '' }))
  const snapshot = new Snapshot(0, names, new BigUint64Array(names.length).fill(1_234_567n))
  const facts = { version: '0', aead: 'none', ports: new Map(), servers: [] }
  return [
    { name: `read ${few} counters of an engine`, batch: 1, run: () => reader.read(0) },
    { name: `${names.length} counters as Prometheus text`, batch: 1, run: () => toPrometheus(snapshot, facts) },
    { name: `${names.length} counters as JSON`, batch: 1, run: () => JSON.stringify(snapshot) },
  ]
}
