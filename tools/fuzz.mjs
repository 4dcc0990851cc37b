#!/usr/bin/env node
// Runs each fuzz target for a while, from its stored corpus. A finding is kept in testlog/fuzz/ and fails the run; put it into
// test/fuzz/corpus/<parser>/ together with the fix. The targets are C++ (test/fuzz/fuzz_*.cpp), but for the configuration,
// which is TypeScript: test/unit/config/parse-fuzz.test.ts.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { buildNative, root, runProgram } from './native-build.mjs'

const usage = 'Usage: npm run fuzz -- [--seconds 60] [PARSER…]    (record, hello, … as in test/fuzz/fuzz_PARSER.cpp)'
let parsed
try {
  parsed = parseArgs({ options: { seconds: { type: 'string', default: '60' } }, allowPositionals: true })
} catch (error) {
  console.error(`${error.message}\n${usage}`)
  process.exit(2)
}
const seconds = Number(parsed.values.seconds)
const parsers = readdirSync(join(root, 'test/fuzz'))
  .map((file) => /^fuzz_(\w+)\.cpp$/.exec(file)?.[1])
  .filter((name) => name !== undefined)
  .concat('config')
const unknown = parsed.positionals.filter((name) => !parsers.includes(name))
if (!(seconds >= 1) || unknown.length > 0) {
  console.error(
    `${unknown.length > 0 ? `no such parser: ${unknown.join(', ')} (there is ${parsers.join(', ')})\n` : ''}${usage}`,
  )
  process.exit(2)
}
const chosen = parsed.positionals.length > 0 ? parsed.positionals : parsers

const native = chosen.filter((name) => name !== 'config')
const compilers = { CMAKE_C_COMPILER: 'clang', CMAKE_CXX_COMPILER: 'clang++' }
const folder =
  native.length > 0
    ? buildNative(
        'fuzz',
        { CUTWATER_FUZZ: 'ON', ...compilers },
        native.map((name) => `fuzz_${name}`),
      )
    : ''

const failed = chosen.filter((name) => (name === 'config' ? fuzzConfig() : fuzz(name)) !== 0)
console.log(
  failed.length === 0
    ? `fuzz: ${chosen.length} parsers, ${seconds} s each, no finding`
    : `fuzz: findings in ${failed.join(', ')}`,
)
process.exit(failed.length === 0 ? 0 : 1)

function fuzz(name) {
  const stored = join(root, 'test/fuzz/corpus', name)
  const grown = join(root, 'build/fuzz-corpus', name)
  const findings = join(root, 'testlog/fuzz')
  for (const path of [grown, findings]) mkdirSync(path, { recursive: true })
  const dictionary = join(root, 'test/fuzz', `${name}.dict`)
  console.log(`fuzz: ${name}`)
  return runProgram(`${folder}/fuzz_${name}`, [
    grown,
    ...(existsSync(stored) ? [stored] : []),
    `-max_total_time=${seconds}`,
    `-artifact_prefix=${findings}/${name}-`,
    '-print_final_stats=1',
    '-verbosity=0',
    ...(existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
  ])
}

/** fast-check instead of libFuzzer; a failing text is printed with the seed that repeats it. */
function fuzzConfig() {
  console.log('fuzz: config')
  return runProgram('npx', ['vitest', 'run', '--project', 'unit', 'test/unit/config/parse-fuzz.test.ts'], {
    env: { ...process.env, CUTWATER_FUZZ_SECONDS: String(seconds) },
  })
}
