// Sets text for the terminal: colours only where they are wanted, nothing wider than the window.
import { stripVTControlCharacters } from 'node:util'

export type Ink = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan'

const kCodes: Record<Ink, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 }

const kLeastRoom = 24 // columns that a folded cell needs to stay readable

export class Paper {
  readonly width: number
  readonly #hasColour: boolean

  constructor(
    stream: { readonly isTTY?: boolean; readonly columns?: number },
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.width = Math.max(40, Math.min(stream.columns ?? (Number(env['COLUMNS']) || 100), 140))
    // no-color.org: any value but the empty one turns colours off
    this.#hasColour = (stream.isTTY ?? false) && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  }

  ink(text: string, ...inks: readonly Ink[]): string {
    if (!this.#hasColour || text === '') return text
    return `${inks.map((ink) => `\u001b[${kCodes[ink]}m`).join('')}${text}\u001b[0m`
  }

  heading(text: string): string {
    return `\n${this.ink(text, 'bold')}\n${this.ink('─'.repeat(Math.min(this.width, Math.max(text.length, 40))), 'dim')}`
  }

  /** Columns as wide as their widest cell; the last one is folded at the window's edge, or goes below where there is no room. */
  table(rows: readonly (readonly string[])[], gap = 2): string {
    const columns = Math.max(...rows.map((row) => row.length))
    const widths = Array.from({ length: columns }, (_, column) =>
      Math.max(...rows.map((row) => lengthOf(row[column] ?? ''))),
    )
    const before = widths.slice(0, -1).reduce((sum, width) => sum + width + gap, 0)
    const room = this.width - before
    const lines = rows.flatMap((row) => {
      const head = row.slice(0, columns - 1).map((cell, column) => pad(cell, (widths[column] ?? 0) + gap)).join('') // prettier-ignore
      const last = row[columns - 1] ?? ''
      if (lengthOf(last) <= room) return [(head + last).trimEnd()]
      if (room < kLeastRoom) return [head.trimEnd(), ...fold(last, this.width - 4).map((line) => `    ${line}`)]
      const [first = '', ...rest] = fold(last, room)
      return [head + first, ...rest.map((line) => ' '.repeat(before) + line)]
    })
    return lines.join('\n')
  }

  paragraph(text: string): string {
    return fold(text, this.width).join('\n')
  }
}

function lengthOf(text: string): number {
  return stripVTControlCharacters(text).length
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - lengthOf(text)))
}

function fold(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && lengthOf(line) + 1 + lengthOf(word) > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
