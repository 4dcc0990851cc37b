#!/usr/bin/env node
// Runs the tests and ends with one line, "N passed, N failed", counted from vitest's own report. The native tests are in
// it one by one (test/native/native.test.ts). Arguments: projects of vitest.config.ts; none means all.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const logs = join(root, 'testlog')
const report = join(logs, 'vitest.json')
const summary = join(logs, 'summary.txt')
const projects = process.argv.slice(2)

mkdirSync(logs, { recursive: true })
for (const stale of [report, summary]) rmSync(stale, { force: true })

const run = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  [
    'run',
    '--passWithNoTests',
    ...projects.flatMap((name) => ['--project', name]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
)

const counts = count(run.status)
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
const line = `${counts.passed} passed, ${counts.failed} failed${skipped}`
writeFileSync(summary, `${line}\n`)
console.log(line)
process.exit(run.status === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1)

/** Tests by result. A file that failed outside its tests (does not load, breaks in a hook) is one failure. */
function count(status) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  let files = []
  try {
    files = JSON.parse(readFileSync(report, 'utf8')).testResults
  } catch {
    // vitest did not get as far as a report: the failure below says so.
  }
  for (const file of files) {
    const results = file.assertionResults.map((test) => test.status)
    const failed = results.filter((result) => result === 'failed').length
    counts.passed += results.filter((result) => result === 'passed').length
    counts.failed += file.status === 'failed' ? Math.max(failed, 1) : failed
    counts.skipped += results.filter((result) => result !== 'passed' && result !== 'failed').length
  }
  if (status !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}
