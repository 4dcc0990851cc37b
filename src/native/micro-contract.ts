/**
 * Single operations of the dataplane, for bench/micro. native/addon/micro*.cpp is the other side. Each works on the caller's
 * bytes and repeats itself `batch` times (1 to 1,000,000); wrong arguments throw an error with the code `CONFIG_INVALID`.
 */
export interface Micro {
  /** Reads its arguments and does nothing: the cost of a call from JavaScript. Returns the length. */
  nothing(bytes: Uint8Array, batch: number): number
  /** The Internet checksum, in the machine's byte order. */
  checksum(bytes: Uint8Array, batch: number): number
  /** Finds the record boundaries. Returns how many whole records there are. */
  records(bytes: Uint8Array, batch: number): number
  /** Parses one ClientHello message. Returns the number of its extensions, -1 when it is refused. */
  hello(bytes: Uint8Array, batch: number): number
  /** Parses one and takes its JA4 fingerprint. */
  ja4(bytes: Uint8Array, batch: number): string
  readonly Cipher: new (suite: number, aead: string) => MicroCipher
  readonly Flows: new (flows: number) => MicroFlows
}

/** One suite under one fixed key and record number, which no traffic ever uses. */
export interface MicroCipher {
  expand(batch: number): number
  /** Seals `fragmentBytes` in place, the fragment standing behind room for the header. Returns the bytes on the wire. */
  seal(room: Uint8Array, fragmentBytes: number, batch: number): number
  /** Copies the record into the room and opens it there. Returns the bytes of the fragment. */
  open(record: Uint8Array, room: Uint8Array, batch: number): number
  /** The copy of `open` alone, to take off. */
  copy(record: Uint8Array, room: Uint8Array, batch: number): number
  /** The AEAD without records: what sealing is compared with. */
  bare(room: Uint8Array, bytes: number, batch: number): number
}

/** A flow table with so many made-up connections in it. */
export interface MicroFlows {
  /** Looks up connections that are there, far from one another. Returns how many were found. */
  hit(batch: number): number
  miss(batch: number): number
}
