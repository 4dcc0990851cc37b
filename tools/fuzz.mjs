#!/usr/bin/env node
// Runs each fuzz target for a while, from its stored corpus. A finding is kept in testlog/fuzz/ and fails the run; put it into
// test/fuzz/corpus/<target>/ together with the fix. The targets are C++ (test/fuzz/fuzz_*.cpp), but for the configuration,
// which is TypeScript: test/unit/config/parse-fuzz.test.ts.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { buildNative, root, runProgram } from './native-build.mjs'

const targets = readdirSync(join(root, 'test/fuzz'))
  .map((file) => /^fuzz_(\w+)\.cpp$/.exec(file)?.[1])
  .filter((name) => name !== undefined)
  .concat('config')
const usage = `Usage: npm run fuzz -- [--seconds 60] [--jobs 1] [--fast] [TARGET…]

Runs each target for so many seconds, all of them when none is named, ${'`jobs`'} processes of it at once.
With --fast without sanitizers, several times as many executions a second; what grew is then played once with them.
Targets: ${targets.join(', ')}
A finding stays in testlog/fuzz/ and fails the run; what grows stays in build/fuzz-corpus/. docs/testing.md tells the rest.`
let parsed
try {
  parsed = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      jobs: { type: 'string', default: '1' },
      fast: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
} catch (error) {
  console.error(`${error.message}\n${usage}`)
  process.exit(2)
}
if (parsed.values.help) {
  console.log(usage)
  process.exit(0)
}
const seconds = Number(parsed.values.seconds)
const jobs = Number(parsed.values.jobs)
const unknown = parsed.positionals.filter((name) => !targets.includes(name))
if (!(seconds >= 1 && Number.isInteger(jobs) && jobs >= 1) || unknown.length > 0) {
  console.error(`${unknown.length > 0 ? `no such target: ${unknown.join(', ')}\n` : ''}${usage}`)
  process.exit(2)
}
const chosen = parsed.positionals.length > 0 ? parsed.positionals : targets

/** Where libFuzzer's own choice, 4 kB or the longest stored input, would be too long or too short. */
const longest = { flow: 400, modes: 400, icmp: 300, cookie: 300, card: 600, record: 20_000 }
const native = chosen.filter((name) => name !== 'config')
const isFast = parsed.values.fast
const findings = join(root, 'testlog/fuzz')
const folder = isFast ? build('fuzz-fast', 'OFF') : build('fuzz', 'ON')

const failed = chosen.filter((name) => (name === 'config' ? fuzzConfig() : fuzz(name)) !== 0)
if (isFast) {
  const sanitized = build('fuzz', 'ON')
  failed.push(...native.filter((name) => replay(sanitized, name) !== 0 && !failed.includes(name)))
}
console.log(
  failed.length === 0
    ? `fuzz: ${chosen.length} targets, ${seconds} s each, no finding`
    : `fuzz: findings in ${failed.join(', ')}`,
)
process.exit(failed.length === 0 ? 0 : 1)

/** Returns: the folder the targets are in. */
function build(name, sanitize) {
  const definitions = {
    CUTWATER_FUZZ: 'ON',
    CUTWATER_FUZZ_SANITIZE: sanitize,
    CMAKE_C_COMPILER: 'clang',
    CMAKE_CXX_COMPILER: 'clang++',
  }
  return native.length === 0
    ? ''
    : buildNative(
        name,
        definitions,
        native.map((target) => `fuzz_${target}`),
      )
}

/** Where what a target finds is kept, and what is stored of it. libFuzzer adds to the first. */
function corporaOf(name) {
  const grown = join(root, 'build/fuzz-corpus', name)
  for (const path of [grown, findings]) mkdirSync(path, { recursive: true })
  return [grown, join(root, 'test/fuzz/corpus', name)].filter((path) => existsSync(path))
}

/** Everything that is stored and has grown, once, by another build. */
function replay(from, name) {
  console.log(`fuzz: ${name}, with sanitizers`)
  return runProgram(`${from}/fuzz_${name}`, [
    ...corporaOf(name),
    '-runs=0',
    '-verbosity=0',
    `-artifact_prefix=${findings}/${name}-`,
  ])
}

function fuzz(name) {
  const dictionary = join(root, 'test/fuzz', `${name}.dict`)
  console.log(`fuzz: ${name}`)
  return runProgram(
    `${folder}/fuzz_${name}`,
    [
      ...corporaOf(name),
      `-max_total_time=${seconds}`,
      `-artifact_prefix=${findings}/${name}-`,
      '-print_final_stats=1',
      '-verbosity=0',
      '-entropic=0', // which takes a third of the time, once a corpus has thousands of scripts
      ...(jobs > 1 ? [`-fork=${jobs}`] : []),
      ...(longest[name] === undefined ? [] : [`-max_len=${longest[name]}`]),
      ...(existsSync(dictionary) ? [`-dict=${dictionary}`] : []),
    ],
    // A long quarantine costs time for what is seldom: memory used long after it was given back.
    { env: { ASAN_OPTIONS: 'quarantine_size_mb=8:malloc_context_size=4', ...process.env } },
  )
}

/** fast-check instead of libFuzzer; a failing text is printed with the seed that repeats it. */
function fuzzConfig() {
  console.log('fuzz: config')
  return runProgram('npx', ['vitest', 'run', '--project', 'unit', 'test/unit/config/parse-fuzz.test.ts'], {
    env: { ...process.env, CUTWATER_FUZZ_SECONDS: String(seconds) },
  })
}
