// Shows the packets of one connection, both sides beside each other: what came in, what went out, what was rewritten.
//
//   ms     client side                       server side                     what happened
//   0.12   ▸ S    seq 0                      S seq 0 ▸                        …
// In a narrow window one column serves both, and c or s says which side it is.
// Numbers are relative to each side's first SYN, as people read them; the rewriting then shows as the difference.
import type { TraceEntry } from '../native/contract.js'
import type { Paper } from './paper.js'

const kWideColumns = 96 // both sides beside each other, with room for what happened

/** The packets of the flow that has most of them. */
export function longestFlow(trace: readonly TraceEntry[]): TraceEntry[] {
  return [...groupByFlow(trace).values()].sort((a, b) => b.length - a.length)[0] ?? []
}

function groupByFlow(trace: readonly TraceEntry[]): Map<number, TraceEntry[]> {
  const flows = new Map<number, TraceEntry[]>()
  for (const entry of trace) flows.set(entry.flow, [...(flows.get(entry.flow) ?? []), entry])
  return flows
}

/** Who sent a packet: the appliance speaks for the other end of the connection. */
type Speaker = 'client' | 'server'

function speakerOf(entry: TraceEntry): Speaker {
  const isFromClient = (entry.side === 'client') === (entry.direction === 'rx')
  return isFromClient ? 'client' : 'server'
}

/** The first sequence number each speaker used on each side. */
class Origins {
  #first = new Map<string, number>()

  constructor(entries: readonly TraceEntry[]) {
    for (const entry of entries) {
      const key = `${entry.side} ${speakerOf(entry)}`
      if (entry.flags.includes('S') && !this.#first.has(key)) this.#first.set(key, entry.seq)
    }
  }

  seq(entry: TraceEntry): number {
    return relative(entry.seq, this.#first.get(`${entry.side} ${speakerOf(entry)}`))
  }
  ack(entry: TraceEntry): number {
    const other = speakerOf(entry) === 'client' ? 'server' : 'client'
    return relative(entry.ack, this.#first.get(`${entry.side} ${other}`))
  }
}

function relative(value: number, first: number | undefined): number {
  return first === undefined ? value : (value - first) >>> 0
}

/** At most `limit` packets; the middle of a long connection is left out and counted. */
export function renderTrace(paper: Paper, entries: readonly TraceEntry[], limit = 60): string {
  const origins = new Origins(entries)
  const start = entries[0]?.atUs ?? 0
  const head = entries.slice(0, Math.ceil(limit * 0.7))
  const tail = entries.slice(Math.max(head.length, entries.length - Math.floor(limit * 0.3)))
  const left = entries.length - head.length - tail.length
  const row = (entry: TraceEntry): string[] => rowOf(paper, entry, origins, start)
  const rows = [
    ['ms', 'client side', '', 'server side', 'what happened'].map((text) => paper.ink(text, 'dim')),
    ...head.map(row),
    ...(left > 0 ? [[paper.ink(`… ${left} more packets …`, 'dim'), '', '', '', '']] : []),
    ...tail.map(row),
  ]
  return paper.width >= kWideColumns ? paper.table(rows) : paper.table(rows.slice(1).map(narrow))
}

function rowOf(paper: Paper, entry: TraceEntry, origins: Origins, start: number): string[] {
  const milliseconds = ((entry.atUs - start) / 1_000).toFixed(2).padStart(7)
  const text = describe(paper, entry, origins)
  // Up is towards the server: ▸ points right on both sides, ◂ left.
  const arrow = speakerOf(entry) === 'client' ? paper.ink('▸', 'green') : paper.ink('◂', 'blue')
  const note = [recordsText(entry), entry.note].filter(Boolean).join(', ')
  return entry.side === 'client' ? [milliseconds, text, arrow, '', note] : [milliseconds, '', arrow, text, note]
}

function narrow([milliseconds = '', client = '', arrow = '', server = '', note = '']: readonly string[]): string[] {
  const side = client === '' ? 's' : 'c'
  return [milliseconds, side, arrow, client === '' ? server : client, note]
}

function describe(paper: Paper, entry: TraceEntry, origins: Origins): string {
  const kind = entry.flags.includes('R')
    ? paper.ink(entry.flags.padEnd(2), 'red')
    : paper.ink(entry.flags.padEnd(2), 'bold')
  const ack = entry.flags.includes('A') ? ` ack ${origins.ack(entry)}` : ''
  const size = entry.payloadBytes > 0 ? ` ${paper.ink(`${entry.payloadBytes} B`, 'cyan')}` : ''
  const way = entry.direction === 'rx' ? paper.ink('in ', 'dim') : paper.ink('out', 'dim')
  return `${way} ${kind} seq ${origins.seq(entry)}${ack}${size}`
}

function recordsText({ firstRecord, lastRecord }: TraceEntry): string {
  if (firstRecord < 0) return ''
  return lastRecord > firstRecord ? `records ${firstRecord}–${lastRecord}` : `record ${firstRecord}`
}
