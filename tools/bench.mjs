#!/usr/bin/env node
// The bench suites, one after the other: each prints a table with ratios and spread and writes JSON to bench/results/.
// `npm run bench -- e2e --quick`: a suite's name first runs that one alone; the rest are its own options.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { buildNative, root, runProgram } from './native-build.mjs'

const usage = 'Usage: npm run bench -- [micro|path|e2e] [options of the suite]'
const suites = { micro: runTypeScript, path: runPath, e2e: runTypeScript }

const [first, ...rest] = process.argv.slice(2)
if (first !== undefined && !(first in suites)) {
  console.error(usage)
  process.exit(first === '--help' || first === '-h' ? 0 : 2)
}
const chosen = first === undefined ? Object.keys(suites) : [first]
const failed = chosen.filter((name) => suites[name](name, rest) !== 0)
if (failed.length > 0) console.error(`bench: failed: ${failed.join(', ')}`)
process.exit(failed.length === 0 ? 0 : 1)

function runTypeScript(name, args) {
  const program = join(root, 'bench', name, 'main.ts')
  if (!existsSync(program)) return missing(program)
  return runProgram(join(root, 'node_modules/.bin/jiti'), [program, ...args])
}

/** The whole packet path over memory, as a native program. */
function runPath(name, args) {
  if (!existsSync(join(root, 'bench/build.cmake'))) return missing('bench/build.cmake')
  const folder = buildNative('bench', { CUTWATER_BENCH: 'ON' }, ['bench_path'])
  return runProgram(`${folder}/bench_${name}`, args)
}

function missing(path) {
  console.error(`bench: ${path} is not there`)
  return 1
}
