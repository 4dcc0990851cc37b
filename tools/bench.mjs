#!/usr/bin/env node
// The bench suites, one after the other: each prints a table with ratios and spread and writes JSON to bench/results/.
// `npm run bench -- e2e --quick`: a suite's name first runs that one alone; the rest are its own options.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { buildNative, root, runProgram } from './native-build.mjs'

/** Needs a network of its own and says so: see its first lines. */
const startedByHand = new Set(['l2_forward'])

const usage = 'Usage: npm run bench -- [micro|path|e2e|flood|reload] [options of the suite]'
const suites = { micro: runSuite, path: runSuite, e2e: runSuite, flood: runSuite, reload: runSuite }

const [first, ...rest] = process.argv.slice(2)
if (first !== undefined && !(first in suites)) {
  console.error(usage)
  process.exit(first === '--help' || first === '-h' ? 0 : 2)
}
const chosen = first === undefined ? Object.keys(suites) : [first]
const failed = chosen.filter((name) => suites[name](name, rest) !== 0)
if (failed.length > 0) console.error(`bench: failed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)

/** A suite's native programs, one for each bench/<suite>/*.cpp, and then its main.ts, as far as it has them. */
function runSuite(name, args) {
  const sources = existsSync(join(root, 'bench', name)) ? readdirSync(join(root, 'bench', name)) : []
  const all = sources.filter((file) => file.endsWith('.cpp')).map((file) => file.slice(0, -'.cpp'.length))
  const programs = all.filter((program) => !startedByHand.has(program))
  const script = sources.includes('main.ts') ? join(root, 'bench', name, 'main.ts') : undefined
  if (programs.length === 0 && script === undefined) {
    console.error(`bench: there is nothing in bench/${name}`)
    return 1
  }
  let failed = 0
  const folder = programs.length > 0 ? buildNative('bench', { CUTWATER_BENCH: 'ON' }, programs) : ''
  for (const program of programs) failed += runProgram(join(folder, program), args) === 0 ? 0 : 1
  if (script !== undefined) failed += runProgram(join(root, 'node_modules/.bin/jiti'), [script, ...args]) === 0 ? 0 : 1
  return failed
}
