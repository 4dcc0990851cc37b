#!/usr/bin/env node
// What the docs point at must be there: relative links in every page, and every `file:function` of docs/packet-path.md.
// (Configuration keys and commands are checked against the code itself: test/unit/docs.test.ts.)
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const skipped = new Set(['node_modules', 'build', 'dist', 'testlog', '.git'])

const problems = []
for (const page of markdownFiles(root)) checkLinks(page)
checkPacketPath(join(root, 'docs/packet-path.md'))
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('check-docs: every link and every function named in the docs exists')
process.exit(problems.length === 0 ? 0 : 1)

function* markdownFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* markdownFiles(path)
    else if (entry.name.endsWith('.md')) yield path
  }
}

function checkLinks(page) {
  const text = withoutCode(readFileSync(page, 'utf8'))
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target) || target.startsWith('#')) continue
    const path = join(dirname(page), target.split('#')[0])
    if (!existsSync(path)) problems.push(`${relative(root, page)}: links to ${target}, which is not there`)
  }
}

function withoutCode(text) {
  return text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')
}

/** `native/path/parse.cpp:parse_one` or `src/appliance.ts:start` must be a file, and the name must be in it. */
function checkPacketPath(page) {
  if (!existsSync(page)) return
  const text = readFileSync(page, 'utf8')
  for (const [, file, name] of text.matchAll(/`((?:native|src|test|tools|bench)\/[\w./-]+)(?::(\w+)(?:\(\))?)?`/g)) {
    const path = join(root, file)
    if (!existsSync(path)) problems.push(`docs/packet-path.md: names ${file}, which is not there`)
    else if (name !== undefined && statSync(path).isFile() && !hasName(path, name)) {
      problems.push(`docs/packet-path.md: names ${name} in ${file}, which has no such name`)
    }
  }
}

function hasName(path, name) {
  return new RegExp(`\\b${name}\\b`).test(readFileSync(path, 'utf8'))
}
