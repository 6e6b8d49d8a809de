/** The servers of `spamd_address`. Source: Exim manual, "Scanning with SpamAssassin and Rspamd". */
import { parseInterval } from '../../../base/interval.ts'
import type { ByteString } from '../../../base/text.ts'
import { readPorts, type ScannerAddress } from '../conversation.ts'

export interface SpamServer {
  readonly to: ScannerAddress
  readonly rspamd: boolean
  readonly priority: number
  readonly weight: number
  /** Seconds since midnight, local time. */
  readonly from: number
  readonly until: number
  readonly retrySeconds: number
  readonly timeoutSeconds: number
  /** Asked only when no other one answers. */
  readonly backup: boolean
}

export const mostSpamServers = 32
const dayEnd = 24 * 3600
const defaultTimeoutSeconds = 120

export type SpamServerRead = SpamServer | { readonly problem: string }

/** One item of the list: address, then options. */
export function readSpamServer(item: ByteString): SpamServerRead {
  const [host = '', ...rest] = splitWords(item)
  if (host === '') return { problem: 'missing address' }
  const path = host.startsWith('/')
  const port = path ? undefined : rest.shift()
  if (!path && (port === undefined || !/^\d{1,5}(?:-\d{1,5})?$/.test(port))) {
    return { problem: `invalid spamd address: '${item}': a host and a port, or the path of a socket` }
  }
  let server: SpamServer = {
    to: path ? { path: host } : { host, ...readPorts(port ?? '') },
    rspamd: false,
    priority: 1,
    weight: 1,
    from: 0,
    until: dayEnd,
    retrySeconds: 0,
    timeoutSeconds: defaultTimeoutSeconds,
    backup: false,
  }
  for (const word of rest) {
    const change = readOption(word)
    if (change === undefined) return { problem: `invalid spamd option '${word}' in '${item}'` }
    server = { ...server, ...change }
  }
  return server
}

/** Words between white space, or with another separator when the item says so. */
function splitWords(item: ByteString): string[] {
  const other = /^<([^\w\s])[ \t]*/.exec(item)
  const words = other?.[1] === undefined ? item.split(/[ \t]+/) : item.slice(other[0].length).split(other[1])
  return words.map((word) => word.trim()).filter((word) => word !== '')
}

function readOption(word: string): Partial<SpamServer> | undefined {
  if (word === 'backup') return { backup: true }
  const equals = word.indexOf('=')
  const name = word.slice(0, Math.max(0, equals))
  const value = word.slice(equals + 1)
  switch (name) {
    case 'pri':
      return /^\d{1,9}$/.test(value) ? { priority: Number(value) } : undefined
    case 'weight':
      return /^\d{1,9}$/.test(value) ? { weight: Number(value) } : undefined
    case 'variant':
      return value === 'rspamd' ? { rspamd: true } : value === 'spamd' ? {} : undefined
    case 'retry':
    case 'tmo': {
      const seconds = parseInterval(value)
      if (seconds === undefined) return undefined
      return name === 'tmo' ? { timeoutSeconds: seconds } : { retrySeconds: seconds }
    }
    case 'time': {
      const [from, until] = value.split('-').map(secondsOfDay)
      return from === undefined || until === undefined ? undefined : { from, until }
    }
    default:
      return undefined
  }
}

/** `8.30.15`, `8.30`, `8`. */
function secondsOfDay(text: string): number | undefined {
  const match = /^(\d{1,2})(?:\.(\d{1,2}))?(?:\.(\d{1,2}))?$/.exec(text)
  if (match === null) return undefined
  return Number(match[1]) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)
}

/**
 * The order in which servers are tried: higher priority first, within one priority by weighted chance; backups last.
 * @param second seconds since midnight
 */
export function orderServers(
  servers: readonly SpamServer[],
  second: number,
  random: (limit: number) => number,
): SpamServer[] {
  const left = servers.filter(({ from, until }) => second >= from && second < until)
  const ordered: SpamServer[] = []
  while (left.length > 0) {
    const backup = left.every((each) => each.backup)
    const candidates = left.filter((each) => each.backup === backup)
    const priority = Math.max(...candidates.map((each) => each.priority))
    const set = candidates.filter((each) => each.priority === priority)
    let chance = random(set.reduce((sum, { weight }) => sum + weight, 0))
    const chosen = set.find(({ weight }) => (chance -= weight) < 0) ?? set[0]
    if (chosen === undefined) break
    ordered.push(chosen)
    left.splice(left.indexOf(chosen), 1)
  }
  return ordered
}
