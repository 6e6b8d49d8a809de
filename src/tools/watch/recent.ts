/** What the end of the logs tells of the last minutes. */
import type { ByteString } from '../../base/text.ts'

export interface Recent {
  /** Seconds that the figures are about. */
  readonly seconds: number
  readonly received: number
  readonly delivered: number
  readonly deferred: number
  readonly failed: number
  readonly refused: number
  readonly senders: readonly Ranked[]
  /** Hosts that deferred. */
  readonly hosts: readonly Ranked[]
  readonly refusals: readonly Ranked[]
  /** Refusals are named by the line of the configuration that decided, not by the words for the client. */
  readonly placed: boolean
}
export interface Ranked {
  readonly name: ByteString
  readonly count: number
}

const line =
  /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S*(?: [+-]\d{4})? (?:\[\d+\] )?(\w{6}-\w{6}-\w{2} |\w{6}-\w{11}-\w{4} )?(.*)$/
const mostNames = 10_000

/**
 * @param since the time stamp of the first second that counts, as the log writes it
 * @param twin lines of the JSON twin, which know which line of the configuration refused
 */
export function recent(
  mainLog: readonly ByteString[],
  twin: readonly ByteString[] | undefined,
  since: string,
  seconds: number,
): Recent {
  const counts = { received: 0, delivered: 0, deferred: 0, failed: 0, refused: 0 }
  const senders = new Map<ByteString, number>()
  const hosts = new Map<ByteString, number>()
  const reasons = new Map<ByteString, number>()
  for (const text of mainLog) {
    const [, time = '', id, rest = ''] = line.exec(text) ?? []
    if (time < since) continue
    if (rest.startsWith('<= ')) {
      counts.received++
      add(senders, rest.split(' ', 2)[1] ?? '')
    } else if (/^[=-]> /.test(rest) || rest.startsWith('>> ')) counts.delivered++
    else if (rest.startsWith('== ')) {
      counts.deferred++
      // `defer (-44) H=NAME [IP]: WHY`, or `defer (110): WHY H=NAME [IP]: MORE`.
      const [, before = '', host, why = ''] =
        / defer \(-?\d+\)(?:: (.*?))? H=(\S+ \[[^\]]+\])[^ ]*?:? ?(.*)$/.exec(rest) ?? []
      if (host !== undefined) add(hosts, `${host}: ${shorter(before === '' ? why : before)}`)
    } else if (id !== undefined && rest.startsWith('H=')) {
      // A host that could not be used, before others or a later attempt.
      const [, host, why = ''] = /^H=(\S+ \[[^\]]+\])\S* (.*)$/.exec(rest) ?? []
      if (host !== undefined && !rest.includes('rejected')) add(hosts, `${host}: ${why.slice(0, 60)}`)
    } else if (rest.startsWith('** ')) counts.failed++
    else if (/ (?:temporarily )?rejected /.test(rest)) {
      counts.refused++
      add(
        reasons,
        / (?:temporarily )?rejected (?:RCPT |MAIL )?.*?(?:: (.*))?$/.exec(rest)?.[1] ??
          rest.replace(/^.* rejected /, ''),
      )
    }
  }
  return {
    seconds,
    ...counts,
    senders: ranked(senders),
    hosts: ranked(hosts),
    placed: twin !== undefined,
    refusals: twin === undefined ? ranked(reasons) : ranked(decided(twin, seconds)),
  }
}

/** Without the address that a host refused, so that all of one kind count together. */
function shorter(why: ByteString): ByteString {
  return why
    .replace(/^SMTP error from remote mail server after /, '')
    .replace(/ (?:TO|FROM):<[^>]*>\S*/, '')
    .slice(0, 60)
}

/** Refusals by the statement that decided. */
function decided(twin: readonly ByteString[], seconds: number): Map<ByteString, number> {
  const found = new Map<ByteString, number>()
  const from = new Date(Date.now() - seconds * 1000).toISOString()
  for (const text of twin) {
    if (!text.includes('"smtp:rejected"')) continue
    try {
      const { time, decidedBy, verdict } = JSON.parse(text) as Partial<Record<string, unknown>>
      if (typeof time !== 'string' || time < from) continue
      add(found, `${placeOf(decidedBy)} ${typeof verdict === 'string' ? verdict : ''}`)
    } catch {
      // Half a line, at the place where the end of the file was cut out.
    }
  }
  return found
}

function placeOf(decidedBy: unknown): string {
  if (typeof decidedBy !== 'object' || decidedBy === null) return 'no ACL'
  const { name, file, line: number } = decidedBy as Partial<Record<string, unknown>>
  return `${String(name)} ${String(file)}:${String(number)}`
}

function add(counts: Map<ByteString, number>, name: ByteString): void {
  if (counts.has(name) || counts.size < mostNames) counts.set(name, (counts.get(name) ?? 0) + 1)
}

function ranked(counts: ReadonlyMap<ByteString, number>): Ranked[] {
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count)
}
