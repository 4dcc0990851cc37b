/** The command line asks for something that makes no sense; commander finds the others itself. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError'
}
