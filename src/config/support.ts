/** What the native engine of this version can run. The schema knows more; what is not listed here is refused with a reason. */
import type { Mode, Release } from './schema.js'

export const supportedModes: readonly Mode[] = ['direct', 'balance', 'proxy']
export const supportedReleases: readonly Release[] = ['whole-record', 'streaming']
