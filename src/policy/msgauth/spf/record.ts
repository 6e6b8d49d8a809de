/** Reads SPF records; a mistake anywhere is found before anything is evaluated. Source: RFC 7208 sections 4.6 and 12. */
import { type IpNetwork, parseIp } from '../../../base/ip.ts'
import { type MacroString, parseDomainSpec, parseMacroString } from './macro.ts'

/** `+ - ~ ?`: section 4.6.2. */
export type Qualifier = '+' | '-' | '~' | '?'

export type Mechanism =
  | { readonly kind: 'all' }
  | { readonly kind: 'include'; readonly target: MacroString }
  | { readonly kind: 'exists'; readonly target: MacroString }
  | {
      readonly kind: 'a' | 'mx'
      /** Undefined: the domain at hand. */
      readonly target: MacroString | undefined
      readonly bits4: number
      readonly bits6: number
    }
  | { readonly kind: 'ptr'; readonly target: MacroString | undefined }
  | { readonly kind: 'ip4' | 'ip6'; readonly network: IpNetwork }

export interface Directive {
  readonly qualifier: Qualifier
  readonly mechanism: Mechanism
  /** As written, without qualifier. */
  readonly text: string
}

export interface SpfRecord {
  readonly directives: readonly Directive[]
  readonly redirect?: MacroString | undefined
  readonly explanation?: MacroString | undefined
}
export interface RecordProblem {
  readonly problem: string
}

/** Longer records are nobody's policy. */
const LONGEST_RECORD = 16_384

/** Section 4.5: `v=spf1`, then a space or the end. */
export function isSpfRecord(text: string): boolean {
  return /^v=spf1(?: |$)/i.test(text)
}

/** @param text begins with `v=spf1` */
export function parseRecord(text: string): SpfRecord | RecordProblem {
  if (text.length > LONGEST_RECORD) return { problem: 'record too long' }
  // Records are US-ASCII, and only spaces separate terms: sections 3.1 and 4.6.1.
  if (!/^[\x20-\x7e]*$/.test(text)) return { problem: 'character in the record that may not be there' }
  const directives: Directive[] = []
  let redirect: MacroString | undefined
  let explanation: MacroString | undefined
  for (const term of text.slice('v=spf1'.length).split(' ')) {
    if (term === '') continue
    const modifier = /^([a-z][a-z0-9_.-]*)=(.*)$/i.exec(term)
    if (modifier === null) {
      const directive = parseDirective(term)
      if ('problem' in directive) return directive
      directives.push(directive)
      continue
    }
    const [, name = '', value = ''] = modifier
    const lower = name.toLowerCase()
    const known = lower === 'redirect' || lower === 'exp'
    const parts = known ? parseDomainSpec(value) : parseMacroString(value, 'domain')
    if ('problem' in parts) return { problem: `${parts.problem} in "${shown(term)}"` }
    // Section 6: these two stand at most once; what is unknown is ignored.
    if (lower === 'redirect') {
      if (redirect !== undefined) return { problem: 'redirect= stands twice' }
      redirect = parts
    } else if (lower === 'exp') {
      if (explanation !== undefined) return { problem: 'exp= stands twice' }
      explanation = parts
    }
  }
  return { directives, redirect, explanation }
}

function parseDirective(term: string): Directive | RecordProblem {
  const match = /^([-+~?]?)([a-z][a-z0-9_.-]*)(.*)$/i.exec(term)
  if (match === null) return { problem: `"${shown(term)}" is no mechanism` }
  const [, sign = '', name = '', rest = ''] = match
  const mechanism = parseMechanism(name.toLowerCase(), rest)
  if (mechanism === undefined) return { problem: `unknown mechanism "${shown(term)}"` }
  if ('problem' in mechanism) return { problem: `${mechanism.problem} in "${shown(term)}"` }
  // The expression lets no other sign through.
  const qualifier = (sign === '' ? '+' : sign) as Qualifier
  return { qualifier, mechanism, text: term.slice(sign.length) }
}

function parseMechanism(name: string, rest: string): Mechanism | RecordProblem | undefined {
  switch (name) {
    case 'all':
      return rest === '' ? { kind: 'all' } : { problem: 'all takes no argument' }
    case 'include':
    case 'exists': {
      if (!rest.startsWith(':')) return { problem: 'domain missing' }
      const target = parseDomainSpec(rest.slice(1))
      if ('problem' in target) return target
      return name === 'include' ? { kind: 'include', target } : { kind: 'exists', target }
    }
    case 'a':
    case 'mx':
      return parseAddressMechanism(name, rest)
    case 'ptr': {
      if (rest === '') return { kind: 'ptr', target: undefined }
      if (!rest.startsWith(':')) return { problem: 'not a domain' }
      const target = parseDomainSpec(rest.slice(1))
      return 'problem' in target ? target : { kind: 'ptr', target }
    }
    case 'ip4':
    case 'ip6':
      return parseIpMechanism(name, rest)
    default:
      return undefined
  }
}

/** `[":" domain-spec] [dual-cidr-length]`: sections 5.3, 5.4, 5.6. */
function parseAddressMechanism(kind: 'a' | 'mx', rest: string): Mechanism | RecordProblem {
  const match = /^(.*?)(?:\/(0|[1-9]\d?))?(?:\/\/(0|[1-9]\d{0,2}))?$/.exec(rest)
  const [, domain = '', four = '32', six = '128'] = match ?? []
  const [bits4, bits6] = [Number(four), Number(six)]
  if (bits4 > 32 || bits6 > 128) return { problem: 'prefix length too large' }
  if (domain === '') return { kind, target: undefined, bits4, bits6 }
  if (!domain.startsWith(':')) return { problem: 'not a domain' }
  const target = parseDomainSpec(domain.slice(1))
  return 'problem' in target ? target : { kind, target, bits4, bits6 }
}

/** Section 5.6. */
function parseIpMechanism(kind: 'ip4' | 'ip6', rest: string): Mechanism | RecordProblem {
  const match = /^:([0-9a-f.:]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(rest)
  const address = parseIp(match?.[1] ?? '')
  if (address === undefined || address.version !== (kind === 'ip4' ? 4 : 6)) {
    return { problem: `not an IPv${kind.slice(2)} network` }
  }
  const most = address.bytes.length * 8
  const bits = match?.[2] === undefined ? most : Number(match[2])
  return bits > most ? { problem: 'prefix length too large' } : { kind, network: { ...address, bits } }
}

function shown(term: string): string {
  return term.length > 60 ? `${term.slice(0, 60)}...` : term
}
