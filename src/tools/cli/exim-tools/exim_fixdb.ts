/** exim_fixdb: looks at records of a hints database and changes them, in a dialogue. Source: Exim manual, "exim_fixdb". */
import { createInterface } from 'node:readline/promises'
import { getSystemErrorMap } from 'node:util'
import { isRetryRecord, type RetryRecord } from '../../../flow/delivery/retry/record.ts'
import type { Terminal } from '../terminal.ts'
import { waitKeyOf, waitRecords } from './wait-records.ts'
import { databaseNames, hintsTime, openDatabase, type OpenedDatabase } from './hints-database.ts'

export const usage = `Usage: exim_fixdb [-z]  <spool-directory> <database-name>\n  <database-name> = ${databaseNames}\n`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const utc = words[0] === '-z'
  const opened = await openDatabase(utc ? words.slice(1) : words)
  if (opened === 'usage' || 'wrong' in opened) {
    terminal.err(opened === 'usage' ? usage : `${opened.wrong}\n`)
    return 1
  }
  terminal.out(`Modifying Exim hints database ${opened.path}\n`)
  let key: string | undefined
  const lines = createInterface({ input: process.stdin, terminal: false })
  terminal.out('> ')
  for await (const line of lines) {
    key = step(line.trim(), key, opened, utc, terminal)
    terminal.out('> ')
  }
  terminal.out('\n')
  await opened.hints.close()
  return 0
}

/** One line of input; gives the key that is being looked at afterwards. */
function step(
  line: string,
  key: string | undefined,
  opened: OpenedDatabase,
  utc: boolean,
  terminal: Terminal,
): string | undefined {
  const { hints, name, prefix } = opened
  if (line === '') return key
  if (name === 'wait') return waitStep(line, key, opened, utc, terminal)
  if (key !== undefined && line === 'd') {
    hints.remove(name, prefix + key)
    terminal.out('deleted\n')
    return undefined
  }
  const change = /^([0-5])\s+(.*)$/.exec(line)
  if (key !== undefined && change !== null && name === 'retry') {
    const before = hints.get(name, key)
    const after = isRetryRecord(before) ? changed(before, Number(change[1]), change[2] ?? '') : undefined
    if (typeof after === 'string' || after === undefined) {
      terminal.out(`${after ?? 'record not found'}\n`)
      return key
    }
    hints.put(name, key, after)
    show(after, utc, terminal)
    return key
  }
  const value = hints.get(name, prefix + line)
  if (value === undefined) {
    terminal.out(`record ${line} not found\n`)
    return undefined
  }
  if (name === 'retry' && isRetryRecord(value)) show(value, utc, terminal)
  else terminal.out(`${JSON.stringify(value)}\n`)
  return line
}

/** Records about waiting messages can be looked at and deleted. */
function waitStep(
  line: string,
  key: string | undefined,
  opened: OpenedDatabase,
  utc: boolean,
  terminal: Terminal,
): string | undefined {
  const deletes = key !== undefined && line === 'd'
  const wanted = deletes ? key : line
  const record = waitRecords(opened).find(({ name }) => name === wanted)
  if (record === undefined) {
    terminal.out(`record ${wanted} not found\n`)
    return undefined
  }
  if (deletes) {
    for (const id of record.ids) opened.hints.remove(opened.name, waitKeyOf(opened.prefix, record.host, id))
    terminal.out('deleted\n')
    return undefined
  }
  terminal.out(`${hintsTime(record.writtenAt, utc)}\nSequence: 0\n${record.ids.join(' ')} \n`)
  return wanted
}

function show(record: RetryRecord, utc: boolean, terminal: Terminal): void {
  const { errno, more, firstFailedAt, lastTriedAt, nextTryAt, expired, text } = record
  const said = text === '' ? systemText(errno) : text
  terminal.out(`${hintsTime(lastTriedAt, utc)}
0 error number: ${errno} ${said}
1 extra data:   ${more}
2 first failed: ${hintsTime(firstFailedAt, utc)}
3 last try:     ${hintsTime(lastTriedAt, utc)}
4 next try:     ${hintsTime(nextTryAt, utc)}
5 expired:      ${expired ? 'yes' : 'no'}
`)
}

function systemText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? ''
}

/** The record with one field set, or what is wrong with the value. */
function changed(record: RetryRecord, field: number, text: string): RetryRecord | string {
  if (field === 5) {
    if (text !== 'yes' && text !== 'no') return 'yes or no expected'
    return { ...record, expired: text === 'yes' }
  }
  if (field <= 1) {
    const number = Number(text)
    if (!Number.isInteger(number)) return 'a number expected'
    return field === 0 ? { ...record, errno: number } : { ...record, more: number }
  }
  const time = readTime(text)
  if (time === undefined) return 'bad date/time value'
  if (field === 2) return { ...record, firstFailedAt: time }
  return field === 3 ? { ...record, lastTriedAt: time } : { ...record, nextTryAt: time }
}

/** `951102:1000`: pairs of digits for year, month, day, hour, minute; colons may stand between. Local time. */
function readTime(text: string): number | undefined {
  const pairs = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text.replaceAll(':', ''))
  if (pairs === null) return undefined
  const [, year = 0, month = 0, day = 0, hour = 0, minute = 0] = pairs.map(Number)
  return new Date((year < 70 ? 2000 : 1900) + year, month - 1, day, hour, minute).getTime()
}
