/** Where a running appliance can be spoken to. */
import { join } from 'node:path'

export interface PathInputs {
  readonly uid: number
  readonly runtimeDirectory: string | undefined
  readonly temporaryDirectory: string
}

/** /run/cutwater/NAME.sock for root, else under $XDG_RUNTIME_DIR, else in a folder of the user's own. */
export function defaultControlPath(name: string, { uid, runtimeDirectory, temporaryDirectory }: PathInputs): string {
  const file = `${name}.sock`
  if (uid === 0) return join('/run/cutwater', file)
  if (runtimeDirectory) return join(runtimeDirectory, 'cutwater', file)
  return join(temporaryDirectory, `cutwater-${uid}`, file)
}
