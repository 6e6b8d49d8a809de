/**
 * Message ids: time, process, fraction of the second, in base 62, each unique on this host.
 * Long: 6-11-4 characters (Exim since 4.97). Short: 6-6-2 (before), which older log tools need.
 * Source: Exim manual, "Message identification".
 */

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export type MessageIdForm = 'long' | 'short'

/** Ticks of the last field in one second, alone and beside a host number (at most 16, Exim's limit). */
const forms = {
  long: { processDigits: 11, fractionDigits: 4, ticks: 1_000_000, ticksBesideHost: 500_000 },
  short: { processDigits: 6, fractionDigits: 2, ticks: 2000, ticksBesideHost: 200 },
} as const

/** Linux gives no process a number above this, so what lies beyond is free to tell ids of one tick apart. */
const processLimit = 2 ** 22
/** 62 ** 6 / 2 ** 22, rounded down: what the process field of the short form can hold. */
const idsPerTick = 13_000

export interface MessageIdOptions {
  readonly form: MessageIdForm
  readonly pid: number
  /** Milliseconds since 1970, with a fraction where the clock has one. */
  readonly now: () => number
  /** `localhost_number`: 0 to 16. */
  readonly localhostNumber?: number | undefined
}

/**
 * A source of ids. They never repeat and never wait: where Exim waits for the clock to tick, the process field
 * counts on beyond any process number. A clock that steps back does not bring an id back.
 */
export function createMessageIds(options: MessageIdOptions): () => string {
  const form = forms[options.form]
  const host = options.localhostNumber
  const ticksPerSecond = host === undefined ? form.ticks : form.ticksBesideHost
  let lastTick = -1
  let inTick = 0
  return () => {
    const tick = Math.floor((options.now() * ticksPerSecond) / 1000)
    if (tick > lastTick) {
      lastTick = tick
      inTick = 0
    } else if (++inTick >= idsPerTick) {
      lastTick++
      inTick = 0
    }
    const seconds = Math.floor(lastTick / ticksPerSecond)
    const fraction = (host ?? 0) * ticksPerSecond + (lastTick - seconds * ticksPerSecond)
    return (
      `${base62(seconds, 6)}-${base62(options.pid + inTick * processLimit, form.processDigits)}` +
      `-${base62(fraction, form.fractionDigits)}`
    )
  }
}

/** A number in base 62, with leading zeros up to `width` digits. */
export function base62(value: number, width: number): string {
  let text = ''
  let rest = value
  while (rest > 0 || text.length < width) {
    text = digits.charAt(rest % 62) + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** True for text that has the form of a message id, long or short. */
export function isMessageId(text: string): boolean {
  return /^[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})$/.test(text)
}

/** When the message began to be received, seconds since 1970, as its id says. */
export function messageIdSeconds(id: string): number {
  let seconds = 0
  for (const digit of id.slice(0, 6)) seconds = seconds * 62 + digits.indexOf(digit)
  return seconds
}
