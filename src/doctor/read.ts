/** How the doctor looks: small files of /proc and /sys, and commands of the system. Absence is an answer, not an error. */
import { execFile } from 'node:child_process'
import { readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'

import type { Command } from './finding.js'

const commandTimeoutMs = 10_000

/** A file's text without the last line end, or undefined. */
export async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trimEnd(),
    () => undefined,
  )
}

/** The last part of where a link points, or undefined. */
export async function readLinkName(path: string): Promise<string | undefined> {
  return readlink(path).then(basename, () => undefined)
}

export interface Output {
  /** -1: could not be started. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end, in the system's language of scripts, with the administrators' folders in the path. */
export function output([command, ...args]: Command): Promise<Output> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const options = { timeout: commandTimeoutMs, env: { ...process.env, LC_ALL: 'C', PATH: path } }
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
      resolve({ code, stdout, stderr })
    })
  })
}
