#!/usr/bin/env node
/** Entry of the command line. The only place that sets the exit code. */
import { CommanderError } from 'commander'

import { buildProgram } from './args.js'
import { CommandLineError } from './command-line-error.js'
import { exitCodeOf, exitCodes } from './exit-code.js'
import { printError, printJson, toErrorJson } from './print.js'

// `cutwater flows | head` closes our output early; that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed)
})

const program = buildProgram((code) => {
  process.exitCode = code
})
program.exitOverride()
for (const command of program.commands) command.exitOverride()

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version end this way, too; commander has printed everything.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  } else if (error instanceof CommandLineError) {
    printError(error.message)
    process.exitCode = exitCodes.usage
  } else {
    if (process.argv.includes('--json')) printJson(toErrorJson(error))
    printError(error)
    process.exitCode = exitCodeOf(error)
  }
}
