// Captures packets with tcpdump and reads the file: what was really on the wire, seen from outside the appliance.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host, Network } from '../../src/demo/network.js'
import type { RunningProcess } from '../../src/demo/command.js'

/** A TCP segment. */
export interface Segment {
  readonly from: string
  readonly fromPort: number
  readonly to: string
  readonly toPort: number
  readonly seq: number
  readonly ack: number
  readonly flags: string
  readonly payload: Buffer
  /** Of the TCP header. */
  readonly options: Buffer
}

export class Capture {
  readonly #running: RunningProcess
  readonly #file: string

  private constructor(running: RunningProcess, file: string) {
    this.#running = running
    this.#file = file
  }

  static async start(network: Network, host: Host, device: string, filter = 'tcp'): Promise<Capture> {
    const file = network.file(`${device}-${Date.now()}.pcap`)
    const running = host.start([
      'tcpdump',
      '-i',
      device,
      '-U',
      '--immediate-mode',
      '-B',
      '32768',
      '-s',
      '0',
      '-Z',
      'root',
      '-w',
      file,
      filter,
    ])
    await running.until((_, stderr) => stderr.includes('listening on'))
    return new Capture(running, file)
  }

  /** Ends the capture. @throws Error when the kernel dropped packets: then absence proves nothing. */
  async stop(): Promise<Segment[]> {
    await sleep(200) // what is on its way
    const { stderr } = await this.#running.stop('SIGINT')
    const dropped = Number(/(\d+) packets? dropped by kernel/.exec(stderr)?.[1] ?? 0)
    if (dropped > 0) throw new Error(`tcpdump missed ${dropped} packets`)
    return readSegments(readFileSync(this.#file))
  }
}

/** The TCP segments of a capture file (little-endian pcap, Ethernet), as tcpdump writes it. */
export function readSegments(file: Buffer): Segment[] {
  const segments: Segment[] = []
  for (let at = 24; at + 16 <= file.length;) {
    const bytes = file.readUInt32LE(at + 8)
    const segment = readSegment(file.subarray(at + 16, at + 16 + bytes))
    if (segment !== undefined) segments.push(segment)
    at += 16 + bytes
  }
  return segments
}

const kTcp = 6
const kFlagLetters = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C']

function readSegment(packet: Buffer): Segment | undefined {
  const isV6 = packet.readUInt16BE(12) === 0x86dd
  const ip = packet.subarray(14)
  if (isV6 ? ip[6] !== kTcp : ip[9] !== kTcp) return undefined
  const headerBytes = isV6 ? 40 : (ip[0]! & 15) * 4
  const totalBytes = isV6 ? 40 + ip.readUInt16BE(4) : ip.readUInt16BE(2) // not the padding of short packets
  const tcp = ip.subarray(headerBytes, totalBytes)
  const tcpBytes = (tcp[12]! >> 4) * 4
  const [from, to] = isV6
    ? [v6Text(ip.subarray(8, 24)), v6Text(ip.subarray(24, 40))]
    : [v4Text(ip.subarray(12, 16)), v4Text(ip.subarray(16, 20))]
  return {
    from, to,
    fromPort: tcp.readUInt16BE(0), toPort: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4), ack: tcp.readUInt32BE(8),
    flags: kFlagLetters.filter((_, bit) => (tcp[13]! & (1 << bit)) !== 0).join(''),
    payload: Buffer.from(tcp.subarray(tcpBytes)),
    options: Buffer.from(tcp.subarray(20, tcpBytes)),
  } // prettier-ignore
}

function v4Text(address: Buffer): string {
  return [...address].join('.')
}

function v6Text(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1) // the URL parser knows the canonical form
}

