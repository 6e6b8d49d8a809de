/** check_host(), in the order of RFC 7208 section 4. */
import { unreachable } from '../../../base/outcome.ts'
import { expandText, parseMacroString, type MacroString, usesMacro } from './macro.ts'
import { type Match, matches, targetName } from './mechanisms.ts'
import { asciiDomain, isAskable } from './names.ts'
import { isSpfRecord, parseRecord, type Directive, type SpfRecord } from './record.ts'
import type { AskDns, SpfQuery, SpfResult } from './result.ts'
import { Walk } from './walk.ts'

/** More of an explanation than this fits in no SMTP reply: RFC 5321 section 4.5.3.1.5. */
const LONGEST_EXPLANATION = 500

/**
 * Evaluates SPF for one client and one identity.
 * @returns always a result, within the limits of section 4.6.4
 */
export async function checkHost(query: SpfQuery, dns: AskDns): Promise<SpfResult> {
  const walk = new Walk(query, dns)
  try {
    return await checkDomain(asciiDomain(query.domain), walk, true, query.policy)
  } finally {
    walk.end()
  }
}

async function checkDomain(
  domain: string,
  walk: Walk,
  explains: boolean,
  policy?: string,
): Promise<SpfResult> {
  // 4.3 Initial processing.
  if (!isAskable(domain)) return { result: 'none', problem: 'not a fully qualified domain name' }
  let text = policy
  if (text === undefined) {
    // 4.4 Record lookup.
    const answer = await walk.ask(domain, 'TXT')
    if ('result' in answer) return answer
    // 4.5 Selecting records.
    const records = answer.records
      .flatMap((record) => (record.type === 'TXT' ? [record.strings.join('')] : []))
      .filter(isSpfRecord)
    text = records[0]
    if (text === undefined) return { result: 'none', problem: `no SPF record for ${domain}` }
    if (records.length > 1) return { result: 'permerror', problem: `several SPF records for ${domain}` }
  }
  // 4.6 Record evaluation: any mistake is found first.
  const record = parseRecord(text)
  if ('problem' in record) return { result: 'permerror', problem: `${record.problem} (record of ${domain})` }
  return evaluate(record, domain, walk, explains)
}

async function evaluate(
  record: SpfRecord,
  domain: string,
  walk: Walk,
  explains: boolean,
): Promise<SpfResult> {
  // 4.6.2 Mechanisms, from left to right.
  for (const directive of record.directives) {
    const match = await matchesDirective(directive, domain, walk)
    if (match === 'no') continue
    if (match !== 'match') return match
    const mechanism = directive.text
    switch (directive.qualifier) {
      case '+':
        return { result: 'pass', mechanism }
      case '?':
        return { result: 'neutral', mechanism }
      case '~':
        return { result: 'softfail', mechanism }
      case '-':
        return {
          result: 'fail',
          mechanism,
          explanation: explains ? await explanationOf(record.explanation, domain, walk) : undefined,
        }
      default:
        return unreachable(directive.qualifier)
    }
  }
  // 6.1 redirect, where nothing matched. A record with `all` does not come here.
  if (record.redirect !== undefined) return redirected(record.redirect, domain, walk, explains)
  // 4.7 Default result.
  return { result: 'neutral', mechanism: 'default' }
}

async function matchesDirective({ mechanism }: Directive, domain: string, walk: Walk): Promise<Match> {
  if (mechanism.kind !== 'include') return matches(mechanism, domain, walk)
  // 5.2 include.
  const tooMany = walk.countTerm()
  if (tooMany !== undefined) return tooMany
  const target = await targetName(mechanism.target, domain, walk)
  const inner: SpfResult =
    target === undefined
      ? { result: 'none', problem: 'no domain name' }
      : await checkDomain(target, walk, false)
  switch (inner.result) {
    case 'pass':
      return 'match'
    case 'fail':
    case 'softfail':
    case 'neutral':
      return 'no'
    case 'temperror':
    case 'permerror':
      return inner
    case 'none':
      return { result: 'permerror', problem: `include without policy: ${inner.problem}` }
    default:
      return unreachable(inner)
  }
}

async function redirected(
  redirect: MacroString,
  domain: string,
  walk: Walk,
  explains: boolean,
): Promise<SpfResult> {
  const tooMany = walk.countTerm()
  if (tooMany !== undefined) return tooMany
  const target = await targetName(redirect, domain, walk)
  const result: SpfResult =
    target === undefined
      ? { result: 'none', problem: 'no domain name' }
      : await checkDomain(target, walk, explains)
  return result.result === 'none'
    ? { result: 'permerror', problem: `redirect without policy: ${result.problem}` }
    : result
}

/** 6.2 exp: undefined when there is none, or when anything is wrong with it. */
async function explanationOf(
  spec: MacroString | undefined,
  domain: string,
  walk: Walk,
): Promise<string | undefined> {
  if (spec === undefined) return undefined
  const target = await targetName(spec, domain, walk)
  if (target === undefined) return undefined
  const answer = await walk.ask(target, 'TXT')
  if ('result' in answer || answer.records.length !== 1) return undefined
  const [record] = answer.records
  const text = record?.type === 'TXT' ? record.strings.join('') : ''
  const parts = parseMacroString(text, 'text')
  if (text === '' || 'problem' in parts) return undefined
  const pointerName = usesMacro(parts, 'p') ? await walk.pointerName(domain) : ''
  const expanded = expandText(
    parts,
    (letter) => walk.valueOf(letter, domain, pointerName),
    LONGEST_EXPLANATION,
  )
  // What the client itself said may stand in it.
  return expanded.replaceAll(/[^\x20-\x7e]/g, '?')
}
