/** The one line that says traffic can flow, for people and for programs. */
import type { Appliance } from '../appliance.js'
import { type Config, formatEndpoint, formatListen } from '../config/defaults.js'
import type { PortReport } from '../native/contract.js'

export function formatReady({ config, ready }: Appliance): string {
  const services = [...config.services].map(([name, service]) => {
    const targets = service.servers.map(formatEndpoint).join(', ')
    return `${name} ${formatListen(service)} ${service.mode} -> ${targets}`
  })
  const ports = [...ready.ports].map(([name, port]) => `${name} ${formatPort(port)}`)
  return `cutwater: ready: ${services.join('; ')} (${ports.join(', ')})`
}

function formatPort({ device, kind, attachMode, copyMode }: PortReport): string {
  return [device, kind, attachMode, copyMode].filter(Boolean).join(' ')
}

export function toReadyJson(
  { config, ready }: Appliance,
  facts: { version: string; pid: number; control: string | null },
) {
  const interfaces = [...ready.ports].map(([name, port]) => [
    name,
    {
      device: port.device,
      port: port.kind,
      ...(port.attachMode ? { attach: port.attachMode } : {}),
      ...(port.copyMode ? { copy: port.copyMode } : {}),
      queues: port.queues,
      mtu: port.mtu,
      mac: port.mac,
    },
  ])
  return {
    event: 'ready',
    ...facts,
    interfaces: Object.fromEntries(interfaces) as object,
    services: Object.fromEntries(toServices(config)) as object,
    aead: ready.aead,
    warnings: ready.warnings,
  }
}

function toServices(config: Config) {
  return [...config.services].map(([name, { mode, listen, alsoListen, servers, clientSide, serverSide }]) => [
    name,
    {
      mode,
      listen: formatEndpoint(listen),
      ...(alsoListen.length > 0 ? { alsoListen: alsoListen.map(formatEndpoint) } : {}),
      servers: servers.map(formatEndpoint),
      clientSide,
      serverSide,
    },
  ])
}
