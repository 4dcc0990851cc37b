// The types of the public API: what compiles, and what must not.
import { describe, expectTypeOf, it } from 'vitest'

import {
  type Action,
  type Applied,
  Appliance,
  type ConfigInput,
  CutwaterError,
  defineConfig,
  type ErrorCode,
  type FailureReport,
  type FlowEntry,
  type FlowEvent,
  rates,
  type Snapshot,
} from '../../src/index.js'

const service = {
  listen: { address: '203.0.113.10', port: 443 },
  servers: [{ address: '203.0.113.10', port: 80 }],
  tls: { certificates: [{ certificate: 'a.crt', key: 'a.key' }] },
}

describe('configuration', () => {
  it('needs only what has no default', () => {
    expectTypeOf(
      defineConfig({ interfaces: { one: { device: 'eth0' } }, services: { a: service } }),
    ).toEqualTypeOf<ConfigInput>()
  })

  it('does not take an unknown key, word or suite', () => {
    // @ts-expect-error: no such key
    defineConfig({ interfaces: {}, services: {}, wokers: 1 })
    // @ts-expect-error: no such port
    defineConfig({ interfaces: { one: { device: 'eth0', port: 'dpdk' } }, services: {} })
    // @ts-expect-error: no such suite
    defineConfig({ interfaces: {}, services: { a: { ...service, tls: { ...service.tls, suites: ['TLS_NULL'] } } } })
    // @ts-expect-error: services cannot be left out
    defineConfig({ interfaces: {} })
  })
})

describe('appliance', () => {
  it('starts from a value or a path', () => {
    /* eslint-disable @typescript-eslint/unbound-method -- only its type is looked at; nothing is called */
    expectTypeOf(Appliance.start).parameter(0).toEqualTypeOf<ConfigInput | string>()
    expectTypeOf(Appliance.start).returns.resolves.toEqualTypeOf<Appliance>()
    /* eslint-enable @typescript-eslint/unbound-method */
  })

  it('is disposable, and not constructible from outside', () => {
    expectTypeOf<Appliance>().toExtend<AsyncDisposable>()
    // @ts-expect-error: start() makes them
    new Appliance()
  })

  it('gives streams, not callbacks', () => {
    expectTypeOf<Appliance['snapshots']>().returns.toExtend<AsyncIterable<Snapshot>>()
    expectTypeOf<Appliance['events']>().returns.toExtend<AsyncIterable<FlowEvent>>()
    expectTypeOf<Appliance['flows']>().returns.toEqualTypeOf<FlowEntry[]>()
    expectTypeOf<Appliance['failures']>().returns.toEqualTypeOf<FailureReport[]>()
    expectTypeOf<Appliance['apply']>().returns.resolves.toEqualTypeOf<Applied>()
    expectTypeOf<Applied['actions']>().toEqualTypeOf<readonly Action[]>()
  })

  it('counts in bigint and derives in number', () => {
    expectTypeOf<Snapshot['value']>().returns.toEqualTypeOf<bigint>()
    expectTypeOf(rates).returns.items.toHaveProperty('perSecond').toEqualTypeOf<number>()
  })
})

it('errors have a closed list of codes', () => {
  expectTypeOf<CutwaterError['code']>().toEqualTypeOf<ErrorCode>()
  // @ts-expect-error: not one of them
  new CutwaterError('SOMETHING', 'x')
})
