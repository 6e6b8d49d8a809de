/** Reads the arguments of `ratelimit`. Source: Exim manual, "Rate limiting incoming messages", "Ratelimit options". */
import { formatInterval, parseInterval } from '../../../base/interval.ts'
import type { AclPlace } from '../../../ports.ts'

export interface RateLimit {
  readonly most: number
  /** As it was written: `5k`. */
  readonly mostText: string
  readonly periodSeconds: number
  /** What is counted; `per_byte` counts as messages, `per_addr` as recipients. */
  readonly per: 'per_mail' | 'per_rcpt' | 'per_cmd' | 'per_conn'
  /** How much this event adds. */
  readonly count: number
  readonly strict: boolean
  readonly readonly: boolean
  /** Counts different events. */
  readonly unique: string | undefined
  /** Under which the rate is stored: everything that changes its meaning, and the key. */
  readonly key: string
}

/** Values of the session that stand in for options left out. */
export interface RateFacts {
  readonly host: string
  readonly recipient: string
  readonly recipients: number
  readonly messageSize: number
}

type Per = RateLimit['per'] | 'per_byte' | 'per_addr'

interface Problem {
  readonly error: string
  /** The sentence stands alone. */
  readonly plain?: boolean
}

interface Options {
  per: Per | undefined
  mode: 'strict' | 'leaky' | 'readonly' | undefined
  count: number | undefined
  unique: string | undefined
  key: string | undefined
}

export function parseRateLimit(
  parts: readonly string[],
  place: AclPlace,
  placeName: string,
  facts: RateFacts,
): RateLimit | Problem {
  const [mostText, periodText, ...rest] = parts
  if (mostText === undefined) return { error: 'sender rate limit not set' }
  const most = readNumber(mostText)
  if (most === undefined) return { error: `"${mostText}" is not a positive number` }
  const periodSeconds = periodText === undefined ? undefined : parseInterval(periodText)
  if (periodSeconds === undefined || periodSeconds === 0) {
    return { error: `"${periodText ?? 'NULL'}" is not a time value` }
  }
  const options = readOptions(rest)
  if ('error' in options) return options
  const per = options.per ?? 'per_mail'
  // What is counted by default may be counted everywhere, connections too. Observed of Exim 4.96.
  const counts = options.per === undefined || mayCount(per, place)
  const counted = per === 'per_byte' ? 'per_mail' : per === 'per_addr' ? 'per_rcpt' : per
  if (!counts && (options.mode === 'strict' || options.mode === 'leaky')) {
    return {
      error: `"${counted}" must not have /leaky or /strict option, or cannot be used in ${placeName} ACL`,
    }
  }
  const unique = per === 'per_addr' ? (options.unique ?? facts.recipient) : options.unique
  const uniqueMark = unique === undefined ? '' : 'unique/'
  return {
    most,
    mostText,
    periodSeconds,
    per: counted,
    count: options.count ?? usualCount(per, place, facts),
    strict: options.mode === 'strict',
    readonly: options.mode === 'readonly' || !counts,
    unique,
    key: `${formatInterval(periodSeconds)}/${counted}/${uniqueMark}${options.key ?? facts.host}`,
  }
}

function readOptions(words: readonly string[]): Options | Problem {
  const options: Options = {
    per: undefined,
    mode: undefined,
    count: undefined,
    unique: undefined,
    key: undefined,
  }
  let noUpdate = false
  for (const word of words) {
    if (isPer(word)) {
      if (options.per !== undefined) return { error: 'conflicting per_* options' }
      options.per = word
      continue
    }
    // An older word, which may stand beside strict and leaky, as readonly may not: so Exim 4.96 reads it.
    const mode = modes.get(word)
    if (word === 'noupdate') noUpdate = true
    else if (mode !== undefined) {
      if (options.mode !== undefined && options.mode !== mode) return { error: 'conflicting update modes' }
      options.mode = mode
    } else if (word.startsWith('count=')) {
      const count = readNumber(word.slice('count='.length))
      if (count === undefined) return { error: `"${word}" is not a positive number` }
      options.count = count
    } else if (word.startsWith('unique=')) options.unique = word.slice('unique='.length)
    // What is no option belongs to the key, which may hold slashes.
    else options.key = options.key === undefined ? word : `${options.key}/${word}`
  }
  if (noUpdate) options.mode = 'readonly'
  return options
}

const modes: ReadonlyMap<string, 'strict' | 'leaky' | 'readonly'> = new Map([
  ['strict', 'strict'],
  ['leaky', 'leaky'],
  ['readonly', 'readonly'],
])

function isPer(word: string): word is Per {
  return /^per_(?:mail|rcpt|cmd|conn|byte|addr)$/.test(word)
}

/** A number that may end in K, M or G. */
function readNumber(text: string): number | undefined {
  const found = /^(\d+(?:\.\d*)?|\.\d+)([kmg]?)$/i.exec(text)
  if (found === null) return undefined
  const power = { k: 1, m: 2, g: 3 }[found[2]?.toLowerCase() ?? ''] ?? 0
  return Number(found[1]) * 1024 ** power
}

/** Where a message is on its way. */
const withMessage: readonly AclPlace[] = [
  'mail',
  'rcpt',
  'predata',
  'mime',
  'dkim',
  'data',
  'prdr',
  'notsmtp',
]

/** Recipients and messages can be counted only where there are some. Observed of Exim 4.96. */
function mayCount(per: Per, place: AclPlace): boolean {
  if (per === 'per_addr') return place === 'rcpt'
  if (per === 'per_rcpt') return ['rcpt', 'predata', 'mime', 'data', 'prdr', 'notsmtp'].includes(place)
  return per === 'per_cmd' || per === 'per_conn' || withMessage.includes(place)
}

function usualCount(per: Per, place: AclPlace, facts: RateFacts): number {
  if (per === 'per_byte') return Math.max(0, facts.messageSize)
  return per === 'per_rcpt' && place !== 'rcpt' ? facts.recipients : 1
}
