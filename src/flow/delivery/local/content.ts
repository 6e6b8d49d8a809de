/** What a local delivery writes: head, body, tail; lines escaped, line ends as asked for. */
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon } from '../local-job.ts'
import { filtered, TransportFilterError } from './transport-filter.ts'

const LF = 10

/** The whole copy in pieces. */
export async function* localContent(
  job: LocalJobCommon,
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const ends = job.useCrlf ? withCrlf : same
  if (job.lead !== undefined && job.lead !== '') yield Buffer.from(job.lead, 'latin1')
  const escaper = job.escape === undefined ? undefined : new LineEscaper(job.escape.check, job.escape.put)
  const message = messageOf(job, body)
  const source = job.filter === undefined ? message : watched(filtered(job.filter, message), job)
  for await (const piece of source) yield ends(escaper === undefined ? piece : escaper.push(piece))
  const rest = escaper?.finish()
  if (rest !== undefined && rest.length > 0) yield ends(rest)
  // Prefix and suffix are written as they are, whatever the line ends: Exim manual, use_crlf.
  if (job.tail !== '') yield Buffer.from(job.tail, 'latin1')
}

/** Headers and body, without what stands around them. */
export async function* messageOf(
  { head }: Pick<LocalJobCommon, 'head'>,
  body: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  yield Buffer.from(head, 'latin1')
  yield* body
}

/** Writers tell of files; what went wrong with the filter is kept for whoever runs the job. */
async function* watched(
  pieces: AsyncIterable<Uint8Array>,
  { filterTrouble }: LocalJobCommon,
): AsyncIterable<Uint8Array> {
  try {
    yield* pieces
  } catch (error) {
    if (filterTrouble !== undefined && error instanceof TransportFilterError) filterTrouble.error = error
    throw error
  }
}

/** The same bytes in fewer pieces: a small message in one, so that it takes one write. */
export async function* inBlocks(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let waiting: Uint8Array[] = []
  let size = 0
  for await (const piece of pieces) {
    waiting.push(piece)
    size += piece.length
    if (size < blockBytes) continue
    yield Buffer.concat(waiting)
    waiting = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(waiting)
}

const blockBytes = 65_536

function same(bytes: Uint8Array): Uint8Array {
  return bytes
}

function withCrlf(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')
}

/** Replaces `check` at the beginning of lines by `put`: mbox writes `>From ` for `From `. */
export class LineEscaper {
  readonly #check: Buffer
  readonly #put: Buffer
  /** Bytes of a line's beginning that may still become a match. */
  #held = 0
  #atStart = true

  constructor(check: ByteString, put: ByteString) {
    this.#check = Buffer.from(check, 'latin1')
    this.#put = Buffer.from(put, 'latin1')
  }

  push(piece: Uint8Array): Uint8Array {
    const out: Uint8Array[] = []
    let from = 0
    let at = 0
    while (at < piece.length) {
      if (!this.#atStart) {
        const end = piece.indexOf(LF, at)
        if (end < 0) break
        at = end + 1
        this.#atStart = true
        continue
      }
      if (this.#held === 0) {
        if (at > from) out.push(piece.subarray(from, at))
        from = at
      }
      if (piece[at] === this.#check[this.#held]) {
        this.#held++
        at++
        if (this.#held === this.#check.length) {
          out.push(this.#put)
          this.#held = 0
          this.#atStart = false
          from = at
        }
        continue
      }
      // No match: what was held back goes out as it came.
      if (this.#held > 0) out.push(this.#check.subarray(0, this.#held))
      this.#held = 0
      this.#atStart = false
      from = at
    }
    if (this.#held === 0 && from < piece.length) out.push(piece.subarray(from))
    return out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out)
  }

  finish(): Uint8Array {
    return this.#check.subarray(0, this.#held)
  }
}
