// Operations of the dataplane, as the add-on exports them (native/addon/micro.cpp).
import { readFileSync } from 'node:fs'
import { suites } from '../../src/config/suites.js'
import type { SuiteName } from '../../src/config/suites.js'
import type { Micro } from '../../src/native/micro-contract.js'
import type { Operation } from './operation.js'

/** One suite for each way of protecting a record: what keys were agreed on with makes no difference here. */
const kRecordSuites: readonly SuiteName[] = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
] // prettier-ignore
const kRecordBytes = [64, 256, 1_438, 16_384] // 1,438: a full packet's record
const kRoomBytes = 16_384 + 64
const kFlowCounts = [1, 65_536]
const kCallsBatch = 1_000

export function dataplaneOperations(micro: Micro, aead: string): Operation[] {
  return [
    ...callOperations(micro, aead),
    ...kRecordSuites.flatMap((suite) => recordOperations(micro, suite, aead)),
    ...parseOperations(micro),
    ...kFlowCounts.flatMap((flows) => flowOperations(micro, flows)),
    ...[64, 1_460].map((bytes) => {
      const input = new Uint8Array(bytes).fill(0xa5)
      return repeated(`checksum ${bytes} B`, () => micro.checksum(input, kCallsBatch), bytes)
    }),
  ]
}

/** What it costs to cross from JavaScript: a call that does nothing, and one that does one small thing. */
function callOperations(micro: Micro, aead: string): Operation[] {
  const nothing = new Uint8Array(64)
  const cipher = new micro.Cipher(suites.TLS_AES_128_GCM_SHA256.iana, aead)
  const room = new Uint8Array(kRoomBytes)
  return [
    { name: 'call that does nothing', batch: 1, run: () => micro.nothing(nothing, 1) },
    { name: 'call that seals 64 B once', batch: 1, bytes: 64, run: () => cipher.seal(room, 64, 1) },
  ]
}

function recordOperations(micro: Micro, suite: SuiteName, aead: string): Operation[] {
  const cipher = new micro.Cipher(suites[suite].iana, aead)
  return [
    repeated(`${suite}: expand key`, () => cipher.expand(kCallsBatch)),
    ...kRecordBytes.flatMap((bytes) => {
      const room = new Uint8Array(kRoomBytes)
      const sealed = room.slice(0, cipher.seal(room, bytes, 1))
      const batch = Math.ceil(200_000 / (bytes + 200)) // about a tenth of a millisecond
      const of = (what: string): string => `${suite}: ${what} ${bytes} B`
      return [
        { name: of('bare AEAD'), batch, bytes, run: () => cipher.bare(room, bytes, batch) },
        { name: of('seal'), batch, bytes, base: of('bare AEAD'), run: () => cipher.seal(room, bytes, batch) },
        { name: of('copy'), batch, bytes, run: () => cipher.copy(sealed, room, batch) },
        {
          name: of('open'),
          batch,
          bytes,
          base: of('bare AEAD'),
          without: of('copy'),
          run: () => cipher.open(sealed, room, batch),
        },
      ]
    }),
  ]
}

function parseOperations(micro: Micro): Operation[] {
  const hello = readFileSync(new URL('../../test/fuzz/corpus/hello/chromium', import.meta.url))
  const records = Buffer.concat(
    Array.from({ length: 4 }, () => Buffer.concat([Buffer.from([23, 3, 3, 1, 0]), Buffer.alloc(256)])),
  )
  return [
    repeated('find 4 records in a packet', () => insist(micro.records(records, kCallsBatch) === 4)),
    repeated(`parse ClientHello (Chromium, ${hello.length} B)`, () => insist(micro.hello(hello, kCallsBatch) > 0)),
    repeated('the same and its JA4', () => micro.ja4(hello, kCallsBatch)),
  ]
}

function flowOperations(micro: Micro, flows: number): Operation[] {
  const table = new micro.Flows(flows)
  const of = flows === 1 ? '1 flow' : `${flows.toLocaleString('en-US')} flows`
  return [
    repeated(`look-up in ${of}, hit`, () => insist(table.hit(kCallsBatch) === kCallsBatch)),
    repeated(`look-up in ${of}, miss`, () => insist(table.miss(kCallsBatch) === 0)),
  ]
}

function repeated(name: string, run: () => unknown, bytes = 0): Operation {
  return { name, batch: kCallsBatch, run, bytes }
}

function insist(isRight: boolean): void {
  if (!isRight) throw new Error('an operation gave a wrong answer')
}
