/** `-bp` and its kin. Source: Exim manual, "-bp". */
import type { ListedRow, Spool } from '../../../store/spool/api.ts'
import type { ServerCall } from '../call.ts'
import type { FlagName } from '../flag-table.ts'
import { createLister, listingOf, type ListingStyle } from '../queue-listing.ts'
import { has, queueOf } from '../parse.ts'

/** Messages written at once: a long queue is listed as it is read. */
const pieceBytes = 1 << 17
const pageRows = 250

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const given = (...flags: FlagName[]): boolean => has(invocation, ...flags)
  const style: ListingStyle = {
    generated: given('-bpa', '-bpra'),
    undeliveredOnly: given('-bpu', '-bpru'),
    idsOnly: given('-bpi', '-bpri'),
  }
  const queueName = queueOf(invocation)
  const spool = await server.spool('read')
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
  } else {
    const show = createLister(style, now)
    // Oldest first costs nothing more than no order.
    for (let page = spool.page(undefined, pageRows); page.length > 0; page = nextPage(spool, page)) {
      for (const row of page) {
        if (queueName === undefined || row.queueName === queueName) piece += show(row)
        if (piece.length >= pieceBytes) await flush()
      }
    }
  }
  terminal.out(piece)
  return 0
}

function nextPage(spool: Spool, page: readonly ListedRow[]): readonly ListedRow[] {
  return spool.page(page.at(-1)?.id, pageRows)
}
