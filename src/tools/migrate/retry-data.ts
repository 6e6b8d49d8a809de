/**
 * What an Exim remembers of failing hosts, as its own exim_dumpdb prints it: two lines a record, the second with the
 * times of the first failure, the last try and the next one, and a star when the time for retrying is over.
 * Source: Exim manual, "Exim utilities"; observed of 4.96.
 */
import type { ByteString } from '../../base/text.ts'
import type { RetryRecord } from '../../flow/delivery/retry/record.ts'

export interface RetryEntry {
  /** `T:host:address`, `R:domain`: the keys are Exim's here too. */
  readonly key: ByteString
  readonly record: RetryRecord
}

export function parseRetryDump(text: ByteString): RetryEntry[] {
  const found: RetryEntry[] = []
  const lines = text.split('\n')
  for (let i = 0; i + 1 < lines.length; i++) {
    const head = /^ {2}(\S+) (-?\d+) (-?\d+) (.*)$/.exec(lines[i] ?? '')
    const times = /^(\S+ \S+) {2}(\S+ \S+) {2}(\S+ \S+)(?: +(\*))?/.exec(lines[i + 1] ?? '')
    if (head === null || times === null) continue
    const [first, last, next] = [times[1], times[2], times[3]].map((each) => timeOf(each ?? ''))
    if (first === undefined || last === undefined || next === undefined) continue
    i++
    found.push({
      key: head[1] ?? '',
      record: {
        firstFailedAt: first,
        lastTriedAt: last,
        nextTryAt: next,
        expired: times[4] !== undefined,
        errno: Number(head[2]),
        more: Number(head[3]),
        text: head[4] ?? '',
      },
    })
  }
  return found
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `29-Nov-2026 07:49:47`, in the time of this host. */
function timeOf(text: string): number | undefined {
  const parts = /^(\d\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d)$/.exec(text)
  const month = months.indexOf(parts?.[2] ?? '')
  if (parts === null || month < 0) return undefined
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((each) => Number(parts[each]))
  return new Date(year ?? 0, month, day, hour, minute, second).getTime()
}
