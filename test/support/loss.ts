// A host that loses packets.
import type { Host } from '../../src/demo/network.js'

/** One in a hundred of the TCP packets that a host sends, and of those that reach it, is dropped from now on. */
export function loseOneInAHundred(host: Host): Promise<string> {
  const chain = (hook: string): string => `  chain ${hook} {
    type filter hook ${hook} priority 0
    meta l4proto tcp numgen random mod 100 < 1 drop
  }
`
  return host.output(['nft', '-f', '-'], {
    input: `table inet loss {\n${chain('prerouting')}${chain('postrouting')}}\n`,
  })
}
