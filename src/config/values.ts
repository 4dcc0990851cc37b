/**
 * The kinds of value a configuration is made of. Each says in words what it expects, because that sentence is what the
 * operator reads beside the line number.
 */
import { isIP } from 'node:net'

import { z } from 'zod'

import { didYouMean } from './did-you-mean.js'

/** A check whose failure reads "expected …". What was found is added by the parser, which also knows the line. */
const expected = (what: string) => ({ error: `expected ${what}` })

export const integer = (min: number, max: number, what = 'a whole number') =>
  z
    .number(expected(`${what}, ${min} to ${max}`))
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, expected(`${what}, ${min} to ${max}`))

export const port = () => integer(1, 65_535, 'a port')

export const choice = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, expected(values.length === 1 ? quote(values[0]) : `one of ${values.map(quote).join(', ')}`))

/** One of a long list of words: the nearest is suggested instead of printing them all. */
export const oneOfMany = <const T extends readonly [string, ...string[]]>(values: T, what: string) =>
  z.enum(values, {
    error: ({ input }) => {
      const nearest = typeof input === 'string' ? didYouMean(input, values) : undefined
      return `expected ${what}${nearest === undefined ? '' : ` (did you mean "${nearest}"?)`}`
    },
  })

export const text = (what: string) => z.string(expected(what)).min(1, expected(what))

/** A name of an instance, interface, service or server: it appears in metrics, logs and file names. */
export const name = (what = 'a name') => {
  const words = `${what} of letters, digits, ".", "_" and "-", at most 63 long`
  return z.string(expected(words)).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, expected(words))
}

/** A network device of the kernel (15 characters at most, as the kernel has it). */
export const device = () => {
  const words = 'the name of a network device, such as "eth0"'
  return z.string(expected(words)).regex(/^[^\s/:]{1,15}$/, expected(words))
}

export const ipAddress = () => {
  const words = 'an IPv4 or IPv6 address'
  return z.string(expected(words)).refine((value) => isIP(value) !== 0 && !value.includes('%'), expected(words))
}

/** "192.0.2.0/24" or "2001:db8::/32"; an address alone is itself. */
export const addressPrefix = () => {
  const words = 'an address or a prefix, such as "192.0.2.0/24"'
  return z.string(expected(words)).refine((value) => parsePrefix(value) !== undefined, expected(words))
}

/** The address and how many of its bits count; undefined when it is neither an address nor a prefix. */
export function parsePrefix(value: string): { address: string; bits: number } | undefined {
  const [address = '', bits, ...more] = value.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  const most = version === 4 ? 32 : 128
  if (version === 0 || more.length > 0 || (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits))) return undefined
  const count = bits === undefined ? most : Number(bits)
  return count >= 1 && count <= most ? { address, bits: count } : undefined
}

const unitsMs = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export interface DurationRange {
  readonly min: string
  readonly max: string
}

/** Turns "250ms", "10s", "5m" or "2h" into milliseconds; undefined for anything else. */
export function toMs(value: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)$/.exec(value)
  if (!parts?.[1] || !parts[2]) return undefined
  return Number(parts[1]) * unitsMs[parts[2] as keyof typeof unitsMs]
}

/** A length of time with its unit, such as "10s". A bare number is refused: nobody could tell its unit. */
export const duration = ({ min, max }: DurationRange) => {
  const words = `a time with its unit, from "${min}" to "${max}"`
  return z.string(expected(words)).refine((value) => isWithin(value, { min, max }), expected(words))
}

/** The same, or a word that stands for "without end". */
export const durationOr = (word: string, { min, max }: DurationRange) => {
  const words = `a time with its unit, from "${min}" to "${max}", or "${word}"`
  return z.string(expected(words)).refine((value) => value === word || isWithin(value, { min, max }), expected(words))
}

function isWithin(value: string, { min, max }: DurationRange): boolean {
  const ms = toMs(value)
  return ms !== undefined && ms >= (toMs(min) ?? 0) && ms <= (toMs(max) ?? 0)
}

export const list = <T extends z.ZodType>(item: T, what: string, { min, max }: { min: number; max: number }) =>
  z
    .array(item, expected(`a list of ${what}`))
    .min(min, expected(`at least ${min} of ${what}`))
    .max(max, expected(`at most ${max} of ${what}`))

/** A mapping with just these keys. */
export const mapping = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, { error: (issue) => (issue.code === 'invalid_type' ? 'expected a mapping' : undefined) })

/** A mapping from names the operator chooses. */
export const named = <T extends z.ZodType>(what: string, item: T) =>
  z.record(name(`the name of ${what}`), item, {
    error: ({ code }) =>
      code === 'invalid_type' ? `expected a mapping from the name of ${what} to its keys` : undefined,
  })

function quote(value: string): string {
  return `"${value}"`
}
