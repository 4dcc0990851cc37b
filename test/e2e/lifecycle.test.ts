// Starting, stopping and being killed; and the traffic that is not ours.
//
//   client ── c0 ~ wan [ cutwater | kernel routing ] lan ~ s0 ── server
//             TLS to :443 ─ taken by cutwater ─ clear to :80
//             ping, port 22, plain port 80 ─ the kernel's as before (H12)
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { runLoad } from '../../bench/e2e/load-tool.js'
import { kAddresses } from '../../src/demo/network.js'
import { kClients } from '../support/clients.js'
import { Lab, kFamilies, kPorts } from '../support/lab.js'

describe.each(kPorts)('life cycle over %s', (port) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create({ port, services: { shop: {}, transfers: {} } })
  })
  afterAll(() => lab.close())
  afterEach(async () => {
    if (lab.appliance.running.result !== undefined) await lab.startAppliance()
  })

  function fetchPage(): Promise<{ body: string }> {
    return kClients['curl']!({
      host: lab.network.client,
      trust: lab.trust,
      ...lab.target('shop'),
      path: '/hello',
      version: '1.3',
    })
  }

  function programs(): Promise<string> {
    return lab.network.appliance.output(['sh', '-c', 'ip -details link show dev wan; ip -details link show dev lan'])
  }

  describe.each(kFamilies)('other traffic, %s (H12)', (family) => {
    it('ping passes', async () => {
      const { code, stdout } = await lab.network.client.run([
        'ping',
        '-c',
        '3',
        '-i',
        '0.05',
        '-W',
        '2',
        kAddresses.server[family],
      ])
      expect(stdout).toContain(' 0% packet loss')
      expect(code).toBe(0)
    })

    it('a protocol on another port passes, both ways', async () => {
      const isV6 = family === 'v6'
      const script = `
import socket
listener = socket.create_server(("${isV6 ? '::' : '0.0.0.0'}", 22), family=socket.AF_INET${isV6 ? '6' : ''})
print("ready", flush=True)
connection, peer = listener.accept()
connection.sendall(b"SSH-2.0-something\\r\\n")
print(peer[0], connection.recv(100), flush=True)
connection.close()`
      const server = lab.network.server.start(['python3', '-c', script])
      await server.until((stdout) => stdout.includes('ready'))
      const client = `
import socket
connection = socket.create_connection(("${kAddresses.server[family]}", 22), timeout=5)
print(connection.recv(100))
connection.sendall(b"hello")`
      expect(await lab.network.client.output(['python3', '-c', client])).toContain('SSH-2.0-something')
      expect((await server.ended).stdout).toContain(`${kAddresses.client[family]} b'hello'`)
    })

    it('HTTP to a clear port that no service stands before passes', async () => {
      const address = family === 'v6' ? `[${kAddresses.server.v6}]` : kAddresses.server.v4
      expect(
        await lab.network.client.output(['curl', '-sS', '--max-time', '5', `http://${address}:8080/clear`]),
      ).toContain('/clear')
    })
  })

  it('SIGTERM: exit code 0, nothing left on the devices, connections begin anew after a restart', async () => {
    expect((await fetchPage()).body).toContain('hello from nginx')
    const result = await lab.appliance.stop('SIGTERM')
    expect(result).toMatchObject({ code: 0, signal: null })
    expect(await programs()).not.toMatch(/xdp/)
    await lab.startAppliance()
    expect((await fetchPage()).body).toContain('hello from nginx')
  })

  it('SIGHUP takes a changed configuration while a transfer runs undisturbed (H11)', async () => {
    const bytes = 50_000_000
    const target = lab.target('transfers')
    const transfer = runLoad(lab.network.client, 'bulk', {
      connect: target.address, port: target.port, bytes, connections: 2, path: `/bytes/${bytes}`, hash: true, seconds: 60,
    }) // prettier-ignore
    const file = lab.network.file('cutwater.yaml')
    const before = await lab.network.appliance.output(['cat', file])
    const config = parse(before) as { services: Record<string, { listen: { port: number } }> }
    const added = structuredClone(config.services['shop-v4']!)
    added.listen.port = 4443
    config.services['added'] = added
    await lab.network.appliance.output(['tee', file], { input: stringify(config) })
    lab.appliance.running.signal('SIGHUP')
    await lab.appliance.running.until((_, stderr) => stderr.includes('msg=reloaded'))
    const { host, trust } = { host: lab.network.client, trust: lab.trust }
    const page = await kClients['curl']!({
      host,
      trust,
      address: kAddresses.server.v4,
      port: 4443,
      path: '/hello',
      version: '1.3',
    })
    expect(page.body).toContain('hello from nginx')
    expect(await transfer).toMatchObject({ failures: 0, failure: '', done: 2, bytes: bytes * 2 })
    await lab.network.appliance.output(['tee', file], { input: before })
    lab.appliance.running.signal('SIGHUP')
    await lab.appliance.running.until((_, stderr) => stderr.split('msg=reloaded').length > 2)
    // The service is gone, and nothing listens on that port of the server itself.
    const refused = await lab.network.client.run([
      'curl',
      '-sk',
      '--max-time',
      '3',
      `https://${kAddresses.server.v4}:4443/`,
    ])
    expect(refused.code).toBe(7)
  })

  it('SIGINT ends it as well', async () => {
    expect(await lab.appliance.stop('SIGINT')).toMatchObject({ code: 0, signal: null })
  })

  it('SIGKILL leaves no XDP program behind, and the next start works', async () => {
    if (port === 'xsk') expect(await programs()).toMatch(/xdp/)
    await lab.appliance.stop('SIGKILL')
    expect(await programs()).not.toMatch(/xdp/)
    await lab.startAppliance()
    expect((await fetchPage()).body).toContain('hello from nginx')
  })

  it('a port whose device does not exist is refused with its name, exit code 1', async () => {
    const file = lab.network.file('wrong.yaml')
    const { certificate, key } = lab.trust.server.ecdsa
    const yaml = `interfaces: { wan: { device: nowhere, port: ${port} }, lan: { device: lan, port: ${port} } }
services: { shop: { mode: direct, listen: { address: 203.0.113.10, port: 444 }, servers: [ { address: 203.0.113.10, port: 80 } ],
  tls: { certificates: [ { certificate: ${certificate}, key: ${key} } ] } } }`
    await lab.network.appliance.output(['tee', file], { input: yaml })
    const argv = lab.appliance.running.argv
    const main = argv.find((word) => word.endsWith('cli/main.js'))!
    const result = await lab.network.appliance.run([
      process.execPath,
      main,
      'run',
      '--config',
      file,
      '--json',
      '--control',
      'none',
    ])
    expect(result.code).toBe(1)
    expect(result.stderr + result.stdout).toContain('nowhere')
  })
})
