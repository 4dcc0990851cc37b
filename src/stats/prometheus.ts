/**
 * Counters as Prometheus text (exposition format 0.0.4). Written out here and not by a client library, because those keep
 * values as doubles and counters of bytes pass 2^53.
 */
import type { PortReport, ServerEntry } from '../native/contract.js'
import { isGauge } from './counters.js'
import type { CounterValue, Snapshot } from './snapshot.js'

/** Families: counters that are one thing told apart by a reason. */
const families = [
  { prefix: 'drop_', metric: 'cutwater_drops_total', help: 'Packets dropped, by reason.' },
  { prefix: 'reset_', metric: 'cutwater_resets_total', help: 'Flows reset, by reason.' },
  { prefix: 'handshake_', metric: 'cutwater_handshake_failures_total', help: 'TLS handshakes failed, by reason.' },
] as const

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: bigint | number
}

interface Metric {
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: Sample[]
}

export interface Facts {
  readonly version: string
  readonly aead: string
  readonly ports: ReadonlyMap<string, PortReport>
  readonly servers: readonly ServerEntry[]
}

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

export function toPrometheus(snapshot: Snapshot, facts: Facts): string {
  const metrics = new Map<string, Metric>()
  metrics.set('cutwater_info', {
    help: 'What is running. Always 1.',
    type: 'gauge',
    samples: [{ labels: { version: facts.version, aead: facts.aead }, value: 1 }],
  })
  metrics.set('cutwater_port_info', {
    help: 'The mode each interface runs in. Always 1.',
    type: 'gauge',
    samples: [...facts.ports].map(([name, port]) => ({ labels: toPortLabels(name, port), value: 1 })),
  })
  for (const server of facts.servers) addServer(metrics, server)
  for (const counter of snapshot.entries()) addCounter(metrics, counter)
  return [...metrics].map(([name, metric]) => format(name, metric)).join('')
}

function toPortLabels(name: string, port: PortReport): Record<string, string> {
  return { interface: name, device: port.device, port: port.kind, attach: port.attachMode, copy: port.copyMode }
}

function addServer(metrics: Map<string, Metric>, one: ServerEntry): void {
  const labels = { service: one.service, server: one.name, address: one.address }
  const add = (name: string, help: string, type: Metric['type'], value: number) =>
    sampleOf(metrics, `cutwater_server_${name}`, help, type).push({ labels, value })
  add('up', 'Whether a server may get new flows (docs/balance.md).', 'gauge', one.state === 'up' ? 1 : 0)
  add('sessions', 'Flows of a server now.', 'gauge', one.sessions)
  add('opened_total', 'Flows a server has got.', 'counter', one.opened)
  add('failures_total', 'Times a server failed a client: refused, silent, or reset at once.', 'counter', one.failures)
}

function addCounter(metrics: Map<string, Metric>, { name, service, value }: CounterValue): void {
  const family = families.find(({ prefix }) => name.startsWith(prefix))
  const labels: Record<string, string> = service ? { service } : {}
  if (family) {
    sampleOf(metrics, family.metric, family.help, 'counter').push({
      labels: { reason: name.slice(family.prefix.length), ...labels },
      value,
    })
    return
  }
  const gauge = isGauge(name)
  const metric = `cutwater_${name}${gauge ? '' : '_total'}`
  sampleOf(metrics, metric, `Counter ${name} of the engine (docs/counters.md).`, gauge ? 'gauge' : 'counter').push({
    labels,
    value,
  })
}

function sampleOf(metrics: Map<string, Metric>, name: string, help: string, type: Metric['type']): Sample[] {
  let metric = metrics.get(name)
  if (!metric) metrics.set(name, (metric = { help, type, samples: [] }))
  return metric.samples
}

function format(name: string, { help, type, samples }: Metric): string {
  const lines = samples.map(({ labels, value }) => `${name}${formatLabels(labels)} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escape(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
