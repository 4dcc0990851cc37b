#!/usr/bin/env node
// The native tests under sanitizers: address and undefined behaviour, then threads. `--only address` or `--only thread` runs
// one; what follows "--" goes to the test binary (for instance -tc="*I3*").
import { parseArgs } from 'node:util'

import { buildNative, runProgram } from './native-build.mjs'

const kinds = {
  address: {
    flags: 'address,undefined',
    env: { ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1' },
  },
  // Only our own code is built with the checker; OpenSSL and the kernel libraries are not, and look racy from outside.
  // Left out: what runs in one thread and makes thousands of devices, which takes hours under this checker and has nothing for it.
  thread: {
    flags: 'thread',
    env: { TSAN_OPTIONS: 'halt_on_error=0:ignore_noninstrumented_modules=1' },
    leaveOut: ['-sfe=*test/sim/*,*test/fuzz/*,*test/invariants/*', '-tce=*cut at every*,*single bytes*'],
  },
}
const usage = 'Usage: npm run test:sanitize -- [--only address|thread] [-- options of the test binary]'

let parsed
try {
  parsed = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true })
} catch (error) {
  console.error(`${error.message}\n${usage}`)
  process.exit(2)
}
const { only } = parsed.values
if (only !== undefined && !(only in kinds)) {
  console.error(usage)
  process.exit(2)
}

let failed = 0
for (const [name, { flags, env, leaveOut = [] }] of Object.entries(kinds)) {
  if (only !== undefined && only !== name) continue
  const folder = buildNative(
    `sanitize-${name}`,
    { CMAKE_BUILD_TYPE: 'Sanitize', CUTWATER_TESTS: 'ON', CUTWATER_SANITIZE: flags },
    ['cutwater_tests', 'cutwater-secure'],
  )
  console.log(`sanitizers: ${flags}`)
  const code = runProgram(`${folder}/cutwater_tests`, [...leaveOut, ...parsed.positionals], {
    env: { ...process.env, ...env },
  })
  if (code !== 0) failed += 1
}
process.exit(failed === 0 ? 0 : 1)
