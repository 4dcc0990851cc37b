/** The command line: its commands, options and help. What the commands do is in the files beside this one. */
import { Command, InvalidArgumentError, Option } from 'commander'

import { check } from './check.js'
import { admit, failures, flows, reload, servers, stats, trace } from './control.js'
import { demo } from './demo.js'
import { doctor } from './doctor.js'
import { CommandLineError } from './command-line-error.js'
import type { ExitCode } from './exit-code.js'
import { processor, type ProcessorOptions } from './processor.js'
import { run } from './run.js'
import { packageVersion } from './version.js'

const exitCodeHelp = `
Exit codes:
  0  done, or stopped by SIGINT or SIGTERM
  1  something failed while running
  2  the command line, the configuration or one of its files is wrong
  3  no appliance answers at the control socket`

/** Builds the command line; `done` gets the exit code of the command that ran. */
export function buildProgram(done: (code: ExitCode) => void): Command {
  const program = new Command('cutwater')
    .description('TLS offload appliance: opens and seals TLS records packet by packet')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('(cutwater --help, or cutwater COMMAND --help, tells what there is)')
    .addHelpText('after', exitCodeHelp)
    .enablePositionalOptions()
  addRun(program, done)
  addCheck(program, done)
  addDoctor(program, done)
  addDemo(program, done)
  addProcessor(program, done)
  addControl(program, done)
  return program
}

const configOption = () => new Option('-c, --config <file>', 'configuration: .yaml, .json, .ts or .js')
const jsonOption = () => new Option('--json', 'print JSON for programs').default(false)

function addRun(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('run')
    .description('run in the foreground; SIGHUP reads the configuration again, SIGTERM and Ctrl-C stop')
    .argument('[file]', 'the same as --config')
    .addOption(configOption())
    .addOption(jsonOption())
    .option('-v, --verbose', 'log every connection, not only failures', false)
    .option('--control <path>', 'path of the control socket, or "none"')
    .addHelpText('after', exitCodeHelp)
    .action(async (file: string | undefined, options: RunFlags) => {
      done(await run({ ...options, control: options.control, config: wantedFile(file, options.config) }))
    })
}

interface RunFlags {
  readonly config?: string
  readonly json: boolean
  readonly verbose: boolean
  readonly control?: string
}

function addCheck(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('check')
    .description('read a configuration and its certificates, and name every mistake; changes nothing')
    .argument('[file]', 'the same as --config')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', exitCodeHelp)
    .action(async (file: string | undefined, options: { config?: string; json: boolean }) => {
      done(await check({ json: options.json, config: wantedFile(file, options.config) }))
    })
}

function addDoctor(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('examine this machine, and with --config its interfaces and routes; say how to mend what is wrong')
    .addOption(configOption())
    .addOption(jsonOption())
    .option('--fix', 'run the commands that mend what fails or warns (as root)', false)
    .addHelpText('after', exitCodeHelp)
    .action(async (options: { config?: string; json: boolean; fix: boolean }) => {
      done(await doctor({ config: options.config, json: options.json, action: options.fix ? 'fix' : 'look' }))
    })
}

function addDemo(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('demo')
    .description('build a small network of namespaces, run real clients through an appliance, show what happened')
    .argument('[options...]', 'options of the demonstration; "cutwater demo --help" lists them')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (args: string[]) => {
      done(await demo(args))
    })
}

function addProcessor(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('processor')
    .description('work on TLS handshakes for appliances on other hosts, with private keys that stay here')
    .requiredOption('--listen <address:port>', 'where appliances connect')
    .requiredOption('--certificate <file>', 'proves to appliances who this is')
    .requiredOption('--key <file>', 'its private key')
    .requiredOption('--ca <file>', "the issuer of appliances' certificates: whoever has one may use the keys")
    .requiredOption('--keys <folder>', 'private keys of services, found by file name')
    .addHelpText('after', exitCodeHelp)
    .action(async (options: ProcessorOptions) => {
      done(await processor(options))
    })
}

interface ControlFlags {
  readonly name: string
  readonly control?: string
  readonly json: boolean
}

function addControl(program: Command, done: (code: ExitCode) => void): void {
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--name <name>', 'the `name` of the running instance', 'cutwater')
      .option('--control <path>', 'path of its control socket, when not the default')
      .addOption(jsonOption())
      .addHelpText('after', exitCodeHelp)
  command('stats', 'print the counters of a running appliance')
    .option('--all', 'also those that are 0', false)
    .action(async (options: ControlFlags & { all: boolean }) => {
      done(await stats({ ...options, control: options.control }))
    })
  command('flows', 'list the flows of a running appliance')
    .option('--limit <number>', 'at most so many', toCount, 100)
    .action(async (options: ControlFlags & { limit: number }) => {
      done(await flows({ ...options, control: options.control }))
    })
  command('trace', 'show the packets of flows that begin from now on')
    .option('--packets <number>', 'stop after so many', toCount, 1_000)
    .action(async (options: ControlFlags & { packets: number }) => {
      done(await trace({ ...options, control: options.control }))
    })
  command('failures', 'say why handshakes failed, by service, with the last of them')
    .option('--service <name>', 'only this service')
    .action(async (options: ControlFlags & { service?: string }) => {
      done(await failures({ ...options, control: options.control, service: options.service }))
    })
  command('servers', 'list the servers with their state and sessions').action(async (options: ControlFlags) => {
    done(await servers({ ...options, control: options.control }))
  })
  for (const [name, description] of [
    ['drain', 'give a server no new flows while its old ones end; stays so over reloads'],
    ['enable', 'take back a drain'],
  ] as const) {
    command(name, description)
      .argument('<service>', 'name of the service')
      .argument('<server>', 'name of the server, as "cutwater servers" shows it')
      .action(async (service: string, server: string, options: ControlFlags) => {
        done(await admit({ ...options, service, server, control: options.control }, name))
      })
  }
  command('reload', 'make a running appliance read its configuration again').action(async (options: ControlFlags) => {
    done(await reload({ ...options, control: options.control }))
  })
}

function wantedFile(argument: string | undefined, option: string | undefined): string {
  if (argument !== undefined && option !== undefined && argument !== option) {
    throw new CommandLineError(`two configurations: "${argument}" and "${option}"`)
  }
  const file = option ?? argument
  if (file === undefined) throw new CommandLineError('which configuration? Give --config FILE')
  return file
}

function toCount(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value
  throw new InvalidArgumentError('expected a whole number, 1 to 1000000')
}
