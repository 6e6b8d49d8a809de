/** `-bp` and its kin. Source: Exim manual, "-bp". */
import type { ServerCall } from '../call.ts'
import type { FlagName } from '../flag-table.ts'
import { type ListingStyle, listingOf } from '../queue-listing.ts'
import { has, queueOf } from '../parse.ts'

/** Messages written at once: a long queue is listed as it is read. */
const pieceBytes = 1 << 16

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const given = (...flags: FlagName[]): boolean => has(invocation, ...flags)
  const style: ListingStyle = {
    generated: given('-bpa', '-bpra'),
    undeliveredOnly: given('-bpu', '-bpru'),
    idsOnly: given('-bpi', '-bpri'),
  }
  const queueName = queueOf(invocation)
  const spool = await server.spool('read')
  const unsorted = given('-bpr', '-bpra', '-bpri', '-bpru')
  const now = Date.now()
  let piece = ''
  const flush = async (): Promise<void> => {
    terminal.out(piece)
    piece = ''
    // A reader that has gone, as `| head` does, is noticed between two turns of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (invocation.args.length > 0) {
    for (const id of invocation.args) {
      const entry = spool.entry(id)
      piece +=
        entry === undefined
          ? `      ${id}\n    *** spool read error: No such file or directory ***\n\n`
          : listingOf(entry, style, now)
      if (piece.length >= pieceBytes) await flush()
    }
  } else
    for (const entry of spool.list({ order: unsorted ? 'none' : 'arrival', queueName })) {
      piece += listingOf(entry, style, now)
      if (piece.length >= pieceBytes) await flush()
    }
  terminal.out(piece)
  return 0
}
