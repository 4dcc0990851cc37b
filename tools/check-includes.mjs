#!/usr/bin/env node
// The order of the folders of native/: a folder includes only folders below it, never a neighbour on its level. So a reader
// can start at the bottom, and nothing on the packet path can reach for a thread, a socket or Node. Likewise of hw/, where what
// becomes hardware includes nothing else: a synthesis tool knows no more than the core, its shim and integers of fixed size.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** From the top down; folders of one line are neighbours. */
const orders = {
  native: [
    ['addon', 'processor'],
    ['engine'],
    ['path'],
    ['session', 'hello', 'secure'],
    ['splice', 'datagram'],
    ['record', 'flow', 'port', 'balance', 'http'],
    ['wire'],
    ['base', 'xdp'],
  ],
  hw: [['tb'], ['top'], ['core'], ['shim']],
}
/** Of the system's headers the core gets these; its shim has the vendor's too. */
const synthesizable = new Set(['cstdint'])

const problems = []
for (const tree of Object.keys(orders)) {
  for (const folder of readdirSync(join(root, tree), { withFileTypes: true })) {
    if (folder.isDirectory()) checkFolder(tree, folder.name)
  }
}
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('check-includes: every folder includes only folders below it')
process.exit(problems.length === 0 ? 0 : 1)

function levelOf(tree, folder) {
  const level = orders[tree].findIndex((folders) => folders.includes(folder))
  return level === -1 ? undefined : level
}

function checkFolder(tree, folder) {
  const files = readdirSync(join(root, tree, folder), { recursive: true }).filter((file) =>
    /\.(hpp|cpp|h|c)$/.test(file),
  )
  if (files.length > 0 && levelOf(tree, folder) === undefined) {
    problems.push(`${tree}/${folder}: not in the order of tools/check-includes.mjs`)
    return
  }
  for (const file of files) checkFile(tree, folder, file)
}

function checkFile(tree, folder, file) {
  const lines = readFileSync(join(root, tree, folder, file), 'utf8').split('\n')
  for (const [index, line] of lines.entries()) {
    const where = `${tree}/${folder}/${file}:${index + 1}`
    if (/#\s*include\s*<napi\.h>/.test(line) && folder !== 'addon')
      problems.push(`${where}: only addon/ includes <napi.h>`)
    if (/#\s*include\s*".*\.cpp"/.test(line)) problems.push(`${where}: includes a source file`)
    const system = /#\s*include\s*<([^>]+)>/.exec(line)?.[1]
    if (tree === 'hw' && (folder === 'core' || folder === 'top') && system !== undefined && !synthesizable.has(system))
      problems.push(`${where}: ${folder}/ may not include <${system}>`)
    const included = /#\s*include\s*"([a-z]+)\//.exec(line)?.[1]
    if (included === undefined || included === folder) continue
    if (tree === 'hw' && folder === 'tb') continue // a test holds the core against everything else
    const level = levelOf(tree, included)
    if (level === undefined) problems.push(`${where}: no folder ${tree}/${included}`)
    else if (level <= levelOf(tree, folder)) problems.push(`${where}: ${folder}/ may not include ${included}/`)
  }
}
