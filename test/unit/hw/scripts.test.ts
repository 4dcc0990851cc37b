// The scripts of hw/: what may become hardware, and what a synthesis tool said of it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const minutes = 60_000 // a compiler that unrolls everything takes seconds, and on a busy machine many

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cutwater-hw-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

describe('check_synthesizable', () => {
  const check = (...files: string[]) =>
    spawnSync(process.execPath, [`${root}hw/scripts/check_synthesizable.mjs`, ...files], { encoding: 'utf8' })

  /** A file in the namespace of the core, with one function. */
  const checkText = (name: string, text: string) => {
    const file = join(folder, `${name.replaceAll(/\W+/g, '_')}.cpp`)
    writeFileSync(file, `#include "shim/stream.hpp"\nnamespace cutwater::hw {\n${text}\n}\n`)
    return check(file)
  }

  it(
    'lets both tops pass: a clock of either is logic without a loop or a call',
    () => {
      const { status, stdout, stderr } = check()
      expect(stderr).toBe('')
      expect(stdout).toMatch(/record_seal_top\.cpp: one clock is \d+ instructions/)
      expect(stdout).toMatch(/record_open_top\.cpp: one clock is \d+ instructions/)
      expect(status).toBe(0)
    },
    10 * minutes,
  )

  it.each([
    ['a loop with a constant bound', 'int f(const int* p) { int s = 0; for (int i = 0; i < 1000; ++i) s ^= p[i]; return s; }'],
    ['a stream', 'void f(Stream<int>& in, Stream<int>& out) { if (!in.empty() && !out.full()) out.write(in.read()); }'],
    ['the registers of a top', 'int some_top(int a) { static int registers; return registers += a; }'],
  ])('lets %s pass', (name, text) => {
    expect(checkText(name, text)).toMatchObject({ status: 0, stderr: '' })
  })

  it.each([
    ['a loop whose bound is', 'int f(const int* p, int n) { int s = 0; for (int i = 0; i < n; ++i) s ^= s << p[i]; return s; }'],
    ['a loop whose bound is', 'void f(Stream<int>& in) { while (!in.empty()) in.read(); }'],
    ['recursion', 'struct T { T* l; T* r; int v; }; int f(T* t) { return t == nullptr ? 0 : f(t->l) * 3 ^ f(t->r) ^ t->v; }'],
    ['a call through a pointer', 'int f(int (*g)(int), int a) { return g(a); }'],
    ['a call through a pointer', 'struct B { virtual int g(int) const = 0; }; int f(const B& b, int a) { return b.g(a); }'],
    ['a call to _Znam', 'int* f(unsigned n) { return new int[n]; }'],
    ['a call to absent', 'extern "C" int absent(int); int f(int a) { return absent(a); }'],
    ['a division', 'int f(int a, int b) { return a / b; }'],
    ['floating point', 'float f(float a, float b) { return a * b; }'],
    ['state outside of a top', 'int f(int a) { static int sum; return sum += a; }'],
    ['thread-local state', 'thread_local int sum; int f(int a) { return sum += a; }'],
    ['whose size is not known', 'void f(char* to, const char* from, unsigned n) { __builtin_memcpy(to, from, n); }'],
    ['a pointer made of a number', 'int f(unsigned long a) { return *reinterpret_cast<int*>(a); }'],
  ])('refuses %s', (words, text) => {
    const { status, stderr } = checkText(words + String(text.length), text)
    expect(stderr).toContain(words)
    expect(status).toBe(1)
  })
})

describe('report.py', () => {
  const sample = readFileSync(`${root}test/unit/hw/sample_csynth.xml`, 'utf8')
  const report = (text: string) => {
    const file = join(folder, 'record_seal_top_csynth.xml')
    writeFileSync(file, text)
    return spawnSync('python3', [`${root}hw/scripts/report.py`, file], { encoding: 'utf8' })
  }

  it('reads interval, latency, clock and resources of a report', () => {
    const { status, stdout, stderr } = report(sample)
    expect(stderr).toBe('')
    expect(stdout).toContain('initiation interval 1, latency of the step 2 clocks')
    expect(stdout).toContain('clock 2.9 ns estimated, 4.0 ns asked for')
    expect(stdout).toMatch(/LUT +34567 of 1303680 \(2\.7 %\)/)
    expect(status).toBe(0)
  })

  it.each([
    ['initiation interval 2, wanted 1', '<Interval-max>1<', '<Interval-max>2<'],
    ['do not fit 4.0 ns', '<EstimatedClockPeriod>2.90<', '<EstimatedClockPeriod>3.10<'],
    ['the part has 1303680', '<LUT>34567<', '<LUT>1303681<'],
  ])('fails when %s', (words, from, to) => {
    const { status, stderr } = report(sample.replace(from, to))
    expect(stderr).toContain(words)
    expect(status).toBe(1)
  })

  it.each([
    ['no PerformanceEstimates/SummaryOfOverallLatency/Interval-max', sample.replace(/<Interval-max>.*>/, '')],
    ['is ?, not a number', sample.replace('<Interval-max>1<', '<Interval-max>?<')],
    ['no element found', ''],
  ])('does not take a report for good that lacks its figures: %s', (words, text) => {
    const { status, stderr } = report(text)
    expect(stderr).toContain(words)
    expect(status).toBe(2)
  })

  it('says how it is used', () => {
    const { status, stderr } = spawnSync('python3', [`${root}hw/scripts/report.py`], { encoding: 'utf8' })
    expect(stderr).toContain('Usage: report.py')
    expect(status).toBe(2)
  })
})
