// Puts the demonstration's results on paper.
import type { Fetched, Figures } from './performance.js'
import { curlCommand } from './performance.js'
import { kAddresses } from './network.js'
import type { Paper } from './paper.js'
import { kBackendPort, kTlsPort } from './stage.js'
import type { Stage } from './stage.js'

export function showNetwork(paper: Paper, stage: Stage): string {
  const { client, server } = kAddresses
  const [wan, lan] = Object.values(stage.ready.interfaces).map((one) => `${one.device}: ${portText(one)}`)
  return [
    paper.heading('The network'),
    paper.table([
      ['client', client.v4],
      [`  │ ${paper.ink('TLS', 'green')}`, `to ${server.v4}:${kTlsPort}, the server's own address`],
      ['appliance', wan ?? ''],
      ['', lan ?? ''],
      ['', `Cutwater in direct mode, AEAD by ${stage.ready.aead}`],
      [`  │ ${paper.ink('clear', 'yellow')}`, 'the same TCP connection, HTTP in clear'],
      ['server', `${server.v4}:${kBackendPort}`],
    ]),
  ].join('\n')
}

export function portText(one: { readonly port: string; readonly attach?: string; readonly copy?: string }): string {
  const name = one.port === 'xsk' ? 'AF_XDP' : 'AF_PACKET'
  const modes = [one.attach, one.copy].filter(Boolean).join(', ')
  return modes === '' ? name : `${name} (${modes})`
}

export function showFetches(paper: Paper, fetches: readonly Fetched[]): string {
  const rows = fetches.map(({ client, version, suite, status, seen }) => [
    client,
    `TLS ${version}`,
    suite,
    status === 200 ? paper.ink(String(status), 'green') : paper.ink(String(status), 'red'),
    seen === kAddresses.client.v4 ? paper.ink(seen, 'green') : paper.ink(seen, 'red'),
  ])
  const header = ['client', 'version', 'suite', 'status', 'the server saw'].map((text) => paper.ink(text, 'dim'))
  return [paper.heading('Real clients through it'), paper.table([header, ...rows])].join('\n')
}

export function showFigures(paper: Paper, stage: Stage, figures: Figures): string {
  const ports = Object.entries(stage.ready.interfaces).map(([name, one]) => `${name} ${portText(one)}`)
  const dim = (text: string): string => paper.ink(text, 'dim')
  return [
    paper.heading('What it cost'),
    paper.table([
      ['download, one connection', `${figures.downGbps.toFixed(2)} Gb/s`, dim('curl')],
      ['upload, one connection', `${figures.upGbps.toFixed(2)} Gb/s`, dim('curl')],
      [
        'request and answer',
        `p50 ${figures.p50Us} µs, p99 ${figures.p99Us} µs`,
        dim(`Node, one connection, ${figures.requestsPerSecond}/s`),
      ],
      [
        'an idle TLS connection',
        `${figures.bytesPerIdleConnection} bytes`,
        dim(`growth of the process over ${figures.idleConnections} of them`),
      ],
      ...ports.map((text, index) => [
        index === 0 ? 'port mode' : '',
        text,
        index === 0 ? dim('as the kernel reports it') : '',
      ]),
    ]),
    paper.paragraph(
      'Client, server and appliance share this machine: these are signs of life. For comparisons: npm run bench',
    ),
  ].join('\n')
}

/** What can be tried while it stays up. `enter` opens a door into a user namespace, when there is one. */
export function showInvitation(paper: Paper, stage: Stage, enter: string | undefined): string {
  const { client, appliance, server } = stage.network
  const command = (words: readonly string[]): string =>
    `  ${[...(enter === undefined ? [] : [enter]), ...words].map(quote).join(' ')}`
  return [
    paper.heading('It stays up. In another terminal:'),
    'Fetch a page as the client',
    command(client.argv(curlCommand(stage, []))),
    'Watch TLS on the client’s side, clear HTTP on the server’s',
    command(client.argv(['tcpdump', '-ni', 'c0', '-X', `port ${kTlsPort}`])),
    command(server.argv(['tcpdump', '-ni', 's0', '-A', `port ${kBackendPort}`])),
    'Ask the appliance',
    ...['stats', 'flows', 'trace'].map((word) =>
      command(appliance.argv(['npx', 'cutwater', word, '--control', stage.files.control])),
    ),
    'No TCP socket in the appliance',
    command(appliance.argv(['ss', '-tan'])),
    '',
    `Server: http://${kAddresses.server.v4}:${kBackendPort}, http://[${kAddresses.server.v6}]:${kBackendPort}`,
    `Through Cutwater: https://${kAddresses.server.v4}:${kTlsPort}, https://[${kAddresses.server.v6}]:${kTlsPort}`,
    `Configuration: ${stage.files.config}`,
    paper.ink('Ctrl-C ends it and removes everything.', 'bold'),
  ].join('\n')
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
