#!/usr/bin/env node
// Writes docs/counters.md from the lists in the code: base/counters.hpp, base/verdict.hpp, secure/job.hpp, engine/engine.cpp. A
// counter's text is where the counter is; what only the operator's side knows (what to do) is here. `--check` writes nothing and
// fails when the page is not what would be written, or when a counter has no advice.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { advice, engineCounters, handshakeTexts } from './counter-advice.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(root, 'docs/counters.md')
const isCheck = process.argv.includes('--check')
const problems = []

const sections = [
  {
    title: 'What happened',
    about:
      'They only grow. Packets and bytes are counted where the path handles them, before and after the rings of the devices.',
    rows: listOf('native/base/counters.hpp', 'CUTWATER_COUNTERS'),
  },
  {
    title: 'Dropped packets: `drop_…`',
    about:
      'One for each packet that went no further, under its reason (`cutwater_drops_total{reason="…"}`). TCP repairs most of them by sending again; a reason that keeps growing means something.',
    rows: listOf('native/base/verdict.hpp', 'CUTWATER_DROPS', 'drop_'),
  },
  {
    title: 'Reset connections: `reset_…`',
    about:
      'One for each connection that did not end cleanly on both sides. Each is also an event with the client’s address (`cutwater run`, the log).',
    rows: listOf('native/base/verdict.hpp', 'CUTWATER_RESETS', 'reset_'),
  },
  {
    title: 'Failed handshakes: `handshake_…`',
    about:
      'One for each TLS handshake that failed; the client got the alert that the event names. Those with `server_` are of handshakes with servers (`serverTls`), where we are the client.',
    rows: failures(),
  },
  {
    title: 'The engine’s own',
    about: 'Added up over all workers. Those that end in `_live`, `_free` or `_alive` go up and down.',
    rows: engineOwn(),
  },
]

const text = render()
if (isCheck) check()
else if (problems.length === 0) writeFileSync(page, text)
for (const problem of problems) console.error(`gen-counters: ${problem}`)
process.exit(problems.length === 0 ? 0 : 1)

/** Entries X(name, "text") of one list macro. "none" is no counter. */
function listOf(file, macro, prefix = '') {
  const source = readFileSync(join(root, file), 'utf8')
  const body = new RegExp(`#define ${macro}\\(X\\)((?:.*\\\\\\n)*.*)`).exec(source)?.[1] ?? ''
  const rows = [...body.matchAll(/X\(\s*(\w+)\s*,\s*"((?:[^"\\]|\\.)*)"\s*\)/g)].map(([, name, help]) =>
    row(prefix + name, help),
  )
  if (rows.length === 0) problems.push(`${file}: found nothing in ${macro}`)
  return rows.filter(({ name }) => name !== `${prefix}none`)
}

/** The enumerators of HandshakeFailure, named as secure/job.cpp names them. */
function failures() {
  const header = readFileSync(join(root, 'native/secure/job.hpp'), 'utf8')
  const names = readFileSync(join(root, 'native/secure/job.cpp'), 'utf8')
  const body = /enum class HandshakeFailure[^{]*\{([^}]*)\}/.exec(header)?.[1] ?? ''
  const enumerators = body
    .split('\n')
    .map((line) => /^\s*(\w+),/.exec(line)?.[1])
    .filter((name) => name !== undefined)
  return enumerators
    .filter((name) => name !== 'none')
    .map((name) => {
      if (!names.includes(`"${name}"`)) problems.push(`native/secure/job.cpp: does not call ${name} by that name`)
      if (handshakeTexts[name] === undefined) problems.push(`tools/counter-advice.mjs: no text for ${name}`)
      return row(`handshake_${name}`, handshakeTexts[name] ?? '')
    })
}

/** The gauges and sums that Engine::counters() adds by itself. */
function engineOwn() {
  const source = readFileSync(join(root, 'native/engine/engine.cpp'), 'utf8')
  const names = [...source.matchAll(/out\.push_back\(\{"(\w+)", "",/g)].map(([, name]) => name)
  if (names.length === 0) problems.push('native/engine/engine.cpp: found no counters of its own')
  for (const name of Object.keys(engineCounters)) {
    if (!names.includes(name)) problems.push(`tools/counter-advice.mjs: ${name} is no counter of the engine`)
  }
  return names.map((name) => {
    if (engineCounters[name] === undefined) problems.push(`tools/counter-advice.mjs: no text for ${name}`)
    return row(name, engineCounters[name] ?? '')
  })
}

function row(name, happened) {
  return { name, happened: happened.replaceAll('|', '\\|'), todo: advice[name] ?? '' }
}

function render() {
  const known = new Set(sections.flatMap(({ rows }) => rows.map(({ name }) => name)))
  for (const name of Object.keys(advice)) {
    if (!known.has(name)) problems.push(`tools/counter-advice.mjs: advice for ${name}, which is no counter`)
  }
  for (const { name, todo } of sections.flatMap(({ rows }) => rows)) {
    if (/^(drop|reset|handshake)_(?!.*alive)/.test(name) && todo === '')
      problems.push(`tools/counter-advice.mjs: no advice for ${name}`)
  }
  const parts = sections.map(({ title, about, rows }) =>
    [
      `## ${title}`,
      '',
      about,
      '',
      '| Counter | What happened | What to do |',
      '|---|---|---|',
      ...rows.map(({ name, happened, todo }) => `| \`${name}\` | ${happened} | ${todo} |`),
      '',
    ].join('\n'),
  )
  return `<!-- Written by tools/gen-counters.mjs; do not edit. Change the list in the code, then run it. -->
# Counters

\`cutwater stats\`, the control socket, \`appliance.snapshots()\` and Prometheus (\`cutwater_…_total\`; \`drop_\`, \`reset_\` and \`handshake_\` as
labels of one metric each) all show the same counters under these names. The names are stable. Each worker writes its own without locks; a
reading may be a packet late, never torn. No advice means that there is nothing to do.

With \`serverTls\` there are \`server_tls_…\` as well: of the flows behind the clients', to servers. \`server_tls_called\`, \`…_established\` (\`…_tls12\`, \`…_tls13\`) and
\`…_closed\` count connections, \`…_records_opened\`, \`…_records_sealed\`, \`…_records_resealed\` and \`…_custody_entered\` what the same words count for clients, and \`server_tls_drop_…\`,
\`server_tls_reset_…\` have the reasons below; what they call the client is the server there, and what they call the server is the client's flow.

${parts.join('\n')}`
}

function check() {
  const stored = existsSync(page) ? readFileSync(page, 'utf8') : ''
  if (stored !== text) problems.push('docs/counters.md is not what the code says: run "node tools/gen-counters.mjs"')
  if (problems.length === 0) console.log('gen-counters: docs/counters.md is current')
}
