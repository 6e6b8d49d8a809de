/** Options of `verify =`: checked here, obeyed by whoever verifies. */
import { parseInterval } from '../../../base/interval.ts'

const words = new Set([
  'defer_ok',
  'callout',
  'success_on_redirect',
  'quota',
  'case_insensitive',
  'no_details',
])
const calloutWords = new Set([
  'connect',
  'defer_ok',
  'fullpostmaster',
  'hold',
  'mailfrom',
  'maxwait',
  'no_cache',
  'postmaster',
  'postmaster_mailfrom',
  'random',
  'use_postmaster',
  'use_sender',
  'use_tptsender',
])
/** Callout options that take `=value`. */
const withValue = new Map([
  ['connect', 'time'],
  ['maxwait', 'time'],
  ['mailfrom', 'text'],
  ['postmaster_mailfrom', 'text'],
])

/** Splits an argument at its slashes; a doubled one stands for itself. */
export function splitOptions(text: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '/') part += text[i]
    else if (text[i + 1] === '/') {
      part += '/'
      i++
    } else {
      parts.push(part.trim())
      part = ''
    }
  }
  parts.push(part.trim())
  return parts
}

/** Exim's sentence for the first wrong option of an address verification; undefined when all are right. */
export function badOption(
  options: readonly string[],
  text: string,
  ofHeader: boolean = false,
): string | undefined {
  for (const option of options) {
    const equals = option.indexOf('=')
    const name = (equals < 0 ? option : option.slice(0, equals)).trim()
    if (!words.has(name)) return `unknown option "${option}" in ACL condition "verify ${text}"`
    if (equals < 0) continue
    if (name !== 'callout' && name !== 'quota')
      return `unknown option "${option}" in ACL condition "verify ${text}"`
    const bad = name === 'callout' ? badCallout(option.slice(equals + 1), text, ofHeader) : undefined
    if (bad !== undefined) return bad
  }
  return undefined
}

function badCallout(value: string, text: string, ofHeader: boolean): string | undefined {
  for (const piece of value.split(',').map((word) => word.trim())) {
    const equals = piece.indexOf('=')
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim()
    if (!calloutWords.has(name)) {
      if (piece === '' || parseInterval(piece) !== undefined) continue
      return `bad time value in ACL condition "verify ${text}"`
    }
    if (name === 'mailfrom' && equals >= 0 && !ofHeader) {
      return `"mailfrom" is allowed as a callout option only for verify=header_sender (detected in ACL condition "${text}")`
    }
    const kind = withValue.get(name)
    if (kind !== undefined && equals < 0) {
      return `'=' expected after "${name}" in ACL verify condition "${text}"`
    }
    if (kind === 'time' && parseInterval(piece.slice(equals + 1).trim()) === undefined) {
      return `bad time value in ACL condition "verify ${text}"`
    }
  }
  return undefined
}
