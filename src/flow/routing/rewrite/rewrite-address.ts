/** Rewriting rules applied to one address. Source: Exim manual, chapter 31. */
import { isFailure } from '../../../base/outcome.ts'
import { type ByteString, concat, taint, textOf } from '../../../base/text.ts'
import type { RewriteRule } from '../../../language/config/configuration.ts'
import { splitAddress } from '../../../mail/address.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { capturesOf } from './captures.ts'

/** Where an address stands, by the flag that selects it: envelope From and To, and the headers. */
export type RewritePlace = 'F' | 'T' | 'f' | 't' | 'c' | 'b' | 'r' | 's'

/** As the log names the places. */
export const placeNames: Readonly<Record<RewritePlace, string>> = {
  F: 'env-from',
  T: 'env-to',
  f: 'from:',
  t: 'to:',
  c: 'cc:',
  b: 'bcc:',
  r: 'reply-to:',
  s: 'sender:',
}

export interface Rewritten {
  /** The working address. */
  readonly address: ByteString
  /** With the `w` flag: what takes the place of the whole header item. */
  readonly whole: ByteString | undefined
  readonly changed: boolean
}

/** Times that a rule with the `R` flag is applied again. */
const repeatLimit = 10

export async function rewriteAddress(
  address: ByteString,
  place: RewritePlace,
  rules: readonly RewriteRule[],
  context: Context,
): Promise<Rewritten> {
  let now: Rewritten = { address, whole: undefined, changed: false }
  for (const [index, rule] of rules.entries()) {
    if (!concerns(rule.flags, place)) continue
    let matched = false
    for (let round = 0; ; round++) {
      const step = await applyRule(rule, index + 1, now.address, place, context)
      if (step.is === 'no match') {
        context.debug?.('rewrite', `${now.address}: rule ${index + 1} (${rule.pattern.text}) does not match`)
        break
      }
      matched = true
      if (step.is === 'stop') return now
      if (step.is === 'unchanged') break
      context.debug?.(
        'rewrite',
        `rewrote ${now.address} as ${step.address} (${placeNames[place]}, rule ${index + 1})`,
      )
      now = { address: step.address, whole: step.whole, changed: true }
      if (!rule.flags.includes('R')) break
      if (round < repeatLimit) continue
      context.ports.log.panic(context.message?.id, `rewrite rule repeat ignored after ${repeatLimit} times`)
      break
    }
    if (matched && rule.flags.includes('q')) return now
  }
  return now
}

/** Without a letter that selects a place, a rule is for all of them; `S` alone is for SMTP time only. */
function concerns(flags: string, place: RewritePlace): boolean {
  const selecting = /[EFTSbcfhrst]/.test(flags)
  if (!selecting) return true
  if (flags.includes(place)) return true
  return place === 'F' || place === 'T' ? flags.includes('E') : flags.includes('h')
}

type Step =
  | { readonly is: 'no match' }
  /** The replacement is `*`, or it cannot be used: no more rules. */
  | { readonly is: 'stop' }
  /** The expansion was forced to fail. */
  | { readonly is: 'unchanged' }
  | { readonly is: 'changed'; readonly address: ByteString; readonly whole: ByteString | undefined }

const noMatch: Step = { is: 'no match' }
const stop: Step = { is: 'stop' }

async function applyRule(
  rule: RewriteRule,
  number: number,
  address: ByteString,
  place: RewritePlace,
  context: Context,
): Promise<Step> {
  const { localPart, domain } = splitAddress(address)
  const here: Context = { ...context, captures: [], address: { ...context.address, localPart, domain } }
  if (!(await matches(rule, address, here))) return noMatch
  if (rule.replacement.text === '*') return stop
  const { log } = context.ports
  const id = context.message?.id
  const value = await context.ports.expand(rule.replacement, here)
  if (isFailure(value)) {
    if (value.kind === 'forced') return { is: 'unchanged' }
    log.panic(id, `Expansion of ${rule.replacement.text} failed while rewriting: ${value.message}`)
    return stop
  }
  const text = textOf(value)
  const parsed = parseAddress(text)
  if (parsed.is === 'error') {
    log.panic(id, `Rewrite of ${address} yielded unparseable address: ${parsed.message} in address ${text}`)
    return stop
  }
  let result = parsed.address
  if (parsed.domain === '') {
    if (!rule.flags.includes('Q')) {
      log.panic(id, `Rewrite of ${address} yielded unqualified address "${parsed.address}"`)
      return stop
    }
    result = `${parsed.address}@${context.server.qualifyRecipient}`
  }
  const whole = rule.flags.includes('w') ? text : undefined
  if (log.selects('address_rewrite')) {
    const told = parsed.domain === '' ? result : text
    log.main(id, `"${address}" from ${placeNames[place]} rewritten as "${told}" by rule ${number}`)
  }
  return { is: 'changed', address: result, whole }
}

/** The pattern is one item of an address list: expanded, not split. Source: Exim manual, "Rewriting patterns". */
async function matches(rule: RewriteRule, address: ByteString, context: Context): Promise<boolean> {
  const { ports } = context
  const pattern = await ports.expand(rule.pattern, context)
  if (isFailure(pattern)) {
    if (pattern.kind !== 'forced') {
      ports.log.panic(
        context.message?.id,
        `failed to expand "${rule.pattern.text}" while checking a list: ${pattern.message}`,
      )
    }
    return false
  }
  // A separator that no pattern contains keeps its colons from ending it.
  const list = concat(['<\n', pattern])
  // The case of a domain makes no difference to a pattern; $0 has it as it was written.
  const { localPart, domain } = splitAddress(address)
  const lowered = domain === '' ? address : `${localPart}@${domain.toLowerCase()}`
  const result = await ports.matchListText('address', list, lowered, context, { caseful: true })
  if (result.is !== 'match') return false
  context.captures = capturesOf(textOf(pattern), lowered)
  context.captures[0] = taint(address, 'rewritten address')
  return true
}
