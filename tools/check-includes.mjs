#!/usr/bin/env node
// The order of the folders of native/: a folder includes only folders below it, never a neighbour on its level. So a reader
// can start at the bottom, and nothing on the packet path can reach for a thread, a socket or Node.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native')

/** From the top down; folders of one line are neighbours. */
const levels = [
  ['addon', 'processor'],
  ['engine'],
  ['path'],
  ['session', 'hello', 'secure'],
  ['splice', 'datagram'],
  ['record', 'flow', 'port', 'balance', 'http'],
  ['wire'],
  ['base', 'xdp'],
]
const levelOf = new Map(levels.flatMap((folders, level) => folders.map((folder) => [folder, level])))

const problems = []
for (const folder of readdirSync(root, { withFileTypes: true })) {
  if (folder.isDirectory()) checkFolder(folder.name)
}
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('check-includes: every folder includes only folders below it')
process.exit(problems.length === 0 ? 0 : 1)

function checkFolder(folder) {
  if (!levelOf.has(folder)) {
    problems.push(`native/${folder}: not in the order of tools/check-includes.mjs`)
    return
  }
  for (const file of readdirSync(join(root, folder), { recursive: true })) {
    if (/\.(hpp|cpp|h|c)$/.test(file)) checkFile(folder, file)
  }
}

function checkFile(folder, file) {
  const lines = readFileSync(join(root, folder, file), 'utf8').split('\n')
  for (const [index, line] of lines.entries()) {
    const where = `native/${folder}/${file}:${index + 1}`
    if (/#\s*include\s*<napi\.h>/.test(line) && folder !== 'addon')
      problems.push(`${where}: only addon/ includes <napi.h>`)
    if (/#\s*include\s*".*\.cpp"/.test(line)) problems.push(`${where}: includes a source file`)
    const included = /#\s*include\s*"([a-z]+)\//.exec(line)?.[1]
    if (included === undefined || included === folder) continue
    if (!levelOf.has(included)) problems.push(`${where}: no folder native/${included}`)
    else if (levelOf.get(included) <= levelOf.get(folder))
      problems.push(`${where}: ${folder}/ may not include ${included}/`)
  }
}
