import { describe, expect, it } from 'vitest'

import type { InterfaceConfig } from '../../../src/config/defaults.js'
import { featuresOn, judgeMtu, judgeOffloads } from '../../../src/doctor/interface.js'

const xsk: InterfaceConfig = { device: 'eth0', port: 'xsk', attach: 'auto', copy: 'auto', vlan: 0 }
const packet: InterfaceConfig = { ...xsk, port: 'packet' }

/** As ethtool 6.1 prints them; `on` are the features that are on. */
function ethtool(...on: string[]): string {
  const names = [
    'rx-checksumming',
    'tx-checksumming',
    'scatter-gather',
    'tcp-segmentation-offload',
    'generic-segmentation-offload',
    'generic-receive-offload',
    'large-receive-offload',
    'rx-vlan-offload',
  ]
  const lines = names.map((name) => `${name}: ${on.includes(name) ? 'on' : 'off'}`)
  return ['Features for eth0:', ...lines, '\ttx-checksum-ipv4: off [fixed]', '\ttx-tcp-segmentation: off'].join('\n')
}

it('reads features with all their decorations', () => {
  expect(
    featuresOn('Features for x:\nrx-checksumming: on\n\ttx-scatter-gather: on [fixed]\ntso: off [requested on]\n'),
  ).toEqual(new Set(['rx-checksumming', 'tx-scatter-gather']))
})

describe('offloads', () => {
  it.each<[string, InterfaceConfig, string, string[], string | undefined]>([
    [
      'a veth as it comes',
      xsk,
      'veth',
      ['tx-checksumming', 'tcp-segmentation-offload', 'generic-receive-offload'],
      'gro off tso off tx off',
    ],
    ['a veth with all off', xsk, 'veth', [], undefined],
    [
      'a card with GRO under AF_XDP, which runs before it',
      xsk,
      'ixgbe',
      ['generic-receive-offload', 'rx-checksumming'],
      undefined,
    ],
    [
      'a card with GRO under a packet socket, which runs after it',
      packet,
      'ixgbe',
      ['generic-receive-offload'],
      'gro off',
    ],
    ['a card with LRO', xsk, 'ixgbe', ['large-receive-offload'], 'lro off'],
  ])('%s', (_, config, driver, on, flags) => {
    const finding = judgeOffloads('wan', config, driver, ethtool(...on)).find(({ id }) => id === 'offloads:wan')
    expect(finding?.status).toBe(flags === undefined ? 'ok' : 'fail')
    expect(finding?.fix?.[0]?.join(' ')).toBe(flags === undefined ? undefined : `ethtool -K eth0 ${flags}`)
  })

  it('of tags matter with a VLAN only', () => {
    const text = ethtool('rx-vlan-offload')
    const ids = (config: InterfaceConfig) =>
      judgeOffloads('wan', config, 'ixgbe', text).filter(({ status }) => status === 'fail')
    expect(ids(xsk)).toEqual([])
    expect(ids({ ...xsk, vlan: 7 })).toMatchObject([
      { id: 'offloads-vlan:wan', fix: [['ethtool', '-K', 'eth0', 'rxvlan', 'off']] },
    ])
  })

  it('that cannot be read are not called good', () => {
    expect(judgeOffloads('wan', xsk, 'veth', '')[0]?.status).toBe('note')
  })
})

it.each([
  [1_500, 'ok'],
  [9_000, 'ok'],
  [16_046, 'ok'],
  [16_047, 'fail'],
  [500, 'warn'],
])('MTU %i: %s', (mtu, status) => {
  expect(judgeMtu('wan', 'eth0', mtu).status).toBe(status)
})
