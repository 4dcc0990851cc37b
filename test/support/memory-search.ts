// Looks through everything a process has in memory, from outside, as whoever gets its core file could. Needs root.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { createPrivateKey } from 'node:crypto'

const kPieceBytes = 1 << 20

/** How often each of the needles stands in the memory of a process, by its name. */
export function searchMemory(pid: number, needles: ReadonlyMap<string, Buffer>): Map<string, number> {
  const found = new Map([...needles.keys()].map((name) => [name, 0]))
  const overlap = Math.max(...[...needles.values()].map((needle) => needle.length)) - 1
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const piece = Buffer.alloc(kPieceBytes + overlap)
  try {
    for (const [begin, end] of readableRegions(pid)) {
      for (let at = begin; at < end; at += BigInt(kPieceBytes)) {
        const wanted = Number(end - at > BigInt(piece.length) ? BigInt(piece.length) : end - at)
        const got = readPiece(memory, piece, wanted, at)
        for (const [name, needle] of needles) {
          const seen = piece.subarray(0, got)
          for (let hit = seen.indexOf(needle); hit >= 0 && hit < kPieceBytes; hit = seen.indexOf(needle, hit + 1)) {
            found.set(name, (found.get(name) ?? 0) + 1)
          }
        }
      }
    }
  } finally {
    closeSync(memory)
  }
  return found
}

/** What cannot be read, such as a device's own memory, gives nothing. */
function readPiece(memory: number, piece: Buffer, wanted: number, at: bigint): number {
  try {
    return readSync(memory, piece, 0, wanted, at)
  } catch {
    return 0
  }
}

function readableRegions(pid: number): [bigint, bigint][] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line))
    .filter((match) => match !== null)
    .map(([, begin, end]) => [BigInt(`0x${begin}`), BigInt(`0x${end}`)])
}

/** A private key in every shape that memory may hold it in: the file's text, and its secret number in both byte orders. */
export function shapesOfKey(pemFile: string): Map<string, Buffer> {
  const pem = readFileSync(pemFile, 'utf8')
  const lines = pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'))
  const { d, p } = createPrivateKey(pem).export({ format: 'jwk' })
  const shapes = new Map([['a line of the PEM text', Buffer.from(lines[1] ?? '')]])
  for (const [name, text] of Object.entries({ d, p })) {
    if (text === undefined) continue // p: RSA alone
    const bigEndian = Buffer.from(text, 'base64url')
    shapes.set(`${name}, big-endian`, bigEndian)
    shapes.set(`${name}, little-endian`, Buffer.from(bigEndian).reverse())
  }
  return shapes
}

export const hitsOf = (found: ReadonlyMap<string, number>): number =>
  [...found.values()].reduce((sum, hits) => sum + hits, 0)
