/** The kernel beside us: it routes everything that is not a service's, and tells us the way to the servers. */
import { isIPv6 } from 'node:net'

import type { Config } from '../config/defaults.js'
import type { Finding } from './finding.js'
import { output, read } from './read.js'

export async function examineRouting(config: Config): Promise<Finding[]> {
  const services = [...config.services]
  const isV6 = services.flatMap(([, { listen, alsoListen }]) =>
    [listen, ...alsoListen].map(({ address }) => isIPv6(address)),
  )
  const devices = new Set([...config.interfaces.values()].map(({ device }) => device))
  const found = await Promise.all([
    isV6.includes(false) ? judgeForwarding('IPv4', 'net.ipv4.ip_forward') : [],
    isV6.includes(true) ? judgeForwarding('IPv6', 'net.ipv6.conf.all.forwarding') : [],
    ...[...devices].map(judgeReversePath),
    ...services.flatMap(([name, { serverSide, servers }]) => {
      const device = config.interfaces.get(serverSide)?.device ?? ''
      return servers.map(({ address }) => judgeRoute(name, address, device))
    }),
  ])
  return found.flat()
}

async function judgeForwarding(family: string, key: string): Promise<Finding[]> {
  const id = `forwarding:${family.toLowerCase()}`
  const value = await read(`/proc/sys/${key.replaceAll('.', '/')}`)
  if (value === '1') return [{ id, status: 'ok', text: `the kernel forwards the other ${family} traffic` }]
  return [
    {
      id,
      status: 'warn',
      text: `the kernel does not forward ${family}: only the services' own ports get through, not ping, not ICMP errors`,
      fix: [['sysctl', '-w', `${key}=1`]],
    },
  ]
}

/** The kernel uses the stricter of "all" and the device's own. Strict drops replies that come another way round. */
async function judgeReversePath(device: string): Promise<Finding[]> {
  const [all, own] = await Promise.all([
    read('/proc/sys/net/ipv4/conf/all/rp_filter'),
    read(`/proc/sys/net/ipv4/conf/${device}/rp_filter`),
  ])
  if (own === undefined) return []
  const effective = Math.max(Number(all), Number(own))
  const id = `rp-filter:${device}`
  if (effective !== 1) return [{ id, status: 'ok', text: `${device} takes packets whatever way their answers go` }]
  return [
    {
      id,
      status: 'note',
      text: `${device} filters strictly by reverse path; with routes that differ by direction, loose is needed`,
      fix: [['sysctl', '-w', `net.ipv4.conf.${device}.rp_filter=2`]],
    },
  ]
}

interface Route {
  readonly dev?: string
  readonly gateway?: string
}

async function judgeRoute(service: string, address: string, device: string): Promise<Finding[]> {
  const id = `route:${service}:${address}`
  const { code, stdout, stderr } = await output(['ip', '-j', 'route', 'get', address])
  if (code !== 0) {
    return [{ id, status: 'fail', text: `${service}: no route to server ${address} (${stderr.trim() || 'ip failed'})` }]
  }
  const [route] = JSON.parse(stdout) as Route[]
  if (route?.dev === 'lo') {
    const text = `${service}: server ${address} is this machine itself; the way there must lead through ${device}`
    return [{ id, status: 'warn', text }]
  }
  if (route?.dev !== device) {
    const text = `${service}: the route to server ${address} leads through ${route?.dev ?? 'nothing'}, not ${device}`
    return [{ id, status: 'fail', text }]
  }
  return [{ id, status: 'ok', text: `${service}: server ${address} is reached through ${device}${via(route)}` }]
}

function via({ gateway }: Route): string {
  return gateway === undefined ? '' : ` by way of ${gateway}`
}
