/** Loads the add-on; the only file that does. Nothing else in the package needs it to be built. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

import { CutwaterError, type ErrorCode } from '../errors.js'
import type { BuildInfo, NativeEngine, NativeModule } from './contract.js'
import type { Micro } from './micro-contract.js'

// From src/native and from dist/native alike.
const addonPath = fileURLToPath(new URL('../../build/native/RelWithDebInfo/cutwater.node', import.meta.url))

/** The secure processors as a process of their own, built beside the add-on. */
export const secureProgramPath = fileURLToPath(
  new URL('../../build/native/RelWithDebInfo/cutwater-secure', import.meta.url),
)

let loaded: NativeModule | undefined

/** @throws CutwaterError NATIVE_MISSING */
function loadNative(): NativeModule {
  if (loaded) return loaded
  if (!existsSync(addonPath)) {
    throw new CutwaterError('NATIVE_MISSING', `the native part is not built (${addonPath}): run "npm run build"`)
  }
  try {
    loaded = createRequire(import.meta.url)(addonPath) as NativeModule
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CutwaterError('NATIVE_MISSING', `the native part does not load: ${reason}`, { cause })
  }
  return loaded
}

/** A new engine, not started. @throws CutwaterError NATIVE_MISSING */
export function createEngine(): NativeEngine {
  return new (loadNative().Engine)()
}

/** Versions this build is made of. @throws CutwaterError NATIVE_MISSING */
export function buildInfo(): BuildInfo {
  return loadNative().buildInfo()
}

/** Single operations of the dataplane, for bench/micro. @throws CutwaterError NATIVE_MISSING */
export function microOperations(): Micro {
  return loadNative().micro
}

const nativeCodes: readonly ErrorCode[] = ['CONFIG_INVALID', 'PORT_UNAVAILABLE', 'CERTIFICATE_INVALID', 'CLOSED']

/** Calls into the add-on and gives its errors our class. */
export function callNative<T>(call: () => T): T {
  try {
    return call()
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    const said = (cause as NodeJS.ErrnoException).code
    const code = nativeCodes.find((known) => known === said) ?? 'NATIVE_FAILED'
    throw new CutwaterError(code, cause.message, { cause })
  }
}
