// The demonstration for people who are not root: the same program again, inside a user namespace in which it is.
// When that program ends, however it ends, the kernel removes everything that was in there.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const kEnterVariable = 'CUTWATER_DEMO_ENTER'

/** The command that opens a door into the namespace for another terminal; undefined when we are not inside one. */
export function enterCommand(): string | undefined {
  return process.env[kEnterVariable]
}

// capabilities(7): their bits in CapEff of /proc/self/status
const kNeeded = [12n /* NET_ADMIN */, 21n /* SYS_ADMIN */]

/** Whether this process may make network namespaces where it is. */
export function mayBuildNetworks(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return kNeeded.every((bit) => ((BigInt(`0x${effective}`) >> bit) & 1n) === 1n)
}

/** Runs this program again inside a user namespace. Returns: its exit code. */
export async function runInUserNamespace(args: readonly string[]): Promise<number> {
  const unshare = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const probe = spawnSync('unshare', [...unshare, 'true'], { encoding: 'utf8' })
  if (probe.status !== 0) {
    process.stderr.write(
      `cutwater demo: this user may not make user namespaces (${(probe.error?.message ?? probe.stderr).trim()}).\n` +
        'Run it as root, or allow them: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000\n',
    )
    return 1
  }
  const folder = mkdtempSync(join(tmpdir(), 'cutwater-demo-'))
  const enter = join(folder, 'enter')
  // Network names live below /run/netns, temporary files below TMPDIR: both private to the namespace.
  const prepare =
    'mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/tmp && export TMPDIR=/run/tmp && exec "$0" "$@"'
  try {
    const child = spawn(
      'unshare',
      [...unshare, 'sh', '-c', prepare, process.execPath, process.argv[1] ?? '', ...args],
      {
        stdio: 'inherit',
        env: { ...process.env, [kEnterVariable]: enter },
      },
    )
    // unshare ignores signals while it waits, so they go to the program inside, which minds the first one only; we stay until
    // it has cleaned up.
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => signalChildren(child.pid ?? -1, name))
    writeFileSync(
      enter,
      `#!/bin/sh\n# Opens a door into the running demonstration.\nexec nsenter --target "$(cat /proc/${child.pid}/task/${child.pid}/children | tr -d ' ')"` +
        ' --user --net --mount --pid --preserve-credentials -- "$@"\n',
    )
    chmodSync(enter, 0o755)
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function signalChildren(parent: number, name: NodeJS.Signals): void {
  try {
    const pids = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').map(Number)
    for (const pid of pids.filter((one) => one > 0)) process.kill(pid, name)
  } catch {
    // it has ended: nothing to signal
  }
}