/** The bytes of one direction of one connection, put together by sequence number. @throws Error at a gap or a contradiction. */
export function streamFrom(segments: readonly Segment[], fromPort: number, toPort: number): Buffer {
  const mine = segments.filter((segment) => segment.fromPort === fromPort && segment.toPort === toPort)
  const syn = mine.find((segment) => segment.flags.includes('S'))
  if (syn === undefined) throw new Error(`no connection from ${fromPort} to ${toPort}`)
  const first = (syn.seq + 1) >>> 0
  const parts = mine
    .filter((segment) => segment.payload.length > 0)
    .map((segment) => ({ at: (segment.seq - first) >>> 0, bytes: segment.payload }))
    .sort((a, b) => a.at - b.at)
  const stream = Buffer.alloc(Math.max(0, ...parts.map(({ at, bytes }) => at + bytes.length)))
  let end = 0
  for (const { at, bytes } of parts) {
    if (at > end) throw new Error(`a gap of ${at - end} bytes at ${end}`)
    const known = Math.min(end - at, bytes.length)
    if (!stream.subarray(at, at + known).equals(bytes.subarray(0, known)))
      throw new Error(`other bytes at ${at} than before`)
    bytes.copy(stream, end, known)
    end = Math.max(end, at + bytes.length)
  }
  return stream
}

/** A TLS record as seen from outside. */
export interface OuterRecord {
  readonly type: number
  readonly bytes: number
}

/** Cuts a stream into TLS records. @throws Error where it is anything else. The last record may be cut short. */
export function recordsOf(stream: Buffer): OuterRecord[] {
  const records: OuterRecord[] = []
  for (let at = 0; at + 5 <= stream.length;) {
    const [type = 0, major = 0, minor = 0] = stream.subarray(at, at + 3)
    const bytes = stream.readUInt16BE(at + 3)
    if (type < 20 || type > 23 || major !== 3 || minor > 3 || bytes === 0 || bytes > 16_384 + 256) {
      throw new Error(`not a TLS record at byte ${at}: ${stream.subarray(at, at + 16).toString('hex')}`)
    }
    records.push({ type, bytes })
    at += 5 + bytes
  }
  return records
}

/** What one side sent more than once, over all connections of a capture. */
export interface Resent {
  readonly bytes: number
  /** Places where the second sending said something else: under one nonce, that is two ciphertexts (I3). */
  readonly contradictions: readonly string[]
}

/** Compares everything sent from a port with what was sent at the same place before. Damaged packets must not be in the capture. */
export function resentFrom(segments: readonly Segment[], fromPort: number): Resent {
  const streams = new Map<string, { first: number; bytes: Buffer; seen: Uint8Array }>()
  const contradictions: string[] = []
  let resent = 0
  for (const { from, to, fromPort: port, toPort, seq, flags, payload } of segments) {
    if (port !== fromPort) continue
    const name = `${from} to ${to} ${toPort}`
    if (flags.includes('S')) {
      const known = streams.get(name)
      if (known?.first !== (seq + 1) >>> 0)
        streams.set(name, { first: (seq + 1) >>> 0, bytes: Buffer.alloc(0), seen: new Uint8Array(0) })
      continue
    }
    const stream = streams.get(name)
    if (stream === undefined || payload.length === 0) continue
    const at = (seq - stream.first) >>> 0
    const end = at + payload.length
    if (at > 0x7fff_ffff) continue // a keep-alive's byte before the first one
    if (end > stream.bytes.length) {
      const room = Math.max(end, stream.bytes.length * 2)
      stream.bytes = Buffer.concat([stream.bytes], room)
      const seen = new Uint8Array(room)
      seen.set(stream.seen)
      stream.seen = seen
    }
    for (const [index, byte] of payload.entries()) {
      if (stream.seen[at + index] === 1) {
        resent += 1
        if (stream.bytes[at + index] !== byte) {
          contradictions.push(`${name}: another byte at ${at + index}`)
          break
        }
      }
      stream.bytes[at + index] = byte
      stream.seen[at + index] = 1
    }
  }
  return { bytes: resent, contradictions }
}
