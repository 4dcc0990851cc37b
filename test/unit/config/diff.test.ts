import { describe, expect, it } from 'vitest'

import { describeAction } from '../../../src/config/actions.js'
import { diff, type Wanted } from '../../../src/config/diff.js'
import { parseConfig } from '../../../src/config/parse.js'
import type { ConfigInput, ServiceInput } from '../../../src/config/schema.js'

function service(change: Partial<ServiceInput> = {}, port = 443): ServiceInput {
  return {
    listen: { address: '203.0.113.10', port },
    servers: [{ address: '203.0.113.10', port: 80 }],
    tls: { certificates: [{ certificate: 'a.crt', key: 'a.key' }] },
    ...change,
  }
}

function wanted(services: Record<string, ServiceInput>, change: Partial<ConfigInput> = {}, digest = 'one'): Wanted {
  const interfaces = { wan: { device: 'eth0' }, lan: { device: 'eth1' } }
  return {
    config: parseConfig({ interfaces, services, ...change }, '/'),
    digests: new Map(Object.keys(services).map((name) => [name, digest])),
  }
}

const before = wanted({ a: service() })

describe('diff', () => {
  it.each<[string, Wanted, readonly string[]]>([
    ['nothing', wanted({ a: service() }), []],
    ['a service more', wanted({ a: service(), b: service({}, 8443) }), ['service b: added']],
    ['another service', wanted({ b: service() }), ['service a: removed', 'service b: added']],
    ['an option', wanted({ a: service({ truncation: 'forward' }) }), ['service a: changed truncation']],
    ['a default spelled out', wanted({ a: service({ mode: 'direct', truncation: 'reset' }) }), []],
    [
      'options of TLS',
      wanted({
        a: service({ tls: { certificates: [{ certificate: 'a.crt', key: 'a.key' }], tickets: 1, protocols: ['h2'] } }),
      }),
      ['service a: changed tls.protocols, tls.tickets'],
    ],
    ['a renewed certificate file', wanted({ a: service() }, {}, 'two'), ['service a: changed tls certificate files']],
    ['a time in another unit', wanted({ a: service({ timeouts: { idle: '300s' } }) }), []],
  ])('%s', (_, after, lines) => {
    const { actions, restartKeys } = diff(before, after)
    expect(actions.map(describeAction)).toEqual(lines)
    expect(restartKeys).toEqual([])
  })

  it.each<[string, Partial<ConfigInput>, readonly string[]]>([
    ['workers', { workers: 2 }, ['workers']],
    ['interfaces', { interfaces: { wan: { device: 'eth0' }, lan: { device: 'eth2' } } }, ['interfaces']],
    ['name and metrics', { name: 'other', metrics: { port: 9_090 } }, ['name', 'metrics']],
    ['aead', { aead: 'openssl' }, ['aead']],
  ])('%s can only change by a restart', (_, change, keys) => {
    expect(diff(before, wanted({ a: service() }, change)).restartKeys).toEqual(keys)
  })
})
