#!/usr/bin/env node
// Is one clock of a top nothing but logic? Compiles each by clang to LLVM IR, with every loop unrolled and every call inlined that can be, and
// refuses what a synthesis tool could not make one clock of: loops that are left (no bound is known), recursion, calls to anything but the
// streams, through a pointer or into a library, exceptions, allocation, division, floating point, and state besides one object of registers
// in the top. What is left is one graph without a cycle from the registers and streams of one clock to those of the next.
// It says nothing about how long that graph takes or how many gates it is: that is the vendor tool's report (report.py).
import { spawn } from 'node:child_process'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(dirname(fileURLToPath(import.meta.url)))
const usage = `Usage: node hw/scripts/check_synthesizable.mjs [FILE.cpp…]

Checks the tops, or the files named. Exit codes: 0 all may be synthesized, 1 one may not, 2 wrong usage or no clang++.`

const flags = [
  ...['-std=c++17', '-O2', '-fno-exceptions', '-fno-rtti', '-fno-vectorize', '-fno-slp-vectorize', '-fno-threadsafe-statics'],
  ...['-DCUTWATER_PORTS_ONLY', `-I${folder}`, '-S', '-emit-llvm', '-o', '-'],
  // As far as a bound is known every loop goes, however long: in one clock they are all hardware beside each other.
  ...['-mllvm', '-unroll-threshold=1000000', '-mllvm', '-unroll-full-max-count=4096', '-mllvm', '-inline-threshold=1000000'],
]

/** Operations of LLVM that are wires, gates or copies of a known size. */
const harmless =
  /^llvm\.(bitreverse|bswap|fshl|fshr|ctpop|umin|umax|smin|smax|abs|usub\.sat|uadd\.sat|lifetime\.(start|end)|assume|experimental\.noalias\.scope\.decl|mem(cpy|move|set))\b/
const port = /^_ZNK?8cutwater2hw6StreamI.*E(4read|5write|5empty|4full)E/
const division = /= (?:exact )?(?:[us]div|[us]rem) /
const floating = /= f(?:add|sub|mul|div|rem|cmp|neg|ptrunc|pext|ptoui|ptosi)\b|= [us]itofp\b/

if (process.argv.includes('--help')) {
  console.log(usage)
  process.exit(0)
}
const files = process.argv.slice(2)
if (files.some((file) => !file.endsWith('.cpp'))) {
  console.error(usage)
  process.exit(2)
}
const chosen = files.length > 0 ? files : ['record_seal_top', 'record_open_top'].map((name) => join(folder, 'top', `${name}.cpp`))
const verdicts = await Promise.all(chosen.map(check))
process.exit(verdicts.every(Boolean) ? 0 : 1)

async function check(file) {
  const { complaints, summary } = judge(await compile(file))
  for (const complaint of complaints) console.error(`${basename(file)}: ${complaint}`)
  if (complaints.length === 0) console.log(`${basename(file)}: ${summary}`)
  return complaints.length === 0
}

