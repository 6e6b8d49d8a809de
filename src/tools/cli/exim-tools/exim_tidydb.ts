/** exim_tidydb: removes what is old from a hints database, and what is about messages that are gone. Source: Exim manual, "exim_tidydb". */
import { parseInterval } from '../../../base/interval.ts'
import { openSpool } from '../../../store/spool/index.ts'
import type { Terminal } from '../terminal.ts'
import { databaseNames, openDatabase, type OpenedDatabase } from './hints-database.ts'
import { waitKeyOf, waitRecords } from './wait-records.ts'

export const usage = `Usage: exim_tidydb [-t <time>]  <spool-directory> <database-name>\n  <database-name> = ${databaseNames}\n`
const usualSeconds = 30 * 86_400

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const timed = words[0] === '-t'
  const seconds = timed ? parseInterval(words[1] ?? '') : usualSeconds
  const opened = seconds === undefined ? 'usage' : await openDatabase(timed ? words.slice(2) : words)
  if (opened === 'usage' || 'wrong' in opened || seconds === undefined) {
    terminal.err(opened === 'usage' || !('wrong' in opened) ? usage : `${opened.wrong}\n`)
    return 1
  }
  const { hints, name, prefix, path } = opened
  terminal.out(`Tidying Exim hints database ${path}\n`)
  const before = Date.now() - seconds * 1000
  const waiting = name === 'retry' || name === 'wait' ? await messagesOf(path) : undefined
  if (name === 'wait') {
    tidyWaiting(opened, before, waiting, terminal)
    await hints.close()
    terminal.out('Tidying complete\n')
    return 0
  }
  for (const { key, writtenAt } of [...hints.rows(name)]) {
    if (!key.startsWith(prefix)) continue
    const id = /:((?:[0-9A-Za-z]{6}-){2}[0-9A-Za-z]{2}|[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4})$/.exec(
      key,
    )?.[1]
    const why =
      writtenAt < before
        ? 'too old'
        : id !== undefined && waiting?.has(id) === false
          ? 'no message'
          : undefined
    if (why === undefined) continue
    hints.remove(name, key)
    terminal.out(`deleted ${key.slice(prefix.length)} (${why})\n`)
  }
  await hints.close()
  terminal.out('Tidying complete\n')
  return 0
}

/** Messages that are gone wait for no host. */
function tidyWaiting(
  opened: OpenedDatabase,
  before: number,
  waiting: ReadonlySet<string> | undefined,
  terminal: Terminal,
): void {
  const { hints, name, prefix } = opened
  for (const { host, name: shown, ids, writtenAt } of waitRecords(opened)) {
    const tooOld = writtenAt < before
    const gone = tooOld ? ids : ids.filter((id) => waiting?.has(id) === false)
    if (gone.length === 0) continue
    for (const id of gone) hints.remove(name, waitKeyOf(prefix, host, id))
    const why = tooOld ? 'too old' : 'empty'
    terminal.out(gone.length === ids.length ? `deleted ${shown} (${why})\n` : `updated ${shown}\n`)
  }
}

/** Ids of the messages that are in the queue. */
async function messagesOf(path: string): Promise<ReadonlySet<string> | undefined> {
  const directory = path.slice(0, path.lastIndexOf('/hints/'))
  try {
    const spool = await openSpool({
      directory,
      readOnly: true,
      brief: true,
      now: Date.now,
      log: () => undefined,
    })
    const ids = new Set<string>()
    for (const { id } of spool.list({ order: 'none' })) ids.add(id)
    await spool.close()
    return ids
  } catch {
    // Without the queue nothing can be said of messages.
    return undefined
  }
}
