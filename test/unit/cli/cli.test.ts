// The real command line, as a process of its own: dist/cli/main.js.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cutwater-cli-'))

const good = `interfaces:
  wan: { device: eth0 }
  lan: { device: eth1 }
services:
  shop:
    listen: { address: 203.0.113.10, port: 443 }
    servers: [ { address: 203.0.113.10, port: 80 } ]
    tls: { certificates: [ { certificate: shop.crt, key: shop.key } ] }
`

beforeAll(() => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  for (const name of ['shop', 'other']) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
    execFileSync('openssl', ['req', '-x509', ...key, '-subj', `/CN=${name}.test`, ...files], {
      cwd: folder,
      stdio: 'ignore',
    })
  }
  writeFileSync(join(folder, 'good.yaml'), good)
  writeFileSync(
    join(folder, 'bad.yaml'),
    good.replace('port: 443', 'port: "https"').replace('device: eth1', 'devise: eth1'),
  )
  writeFileSync(join(folder, 'mismatch.yaml'), good.replace('shop.key', 'other.key'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function cutwater(...args: string[]) {
  const env = { ...process.env, XDG_RUNTIME_DIR: folder }
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  })
  return { status, stdout, stderr }
}

describe('check', () => {
  it('says what a good configuration would do', () => {
    const expected = 'good.yaml: shop 203.0.113.10:443 direct -> 203.0.113.10:80\ngood.yaml: ok\n'
    expect(cutwater('check', 'good.yaml')).toEqual({ status: 0, stdout: expected, stderr: '' })
    expect(cutwater('check', '--config', 'good.yaml').stdout).toBe(expected)
    expect(cutwater('check', '-c', 'good.yaml').stdout).toBe(expected)
  })

  it('says it to programs, too', () => {
    const { status, stdout } = cutwater('check', 'good.yaml', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      event: 'checked',
      file: 'good.yaml',
      services: [{ name: 'shop', mode: 'direct', listen: '203.0.113.10:443', servers: ['203.0.113.10:80'] }],
      warnings: [],
    })
  })

  it('lists every mistake with its line and ends with 2', () => {
    const { status, stdout, stderr } = cutwater('check', 'bad.yaml')
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr.trimEnd().split('\n')).toEqual([
      'cutwater: bad.yaml:3:8: interfaces.lan.device: missing: expected the name of a network device, such as "eth0"',
      'cutwater: bad.yaml:3:10: interfaces.lan.devise: unknown key; did you mean "device"?',
      'cutwater: bad.yaml:6:44: services.shop.listen.port: expected a port, 1 to 65535, got "https"',
    ])
  })

  it('gives programs the code and the problems', () => {
    const { status, stdout } = cutwater('check', 'mismatch.yaml', '--json')
    expect(status).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      event: 'error',
      code: 'CERTIFICATE_INVALID',
      problems: [expect.stringMatching(/^services\.shop\.tls: .*other\.key: does not match .*shop\.crt/)],
    })
  })
})

describe('usage', () => {
  it.each<[readonly string[], number, string]>([
    [[], 2, 'Usage: cutwater'],
    [['chek'], 2, 'Did you mean check?'],
    [['check'], 2, 'which configuration? Give --config FILE'],
    [['run'], 2, 'which configuration? Give --config FILE'],
    [['check', 'good.yaml', '--config', 'bad.yaml'], 2, 'two configurations'],
    [['check', 'good.yaml', 'more'], 2, 'too many arguments'],
    [['check', 'nowhere.yaml'], 2, 'cutwater: nowhere.yaml: no such file'],
    [['run', '--jsn', 'good.yaml'], 2, "unknown option '--jsn'"],
    [['flows', '--limit', 'many'], 2, 'expected a whole number, 1 to 1000000'],
    [['stats', '--control', '/nowhere.sock'], 3, '/nowhere.sock: no appliance answers there; is it running?'],
    [['reload', '--control', '/nowhere.sock'], 3, 'no appliance answers there'],
    [['trace', '--control', '/nowhere.sock'], 3, 'no appliance answers there'],
    [['flows', '--control', '/nowhere.sock'], 3, 'no appliance answers there'],
  ])('%j ends with %i', (args, status, words) => {
    const ended = cutwater(...args)
    expect(ended.stderr).toContain(words)
    expect(ended.status).toBe(status)
  })

  it.each(['run', 'check', 'doctor', 'stats', 'flows', 'failures', 'trace', 'reload'])(
    '%s --help lists options and exit codes',
    (name) => {
      const { status, stdout } = cutwater(name, '--help')
      expect(status).toBe(0)
      expect(stdout).toContain(`Usage: cutwater ${name}`)
      expect(stdout).toContain('--json')
      expect(stdout).toContain('Exit codes:')
    },
  )

  it('tells its version', () => {
    expect(cutwater('--version')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    })
  })
})

describe('run', () => {
  it('ends with 1 and says which device is missing', () => {
    const device = 'nosuchdev0'
    writeFileSync(join(folder, 'nodevice.yaml'), good.replace('eth0', device))
    const { status, stdout, stderr } = cutwater('run', 'nodevice.yaml', '--json')
    expect(status).toBe(1)
    expect(stderr).toContain(device)
    expect(JSON.parse(stdout)).toMatchObject({ event: 'error', code: 'PORT_UNAVAILABLE' })
  })

  it('ends with 2 before it touches a device when a certificate is wrong', () => {
    const { status, stderr } = cutwater('run', 'mismatch.yaml')
    expect(status).toBe(2)
    expect(stderr).toContain('does not match')
  })
})

describe('doctor', () => {
  it('finds the device that is not there', () => {
    writeFileSync(join(folder, 'nodevice.yaml'), good.replace('eth0', 'nosuchdev0'))
    const { status, stdout } = cutwater('doctor', '--config', 'nodevice.yaml', '--json')
    expect(status).toBe(1)
    const { findings } = JSON.parse(stdout) as { findings: { id: string; status: string; text: string }[] }
    expect(findings).toContainEqual({
      id: 'device:wan',
      status: 'fail',
      text: 'interfaces.wan: there is no device "nosuchdev0"',
    })
    expect(findings.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['kernel', 'capabilities', 'processor', 'build']),
    )
  })
})