function compile(file) {
  return new Promise((resolve) => {
    const clang = spawn('clang++', [...flags, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks = []
    clang.stdout.on('data', (chunk) => chunks.push(chunk))
    clang.on('error', (error) => fail(`cannot run clang++: ${error.message}`))
    clang.on('close', (code) => (code === 0 ? resolve(Buffer.concat(chunks).toString()) : fail(`${file} does not compile`)))
  })
}

function fail(words) {
  console.error(words)
  process.exit(2)
}

function judge(ir) {
  const functions = readFunctions(ir)
  const defined = new Set(functions.map(({ name }) => name))
  const calls = new Map(functions.map(({ name, lines }) => [name, callsOf(lines)]))
  const complaints = [
    ...judgeGlobals(ir),
    ...functions.flatMap((one) => [
      ...judgeCalls(calls.get(one.name), defined),
      ...judgeLines(one.lines),
      ...(hasCycle([...one.edges.keys()], (block) => one.edges.get(block) ?? []) ? ['a loop whose bound is not known when it is compiled'] : []),
    ]),
    ...(hasCycle([...defined], (name) => calls.get(name).filter((callee) => defined.has(callee))) ? ['recursion'] : []),
  ]
  if (defined.size === 0) complaints.push('no function in it')
  const instructions = functions.reduce((sum, { lines }) => sum + lines.length, 0)
  const blocks = functions.reduce((sum, { edges }) => sum + edges.size, 0)
  const summary = `one clock is ${instructions} instructions in ${blocks} blocks, without a loop, a call but to its streams, or state but its registers`
  return { complaints: [...new Set(complaints)], summary }
}

/** Each function of the module: its name, the lines of its body, and which block may follow which. */
function readFunctions(ir) {
  return [...ir.matchAll(/^define [^\n]*?@("[^"]+"|[\w.$]+)\([^\n]*\{\n([\s\S]*?)^\}/gm)].map(([, name, body]) => {
    const edges = new Map()
    let block = 'entry'
    edges.set(block, [])
    const lines = body.split('\n').filter((line) => line.trim() !== '')
    for (const line of lines) {
      const label = /^("[^"]+"|[\w.$-]+):/.exec(line)?.[1]
      if (label !== undefined) {
        block = label
        edges.set(block, [])
      }
      for (const [, target] of line.matchAll(/label %("[^"]+"|[\w.$-]+)/g)) edges.get(block).push(target)
    }
    return { name, lines, edges }
  })
}

function callsOf(lines) {
  return lines
    .filter((line) => /\b(call|invoke|callbr)\b/.test(line) && !/^\s*;/.test(line))
    .map((line) => /\b(?:call|invoke|callbr)\b[^@%]*(?:%"[^"]*"[^@%(]*|%[\w.:]+\*?[^@%(]*)*@("[^"]+"|[\w.$]+)\(/.exec(line)?.[1] ?? 'a pointer')
}

function judgeCalls(callees, defined) {
  return callees
    .filter((callee) => !defined.has(callee) && !port.test(callee) && !harmless.test(callee))
    .map((callee) => (callee === 'a pointer' ? 'a call through a pointer' : `a call to ${callee}`))
}

function judgeLines(lines) {
  const complaints = []
  for (const line of lines) {
    if (/\b(invoke|landingpad|resume|callbr|indirectbr)\b/.test(line)) complaints.push('an exception or an indirect jump')
    if (/= alloca [^,]+, i\d+ %/.test(line)) complaints.push('memory on the stack whose size is not known when it is compiled')
    if (/@llvm\.mem(cpy|move|set)/.test(line) && !/i(?:32|64) \d+, i1 /.test(line)) complaints.push('a copy whose size is not known when it is compiled')
    if (division.test(line)) complaints.push('a division')
    if (floating.test(line)) complaints.push('floating point')
    if (/\b(inttoptr|ptrtoint)\b/.test(line)) complaints.push('a pointer made of a number')
    if (/\b(atomicrmw|cmpxchg|fence)\b|= load atomic|store atomic| volatile /.test(line)) complaints.push('an atomic or volatile access')
  }
  return complaints
}

/** Constants are free. Of what changes there is one object, inside a top, all its bits known at reset. */
function judgeGlobals(ir) {
  const complaints = []
  const state = []
  for (const [line, name] of ir.matchAll(/^@("[^"]+"|[\w.$]+) = [^\n]*$/gm)) {
    if (/\bthread_local\b/.test(line)) complaints.push(`thread-local state: ${name}`)
    if (name === 'llvm.global_ctors') complaints.push('something that is initialized when a program starts')
    else if (/ global /.test(line)) state.push({ name, isRegisters: /^_ZZN8cutwater2hw\w+_top\w*E9registers$/.test(name) && /\binternal\b/.test(line) })
  }
  for (const { name, isRegisters } of state) if (!isRegisters) complaints.push(`state outside of a top's registers: ${name}`)
  if (state.length > 1) complaints.push('more than one object of state')
  return complaints
}

/** Whether following `next` from any node comes back to a node under way. */
function hasCycle(nodes, next) {
  const done = new Set()
  const underWay = new Set()
  for (const start of nodes) {
    const stack = [{ node: start, rest: [...next(start)] }]
    if (done.has(start)) continue
    underWay.add(start)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      const node = top.rest.pop()
      if (node === undefined) {
        underWay.delete(top.node)
        done.add(top.node)
        stack.pop()
      } else if (underWay.has(node)) return true
      else if (!done.has(node)) {
        underWay.add(node)
        stack.push({ node, rest: [...next(node)] })
      }
    }
  }
  return false
}
