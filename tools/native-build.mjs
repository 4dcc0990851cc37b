// A native build beside the usual one, with other compilers or options: sanitizers, fuzzers, benches.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Configures `build/<name>` when it is new, then builds the targets; ends the process when that fails. */
export function buildNative(name, definitions, targets = []) {
  const folder = join(root, 'build', name)
  if (!existsSync(join(folder, 'build.ninja'))) {
    run('cmake', [
      '-S',
      root,
      '-B',
      folder,
      '-G',
      'Ninja',
      ...Object.entries(definitions).map(([key, value]) => `-D${key}=${value}`),
    ])
  }
  const jobs = process.env.CUTWATER_JOBS ?? String(availableParallelism())
  run('cmake', ['--build', folder, '--parallel', jobs, ...targets.flatMap((target) => ['--target', target])])
  return folder
}

/** Runs a program to its end with its output on ours. Returns its exit code, 1 for a signal. */
export function runProgram(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) console.error(`${command}: ${result.error.message}`)
  return result.status ?? 1
}

function run(command, args) {
  const code = runProgram(command, args)
  if (code !== 0) process.exit(code)
}
