#!/usr/bin/env node
// Makes this checkout ready to run, on a Debian machine that has Node and npm and nothing else: system packages, npm
// packages, native build, TypeScript build, in that order. Each step looks first and is skipped when nothing changed.
// Plain Node, no packages: on a fresh clone there is no node_modules yet.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const oldestNode = [20, 19]
const usage = `Usage: node tools/setup.mjs --for build|demo|test|bench|fuzz|sanitize [--only system|npm|native|typescript]

Installs what that purpose needs and builds what has changed.
Exit codes: 0 ready, 1 something is missing or failed (the last lines say what), 2 wrong usage.`

/** Which steps a purpose takes, and which targets of the native build. */
const purposes = {
  build: { packages: ['build'], targets: ['cutwater_addon', 'cutwater-secure'] },
  demo: { packages: ['build', 'demo'], targets: ['cutwater_addon', 'cutwater-secure'] },
  test: {
    packages: ['build', 'test'],
    targets: ['cutwater_addon', 'cutwater-secure', 'cutwater_tests', 'cutwater-relay'],
  },
  bench: { packages: ['build', 'bench'], targets: ['cutwater_addon', 'cutwater-secure'] },
  fuzz: { packages: ['build', 'fuzz'], targets: [] },
  sanitize: { packages: ['build', 'sanitize'], targets: [] },
}

function say(line) {
  process.stderr.write(`set-up: ${line}\n`)
}

function fail(line) {
  process.stderr.write(`set-up: ${line}\n`)
  process.exit(1)
}

/** Runs a command with its output on ours; ends the set-up when it fails. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`)
  if (result.status !== 0) fail(`failed (${result.signal ?? result.status}): ${command} ${args.join(' ')}`)
}

function isRunnable(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0
}

/**
 * One set-up at a time: two that build into one folder break each other. The lock holds the owner's process ID, so that one
 * left behind by a killed set-up is seen for what it is.
 */
function takeLock() {
  const path = join(root, 'build/.setup-lock')
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    fail(`this user cannot write here: ${error.message}`)
  }
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      process.once('exit', () => rmSync(path, { force: true }))
      for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`this user cannot write here: ${error.message}`)
    }
    const owner = Number(readText(path))
    if (owner > 0 && !existsSync(`/proc/${owner}`)) rmSync(path, { force: true })
    else if (tries === 0) say(`waiting for another set-up (process ${owner})`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250)
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return
  fail(`Node.js ${oldestNode.join('.')} or newer is needed, this is ${process.versions.node}`)
}

/** Debian packages of this purpose that are not installed. */
function missingPackages(lists) {
  const table = JSON.parse(readFileSync(join(root, 'tools/packages.json'), 'utf8'))
  const wanted = [...new Set(lists.flatMap((name) => table[name]))]
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package}\t${db:Status-Status}\n', ...wanted], {
    encoding: 'utf8',
  })
  if (query.error)
    fail(`this is not a Debian system (no dpkg-query); install by hand what these stand for: ${wanted.join(' ')}`)
  const installed = new Set(
    query.stdout
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([, status]) => status === 'installed')
      .map(([name]) => name),
  )
  return wanted.filter((name) => !installed.has(name))
}

// Installing a server package must not start a server on the user's machine: policy-rc.d says no while we install, unless
// the machine has its own.
const installScript = `
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=600 -qq update
apt-get -o DPkg::Lock::Timeout=600 -qq -y --no-install-recommends install "$@" < /dev/null
`

/** How to become root here: [] when we are, null when we cannot. */
function rootPrefix() {
  if (process.getuid() === 0) return []
  if (!isRunnable('sudo')) return null
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo']
  return process.stdin.isTTY ? ['sudo'] : null
}

function installSystemPackages(lists) {
  const missing = missingPackages(lists)
  if (missing.length === 0) return
  const prefix = rootPrefix()
  if (prefix === null) {
    fail(`these Debian packages are missing, and this user may not install them. As root, run:

  apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}

and start again.`)
  }
  say(`installing Debian packages: ${missing.join(' ')}`)
  const [command, ...args] = [...prefix, 'sh', '-c', installScript, 'install', ...missing]
  run(command, args, { stdio: [prefix.length ? 'inherit' : 'ignore', 2, 2] })
  const still = missingPackages(lists)
  if (still.length > 0) fail(`Debian did not install: ${still.join(' ')}`)
}

function installNpmPackages() {
  const stamp = join(root, 'node_modules/.cutwater-lock')
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  say('installing npm packages')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(stamp, wanted)
}

/** The native build. Ninja decides what is out of date; with nothing to do this takes about half a second. */
function buildNative(targets) {
  if (targets.length === 0) return
  const jobs = process.env.CUTWATER_JOBS ?? String(availableParallelism())
  const shared = [
    '--out',
    'build/native',
    '-G',
    'Ninja',
    '-B',
    'RelWithDebInfo',
    '--CDCUTWATER_TESTS=ON',
    '-l',
    'error',
  ]
  const cmakeJs = join(root, 'node_modules/.bin/cmake-js')
  if (!existsSync(join(root, 'build/native/build.ninja'))) {
    say('configuring the native build')
    run(cmakeJs, ['configure', ...shared])
  }
  for (const target of targets) run(cmakeJs, ['build', ...shared, '--target', target, '--parallel', jobs])
}

function buildTypeScript() {
  run(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'])
  const entry = join(root, 'dist/cli/main.js')
  chmodSync(entry, 0o755)
  // npm links the bins of dependencies only; with this, `npx cutwater` works in the checkout too.
  const link = join(root, 'node_modules/.bin/cutwater')
  mkdirSync(dirname(link), { recursive: true })
  rmSync(link, { force: true })
  symlinkSync('../../dist/cli/main.js', link)
}

let options
try {
  options = parseArgs({
    options: {
      for: { type: 'string', default: 'build' },
      only: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}\n`)
  process.exit(2)
}
if (options.help) {
  process.stdout.write(`${usage}\n`)
  process.exit(0)
}
const purpose = purposes[options.for]
const steps = {
  system: () => installSystemPackages(purpose.packages),
  npm: installNpmPackages,
  native: () => buildNative(purpose.targets),
  typescript: buildTypeScript,
}
if (!purpose || (options.only && !(options.only in steps))) {
  process.stderr.write(`${usage}\n`)
  process.exit(2)
}
checkNode()
takeLock()
for (const [name, step] of Object.entries(steps)) if (!options.only || options.only === name) step()
