/**
 * From unknown to `Config`, or to every problem at once. This is the one edge where configuration is checked; behind it
 * everything is trusted.
 */
import { dirname, resolve } from 'node:path'

import { z } from 'zod'

import { CutwaterError } from '../errors.js'
import { checkService, checkWhole, type Problem } from './check.js'
import { type Config, toConfig } from './defaults.js'
import { didYouMean } from './did-you-mean.js'
import { configSchema, serviceSchema } from './schema.js'
import { fromValue, type Path, readSource, type Source } from './source.js'

/**
 * Reads and checks a configuration file. Paths in it are relative to the file.
 *
 * @throws CutwaterError CONFIG_UNREADABLE, or CONFIG_INVALID with one line for each problem in `problems`.
 */
export async function readConfig(file: string): Promise<Config> {
  const source = await readSource(file)
  return parseSource(source, dirname(resolve(file)))
}

/**
 * Checks a configuration given as a value. Paths in it are relative to `directory`, by default the working directory.
 *
 * @throws CutwaterError CONFIG_INVALID
 */
export function parseConfig(input: unknown, directory = '.'): Config {
  return parseSource(fromValue(input, 'configuration'), resolve(directory))
}

/** @throws CutwaterError CONFIG_INVALID */
export function parseSource(source: Source, directory: string): Config {
  const parsed = configSchema.safeParse(source.value)
  const problems = parsed.success
    ? [...checkServices(source.value, []), ...checkWhole(parsed.data)]
    : parsed.error.issues.flatMap(toProblems)
  if (!parsed.success) problems.push(...checkServices(source.value, problems))
  if (parsed.success && problems.length === 0) return toConfig(parsed.data, directory)
  const lines = inFileOrder(problems, source).map((problem) => describe(problem, source))
  throw new CutwaterError('CONFIG_INVALID', lines.join('\n'), { problems: lines })
}

/** Checks each service that is sound by itself, so that a mistake in one does not hide a mistake in another. */
function checkServices(value: unknown, found: readonly Problem[]): Problem[] {
  if (!isMapping(value)) return []
  const { services, interfaces } = value
  if (!isMapping(services) || !isMapping(interfaces)) return []
  return Object.entries(services).flatMap(([name, service]) => {
    if (found.some(({ path }) => path[0] === 'services' && path[1] === name)) return []
    const parsed = serviceSchema.safeParse(service)
    if (!parsed.success) return []
    return checkService(parsed.data, Object.keys(interfaces)).map((problem) => ({
      ...problem,
      path: ['services', name, ...problem.path],
    }))
  })
}

function toProblems(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path as Path
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = knownKeys(path)
        const nearest = didYouMean(key, known)
        const hint = nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean "${nearest}"?`
        return { path: [...path, key], message: `unknown key; ${hint}`, at: 'key' }
      })
    case 'invalid_key':
      return [{ path, message: issue.issues[0]?.message ?? issue.message, at: 'key' }]
    default:
      return [{ path, message: issue.message }]
  }
}

/** The keys the schema has at a path. */
function knownKeys(path: Path): string[] {
  let schema: unknown = configSchema
  for (const step of path) schema = childSchema(unwrap(schema), step)
  const shape = unwrap(schema)
  return shape instanceof z.ZodObject ? Object.keys(shape.shape) : []
}

function childSchema(schema: unknown, step: string | number): unknown {
  if (schema instanceof z.ZodObject) return (schema.shape as Record<string, unknown>)[step]
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodArray) return schema.element
  return undefined
}

function unwrap(schema: unknown): unknown {
  while (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    schema = schema.unwrap()
  }
  return schema
}

function describe({ path, message, at = 'value' }: Problem, source: Source): string {
  const where = path.length > 0 ? `${source.locate(path, at)}: ${dotted(path)}` : source.locate(path, at)
  const found = at === 'key' ? path.at(-1) : valueAt(source.value, path)
  if (!message.startsWith('expected ') || /\bgot\b/.test(message)) return `${where}: ${message}`
  return found === undefined ? `${where}: missing: ${message}` : `${where}: ${message}, got ${show(found)}`
}

/** By place in the file, where there are lines; otherwise as found. */
function inFileOrder(problems: readonly Problem[], source: Source): Problem[] {
  const keyOf = ({ path, at = 'value' }: Problem) => {
    const [line = 0, column = 0] = source
      .locate(path, at)
      .slice(source.file.length + 1)
      .split(':')
      .map(Number)
    return line * 65_536 + column
  }
  return problems.toSorted((a, b) => keyOf(a) - keyOf(b))
}

/** services.shop.servers[0].port; a name with dots is quoted. */
function dotted(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    const word = /^[A-Za-z0-9_-]+$/.test(step) ? step : show(step) // a key may hold anything, a pasted private key too
    return text ? `${text}.${word}` : word
  }, '')
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, step) => (inner as Record<string | number, unknown> | null | undefined)?.[step],
    value,
  )
}

/** A value as it may be printed: short, and never a private key that was pasted where its path belongs. */
function show(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return `a ${typeof value}`
  if (value.includes('-----BEGIN')) return 'PEM text (give the path of a file)'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
