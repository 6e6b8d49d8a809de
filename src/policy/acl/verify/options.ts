/** Options of `verify =`: checked here, obeyed by whoever verifies. */
import { parseCallout } from './callout-options.ts'
import { isQuota, parseQuota } from './quota-options.ts'

const words = new Set([
  'callout_defer_ok',
  'check_postmaster',
  'defer_ok',
  'no_details',
  'success_on_redirect',
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
  kind: 'recipient' | 'sender' | 'header',
): string | undefined {
  for (const option of options) {
    const name = option.replace(/\s*=.*$/s, '')
    if (option.startsWith('callout') && option !== 'callout_defer_ok') continue
    if (isQuota(option)) {
      if (kind === 'recipient') continue
      return 'can only verify quota of recipient'
    }
    if (!words.has(name) || name !== option) {
      return `unknown option "${option}" in ACL condition "verify ${text}"`
    }
  }
  const callout = parseCallout(options, text, kind)
  if (callout.is === 'wrong') return callout.message
  const quota = parseQuota(options, text)
  return quota.is === 'wrong' ? quota.message : undefined
}
