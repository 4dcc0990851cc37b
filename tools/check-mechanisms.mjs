#!/usr/bin/env node
// Which mechanisms (A1 … P7, docs/mechanisms.md) and invariants (I1 … I7, docs/splice.md) have a test that names them.
// Lists those without one; that is no failure while the product grows. `--require A1,A2` makes it one for the ones named.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const usage = 'Usage: node tools/check-mechanisms.mjs [--require A1,A2,…]'
const counts = { A: 18, H: 12, S: 7, D: 13, P: 7, I: 7 }
const ids = Object.entries(counts).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`),
)

let options
try {
  options = parseArgs({ options: { require: { type: 'string', default: '' } } }).values
} catch (error) {
  console.error(`${error.message}\n${usage}`)
  process.exit(2)
}
const required = options.require.split(',').filter(Boolean)
const unknown = required.filter((id) => !ids.includes(id))
if (unknown.length > 0) {
  console.error(`no such mechanism: ${unknown.join(', ')}`)
  process.exit(2)
}

const named = new Set()
for (const folder of ['test', 'hw/tb']) {
  for (const file of testFiles(join(root, folder))) for (const id of idsOf(readFileSync(file, 'utf8'))) named.add(id)
}
const without = ids.filter((id) => !named.has(id))
const missing = required.filter((id) => !named.has(id))
console.log(`check-mechanisms: ${ids.length - without.length} of ${ids.length} have a test`)
if (without.length > 0) console.log(`without: ${without.join(' ')}`)
for (const id of missing) console.error(`check-mechanisms: no test names ${id}`)
const wrong = problemsOf(join(root, 'docs/mechanisms.md'))
for (const problem of wrong) console.error(`docs/mechanisms.md: ${problem}`)
process.exit(missing.length === 0 && wrong.length === 0 ? 0 : 1)

/** The page: every ID has a row, every file named exists, and every test named beside an ID names that ID itself. */
function problemsOf(page) {
  const rows = [...readFileSync(page, 'utf8').matchAll(/^\| ((?:[AHSDPI]\d{1,2} ?)+)\|(.*)$/gm)].map(
    ([, first, rest]) => ({
      ids: first.trim().split(' '),
      files: [...rest.matchAll(/`((?:native|src|test|tools)\/[\w./-]+)`/g)].map(([, file]) => file),
    }),
  )
  const listed = new Set(rows.flatMap((row) => row.ids))
  const problems = ids.filter((id) => !listed.has(id)).map((id) => `${id} has no row`)
  for (const row of rows) {
    for (const file of row.files) {
      if (!existsSync(join(root, file))) problems.push(`${row.ids[0]}: ${file} is not there`)
      else if (
        file.startsWith('test/') &&
        !row.ids.every((id) => idsOf(readFileSync(join(root, file), 'utf8')).includes(id))
      )
        problems.push(`${row.ids[0]}: no test in ${file} names it`)
    }
  }
  return problems
}

function* testFiles(folder) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* testFiles(path)
    else if (/(_test\.cpp|\.test\.ts)$/.test(entry.name)) yield path
  }
}

/** IDs in the names of tests: TEST_CASE("A12: …"), it('… (I3)'), describe(…). */
function idsOf(text) {
  const names = text.matchAll(
    /\b(?:TEST_CASE(?:_TEMPLATE)?|SUBCASE|it|test|describe)(?:\.\w+)*(?:\([^'"`]*?\))?\s*\(\s*(['"`])(.*?)\1/g,
  )
  return [...names].flatMap(([, , name]) => name.match(/\b[AHSDPI]\d{1,2}\b/g) ?? [])
}
