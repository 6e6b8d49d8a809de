/** exim_dumpdb: a hints database as text. Source: Exim manual, "exim_dumpdb"; form as Exim 4.96 prints it. */
import { isRetryRecord } from '../../../flow/delivery/retry/record.ts'
import { printable } from '../../../mail/log-lines.ts'
import type { Terminal } from '../terminal.ts'
import { databaseNames, hintsTime, openDatabase } from './hints-database.ts'
import { waitRecords } from './wait-records.ts'

export const usage = `Usage: exim_dumpdb [-z] [-k]  <spool-directory> <database-name>\n  <database-name> = ${databaseNames}\n`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const flags = words.filter((word) => word.startsWith('-'))
  const opened = flags.every((flag) => flag === '-z' || flag === '-k')
    ? await openDatabase(words.filter((word) => !word.startsWith('-')))
    : 'usage'
  if (opened === 'usage' || 'wrong' in opened) {
    terminal.err(opened === 'usage' ? usage : `${opened.wrong}\n`)
    return 1
  }
  const utc = flags.includes('-z')
  if (opened.name === 'wait') {
    for (const { name, ids } of waitRecords(opened))
      terminal.out(flags.includes('-k') ? `  ${name}\n` : `${name} ${ids.join(' ')} \n`)
    await opened.hints.close()
    return 0
  }
  for (const { key, value, writtenAt } of opened.hints.rows(opened.name)) {
    if (!key.startsWith(opened.prefix)) continue
    const shown = key.slice(opened.prefix.length)
    if (flags.includes('-k')) terminal.out(`  ${shown}\n`)
    else if (opened.name === 'retry' && isRetryRecord(value)) {
      const { errno, more, text, firstFailedAt, lastTriedAt, nextTryAt, expired } = value
      const times = [firstFailedAt, lastTriedAt, nextTryAt].map((time) => hintsTime(time, utc)).join('  ')
      terminal.out(`  ${shown} ${errno} ${more} ${printable(text)}\n${times} ${expired ? '*' : ''}\n`)
    } else terminal.out(`${hintsTime(writtenAt, utc)} ${shown} ${plain(value)}\n`)
  }
  await opened.hints.close()
  return 0
}

/** Values that no text form of Exim's is known for. */
function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([name, each]) => `${name}=${typeof each === 'object' ? JSON.stringify(each) : String(each)}`)
    .join(' ')
}
