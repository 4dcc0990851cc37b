// Runs other programs: to their end (`runCommand`) or in the background (`startProcess`).
// Not here: where they run (network.ts adds the namespace). Used by: the demo, the end-to-end tests and benches.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/** How a program ended and what it said. */
export interface CommandResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** What a run may be given. */
export interface CommandOptions {
  readonly input?: string | Uint8Array
  /** Killed after this long. Default: 30 s. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

const kKeptOutputBytes = 16 * 1024 * 1024 // a talkative program must not fill our memory

/** Runs a program to its end. It never throws for a non-zero exit code: the caller judges. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const running = new RunningProcess(argv, options)
  running.endInput(options.input ?? '')
  const timer = setTimeout(() => running.signal('SIGKILL'), options.timeoutMs ?? 30_000)
  try {
    return await running.ended
  } finally {
    clearTimeout(timer)
  }
}

/** Runs a program to its end and returns its standard output. @throws Error when it fails. */
export async function outputOf(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(argv, options)
  if (result.code !== 0) {
    throw new Error(`${argv.join(' ')}: exit ${result.code ?? result.signal}: ${result.stderr.trim().slice(-2_000)}`)
  }
  return result.stdout
}

/** A program in the background. Stop it with `stop()`; its output is kept, bounded. */
export class RunningProcess {
  readonly argv: readonly string[]
  readonly ended: Promise<CommandResult>
  #child: ChildProcess
  #stdout = ''
  #stderr = ''
  #result: CommandResult | undefined
  #watchers = new Set<() => void>()

  constructor(argv: readonly string[], options: CommandOptions = {}) {
    const [file, ...rest] = argv
    if (file === undefined) throw new Error('an empty command')
    this.argv = argv
    this.#child = spawn(file, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    this.#child.stdin?.on('error', () => undefined) // the program may end before it has read everything
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = keep(this.#stdout, text)
      this.#notify()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = keep(this.#stderr, text)
      this.#notify()
    })
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#result = { code, signal, stdout: this.#stdout, stderr: this.#stderr }
        this.#notify()
        resolve(this.#result)
      }
      this.#child.on('error', (error) => {
        this.#stderr = keep(this.#stderr, error.message)
        end(127, null)
      })
      this.#child.on('close', end)
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }
  get stdout(): string {
    return this.#stdout
  }
  get stderr(): string {
    return this.#stderr
  }
  get result(): CommandResult | undefined {
    return this.#result
  }

  write(text: string | Uint8Array): void {
    this.#child.stdin?.write(text)
  }
  endInput(text: string | Uint8Array = ''): void {
    this.#child.stdin?.end(text)
  }
  signal(signal: NodeJS.Signals): void {
    if (this.#result === undefined) this.#child.kill(signal)
  }

  /** Waits until the output so far satisfies `test`. @throws Error at the time limit or when the program ends first. */
  async until<T>(test: (stdout: string, stderr: string) => T | undefined | false, timeoutMs = 15_000): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const found = test(this.#stdout, this.#stderr)
      if (found !== undefined && found !== false) return found
      if (this.#result !== undefined || Date.now() >= deadline) {
        const why = this.#result === undefined ? `nothing after ${timeoutMs} ms` : `it ended (${this.#result.code})`
        throw new Error(`${this.argv.join(' ')}: ${why}\n${this.#stdout.slice(-1_500)}\n${this.#stderr.slice(-1_500)}`)
      }
      await this.#change(deadline - Date.now())
    }
  }

  /** Asks it to end, then insists. Idempotent. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 5_000): Promise<CommandResult> {
    this.signal(signal)
    const timer = setTimeout(() => this.signal('SIGKILL'), patienceMs)
    try {
      return await this.ended
    } finally {
      clearTimeout(timer)
    }
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, Math.max(1, limitMs))
      this.#watchers.add(done)
    })
  }
}

function keep(before: string, added: string): string {
  const all = before + added
  return all.length > kKeptOutputBytes ? all.slice(-kKeptOutputBytes) : all
}
