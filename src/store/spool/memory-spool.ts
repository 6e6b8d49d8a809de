/** A spool that keeps nothing: bodies live while their message is received. For sessions that are only played. */
import { type MessageIdForm, createMessageIds } from '../../base/message-id.ts'
import type { IncomingMessage, Spool } from './api.ts'

export interface MemorySpoolOptions {
  readonly form: MessageIdForm
  readonly now: () => number
}

/** As much of a body as is kept: a played message is small. */
const mostBytes = 64 * 1024 * 1024

export function createMemorySpool({ form, now }: MemorySpoolOptions): Spool {
  const nextId = createMessageIds({ form, pid: 1, now })
  return {
    directory: '/nonexistent',
    begin: (options = {}) => incoming(options.id ?? nextId()),
    claim: () => undefined,
    claimCommitted: () => undefined,
    read: () => Promise.resolve(undefined),
    messageLog: () => Promise.resolve(undefined),
    entry: () => undefined,
    list: () => [],
    listUnless: () => [],
    page: () => [],
    count: () => 0,
    damaged: [],
    space: () => ({ freeBytes: 2 ** 40, freeInodes: 2 ** 20 }),
    takeOver: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

function incoming(id: string): IncomingMessage {
  const pieces: Uint8Array[] = []
  let size = 0
  const whole = (): Buffer => Buffer.concat(pieces)
  return {
    id,
    write(piece) {
      size += piece.length
      if (size <= mostBytes) pieces.push(Uint8Array.from(piece))
    },
    peek: (limit) => Promise.resolve(whole().subarray(0, limit)),
    peekEnd: (limit) => Promise.resolve(whole().subarray(Math.max(0, size - limit))),
    async *read() {
      yield* pieces
    },
    get size() {
      return size
    },
    commit(envelope) {
      const body = whole()
      return Promise.resolve({
        id,
        envelope,
        bodySize: size,
        async *body(start = 0) {
          yield body.subarray(start)
        },
        smallBody: () => body,
      })
    },
    abort: () => Promise.resolve(),
  }
}
