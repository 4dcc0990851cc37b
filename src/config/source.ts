/** A configuration file as values with a memory of where each stood, so that an error can name line and column. */
import { readFile, stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'

import { createJiti } from 'jiti'
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

import { CutwaterError } from '../errors.js'

export type Path = readonly (string | number)[]

export interface Source {
  /** As the user wrote it; messages begin with it. */
  readonly file: string
  readonly value: unknown
  /** "shop.yaml:7:12" where there are lines, else the file alone. `at` says which end of a pair is meant. */
  locate(path: Path, at: 'key' | 'value'): string
}

const moduleExtensions = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']
const maxBytes = 4 * 1024 * 1024

/**
 * Reads a .yaml, .yml or .json file, or runs a TypeScript or JavaScript module and takes its `config` or default export.
 *
 * @throws CutwaterError CONFIG_UNREADABLE, or CONFIG_INVALID when the text itself is not well-formed.
 */
export async function readSource(file: string): Promise<Source> {
  const extension = extname(file).toLowerCase()
  if (moduleExtensions.includes(extension)) return readModule(file)
  if (['.yaml', '.yml', '.json'].includes(extension)) return parseText(file, await readText(file))
  throw new CutwaterError(
    'CONFIG_UNREADABLE',
    `${file}: cannot tell what kind of file this is: expected .yaml, .yml, .json, .ts, .mts, .js or .mjs`,
  )
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file)
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new CutwaterError('CONFIG_UNREADABLE', `${file}: ${reasonOf(cause)}`, { cause })
  }
}

async function readModule(file: string): Promise<Source> {
  let loaded: Record<string, unknown>
  try {
    await stat(file)
    const jiti = createJiti(import.meta.url, { fsCache: false, moduleCache: false, interopDefault: false })
    loaded = await jiti.import<Record<string, unknown>>(resolve(file))
  } catch (cause) {
    throw new CutwaterError('CONFIG_UNREADABLE', `${file}: ${reasonOf(cause)}`, { cause })
  }
  const value = loaded['config'] ?? loaded['default']
  if (value === undefined) {
    throw new CutwaterError('CONFIG_INVALID', `${file}: expected a default export, or one named "config"`)
  }
  return fromValue(value, file)
}

/** A configuration that is already a value: no lines. */
export function fromValue(value: unknown, file: string): Source {
  return { file, value, locate: () => file }
}

/** YAML, and JSON as the part of YAML it is. @throws CutwaterError CONFIG_INVALID with every syntax error. */
export function parseText(file: string, text: string): Source {
  const lines = new LineCounter()
  const document = parseYaml(file, text, lines)
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => `${place(error.pos[0])}: ${lowerFirst(withoutText(error.message))}`)
    throw new CutwaterError('CONFIG_INVALID', problems.join('\n'), { problems })
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    const problems = [`${place(0)}: ${reasonOf(cause)}`]
    throw new CutwaterError('CONFIG_INVALID', problems.join('\n'), { problems, cause })
  }
  return { file, value, locate: (path, at) => place(offsetOf(document, path, at)) }
}

/** The parser throws on some texts where it should report: nested thousands deep, or broken in places it did not think of. */
function parseYaml(file: string, text: string, lineCounter: LineCounter): Document {
  try {
    return parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  } catch (cause) {
    const problems = [`${file}:1:1: ${cause instanceof RangeError ? 'nested too deeply' : 'not a YAML document'}`]
    throw new CutwaterError('CONFIG_INVALID', problems.join('\n'), { problems, cause })
  }
}

/** Where a path stands; for a path that is not there, the innermost mapping or list that should have held it. */
function offsetOf(document: Document, path: Path, at: 'key' | 'value'): number {
  let node = resolveAlias(document, document.contents)
  let offset = node?.range?.[0] ?? 0
  for (const [index, step] of path.entries()) {
    const next = childOf(node, step)
    if (!next) return offset
    const isLast = index === path.length - 1
    offset = (isLast && at === 'key' ? next.keyOffset : undefined) ?? next.value?.range?.[0] ?? next.keyOffset ?? offset
    node = resolveAlias(document, next.value)
  }
  return offset
}

interface Child {
  readonly keyOffset: number | undefined
  readonly value: Node | null
}

function childOf(node: Node | null, step: string | number): Child | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(step)] as Node | undefined
    return item && { keyOffset: undefined, value: item }
  }
  if (!isMap(node)) return undefined
  for (const { key, value } of node.items) {
    if (isScalar(key) && String(key.value) === String(step)) {
      return { keyOffset: key.range?.[0], value: value as Node | null }
    }
  }
  return undefined
}

function resolveAlias(document: Document, node: Node | null): Node | null {
  return isAlias(node) ? (node.resolve(document) ?? null) : node
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'not readable for this user'
  if (code === 'EISDIR') return 'is a directory'
  return message
}

/** The parser quotes what it stumbled over, as long as it is: shortened, and never a private key that was pasted. */
function withoutText(message: string): string {
  if (message.includes('-----BEGIN')) return 'PEM text where none is expected (give the path of a file)'
  return message.length > 200 ? `${message.slice(0, 199)}…` : message
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
