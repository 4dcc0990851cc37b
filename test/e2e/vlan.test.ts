// VLANs that cannot work are refused in words. (Traffic with tags is tested over memory and by the port's own tests: making a VLAN
// device needs a kernel with 802.1Q, which not every machine that runs these tests has.)
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Network, kAddresses } from '../../src/demo/network.js'
import { makeAuthority, makeCertificate } from '../../src/demo/certificates.js'
import type { KeyPair } from '../../src/demo/certificates.js'
import { commandLine } from '../support/appliance.js'
import { kPorts } from '../support/lab.js'

describe.each(kPorts)('VLANs over %s', (port) => {
  let network: Network
  let keys: KeyPair
  beforeAll(async () => {
    network = await Network.create()
    keys = await makeCertificate(network.folder, await makeAuthority(network.folder), {
      file: 'vlan',
      name: 'vlan.test',
    })
  })
  afterAll(() => network.close())

  async function refusalOf(interfaces: object): Promise<string> {
    const address = kAddresses.server.v4
    const file = network.file('vlan.yaml')
    const service = { listen: { address, port: 443 }, servers: [{ address, port: 80 }], tls: { certificates: [keys] } }
    writeFileSync(file, stringify({ interfaces, services: { shop: service } }))
    const argv = [...commandLine, 'run', '--config', file, '--control', 'none']
    const result = await network.appliance.run(argv, { timeoutMs: 20_000 })
    expect(result.code).toBe(1)
    expect(await network.appliance.output(['ip', '-details', 'link'])).not.toMatch(/xdp/) // nothing is left behind
    return result.stderr + result.stdout
  }

  it('a VLAN towards the servers that the kernel has no device for, with the command that makes one', async () => {
    const interfaces = { wan: { device: 'wan', port, vlan: 10 }, lan: { device: 'lan', port, vlan: 30 } }
    expect(await refusalOf(interfaces)).toContain('ip link add link lan name lan.30 type vlan id 30')
  })

  it('one arm between two VLANs of one device', async () => {
    const interfaces = { wan: { device: 'wan', port, vlan: 10 }, lan: { device: 'wan', port, vlan: 20 } }
    expect(await refusalOf(interfaces)).toContain('wan: this version runs one arm in one VLAN only')
  })
})
