/** `cutwater check`: reads the configuration and its certificate files, and touches nothing else. Needs no add-on. */
import { formatEndpoint, formatListen } from '../config/defaults.js'
import { readConfig } from '../config/parse.js'
import { readIdentities, wipeKeys } from '../identity/service-identity.js'
import { exitCodes, type ExitCode } from './exit-code.js'
import { printJson, printLine } from './print.js'

export interface CheckOptions {
  readonly config: string
  readonly json: boolean
}

export async function check({ config: file, json }: CheckOptions): Promise<ExitCode> {
  const config = await readConfig(file)
  const { services, warnings } = await readIdentities(
    config,
    new Date(),
    config.secure.place === 'remote' ? 'elsewhere' : 'read',
  )
  wipeKeys(services)
  const listed = [...config.services].map(([name, service]) => ({
    name,
    mode: service.mode,
    listen: formatListen(service),
    servers: service.servers.map(formatEndpoint),
  }))
  if (json) {
    printJson({ event: 'checked', file, services: listed, warnings })
    return exitCodes.ok
  }
  for (const warning of warnings) printLine(`${file}: warning: ${warning}`)
  for (const one of listed) printLine(`${file}: ${one.name} ${one.listen} ${one.mode} -> ${one.servers.join(', ')}`)
  printLine(`${file}: ok`)
  return exitCodes.ok
}
