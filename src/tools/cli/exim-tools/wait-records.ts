/**
 * Hints about waiting messages as Exim's programs show them: one record a host, with the ids of the messages; of a long
 * list each fifty in a record of their own. Source: Exim manual, "exim_dumpdb"; form as Exim 4.96 prints it.
 */
import { waitEntry } from '../../../flow/delivery/waiting.ts'
import type { OpenedDatabase } from './hints-database.ts'

export interface WaitRecord {
  readonly host: string
  /** `host`, or `host:0` for the first of several. */
  readonly name: string
  readonly ids: readonly string[]
  /** Of the newest. */
  readonly writtenAt: number
}

const idsInRecord = 50

export function waitRecords({ hints, name, prefix }: OpenedDatabase): WaitRecord[] {
  const byHost = new Map<string, { id: string; writtenAt: number }[]>()
  for (const { key, writtenAt } of hints.rows(name)) {
    if (!key.startsWith(prefix)) continue
    const { host, id } = waitEntry(key.slice(prefix.length))
    const found = byHost.get(host)
    if (found === undefined) byHost.set(host, [{ id, writtenAt }])
    else found.push({ id, writtenAt })
  }
  return [...byHost].flatMap(([host, rows]) => {
    const records: WaitRecord[] = []
    for (let from = 0; from < rows.length; from += idsInRecord) {
      const some = rows.slice(from, from + idsInRecord)
      const last = from + idsInRecord >= rows.length
      records.push({
        host,
        name: last ? host : `${host}:${from / idsInRecord}`,
        ids: some.map(({ id }) => id),
        writtenAt: some.reduce((newest, row) => Math.max(newest, row.writtenAt), 0),
      })
    }
    return records
  })
}

/** Under which the hints have one of them. */
export function waitKeyOf(prefix: string, host: string, id: string): string {
  return `${prefix}${host} ${id}`
}
