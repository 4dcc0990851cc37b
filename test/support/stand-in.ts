// A terminating HAProxy in the appliance's place (CUTWATER_SUBJECT=haproxy): to try the tests themselves, and to see what a
// conventional device answers. It takes over the server's address and reaches the server at a second one.
import { readFileSync, writeFileSync } from 'node:fs'
import type { ServiceInput } from '../../src/config/schema.js'
import { kAddresses } from '../../src/demo/network.js'
import type { Network } from '../../src/demo/network.js'
import type { RunningProcess } from '../../src/demo/command.js'
import { waitForListener } from './servers.js'

const kSecondAddress = { v4: '203.0.113.11', v6: '2001:db8:5::11' } as const

export async function startStandIn(
  network: Network,
  services: Readonly<Record<string, ServiceInput>>,
): Promise<RunningProcess> {
  const { server } = kAddresses
  await network.server.output(['ip', 'addr', 'add', `${kSecondAddress.v4}/24`, 'dev', 's0'])
  await network.server.output(['ip', 'addr', 'add', `${kSecondAddress.v6}/64`, 'dev', 's0', 'nodad'])
  await network.appliance.output(['ip', 'addr', 'add', `${server.v4}/32`, 'dev', 'lo'])
  await network.appliance.output(['ip', 'addr', 'add', `${server.v6}/128`, 'dev', 'lo'])
  const blocks = Object.entries(services).map(([name, service]) => blockOf(network, name, service))
  const file = network.file('stand-in.cfg')
  writeFileSync(
    file,
    `global
  maxconn 15000
  no strict-limits
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
${blocks.join('')}`,
  )
  const running = network.appliance.start(['haproxy', '-f', file, '-db', '-q'])
  await waitForListener(network.appliance, running, Object.values(services)[0]?.listen.port ?? 443)
  return running
}

function blockOf(network: Network, name: string, service: ServiceInput): string {
  const list = network.file(`${name}.list`)
  const { tls, listen, servers } = service
  if (tls === undefined) throw new Error(`${name}: the stand-in ends TLS`)
  const pems = tls.certificates.map(({ certificate, key }, index) => {
    const pem = network.file(`${name}-${index}.pem`)
    writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
    return pem
  })
  writeFileSync(list, `${pems.join('\n')}\n`)
  const alpn = tls.protocols?.length ? ` alpn ${tls.protocols.join(',')}` : ''
  const strict = tls.requireKnownName === true ? ' strict-sni' : ''
  const mutual =
    tls.clientAuth === undefined || tls.clientAuth === 'none'
      ? ''
      : ` ca-file ${tls.clientCa ?? ''} verify ${tls.clientAuth}`
  const isV6 = listen.address.includes(':')
  const address = isV6 ? kSecondAddress.v6 : kSecondAddress.v4
  return `listen ${name}
  bind ${isV6 ? `[${listen.address}]` : listen.address}:${listen.port} ssl crt-list ${list}${alpn}${strict}${mutual} backlog 65535
  server one ${isV6 ? `[${address}]` : address}:${servers[0]?.port ?? 80}
`
}
