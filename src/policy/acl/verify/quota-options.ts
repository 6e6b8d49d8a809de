/** The option of `verify = recipient/quota=cachepos=1h,cacheneg=1d`. Source: Exim manual, "Quota caching". */
import { parseInterval } from '../../../base/interval.ts'

/** For how long an answer is remembered; 0: not at all. */
export interface QuotaOptions {
  readonly positiveSeconds: number
  readonly negativeSeconds: number
}

export type QuotaParsed =
  | { readonly is: 'none' }
  | { readonly is: 'options'; readonly options: QuotaOptions }
  | { readonly is: 'wrong'; readonly message: string }

const usualPositiveSeconds = 5 * 60
const usualNegativeSeconds = 60 * 60

/** Reads what belongs to the quota check out of the options of a verification. */
export function parseQuota(options: readonly string[], text: string): QuotaParsed {
  const found = { positiveSeconds: usualPositiveSeconds, negativeSeconds: usualNegativeSeconds }
  let asked = false
  for (const option of options) {
    if (!isQuota(option)) continue
    asked = true
    const wrong = readQuota(option.slice('quota'.length), text, found)
    if (wrong !== undefined) return { is: 'wrong', message: wrong }
  }
  return asked ? { is: 'options', options: found } : { is: 'none' }
}

/** `quota`, `quota=...`. */
export function isQuota(option: string): boolean {
  return option.startsWith('quota')
}

/** Takes `=cachepos=1h,no_cache` apart; the sentence when something is wrong in it. */
function readQuota(
  rest: string,
  text: string,
  found: { -readonly [K in keyof QuotaOptions]: QuotaOptions[K] },
): string | undefined {
  const equals = /^\s*=\s*/.exec(rest)
  // Other words are ignored: observed of Exim 4.96.
  if (equals === null) return undefined
  for (const piece of rest.slice(equals[0].length).split(',')) {
    const [, name = '', value] = /^\s*(\w*)\s*(?:=\s*(.*?)\s*)?$/s.exec(piece) ?? []
    if (name === 'no_cache') {
      found.positiveSeconds = 0
      found.negativeSeconds = 0
    }
    if ((name !== 'cachepos' && name !== 'cacheneg') || value === undefined) continue
    const seconds = parseInterval(value)
    if (seconds === undefined) return `bad time value in ACL condition "verify ${text}"`
    if (name === 'cachepos') found.positiveSeconds = seconds
    else found.negativeSeconds = seconds
  }
  return undefined
}
