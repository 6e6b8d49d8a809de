/**
 * Public suffixes: under which names of the DNS the public registers its own, and so which names belong to one
 * organisation. Source: https://publicsuffix.org/list/ ("Specification"); RFC 7489 section 3.2.
 */
import type { ByteString } from '../base/text.ts'
import { asciiDomain } from './ascii-domain.ts'

/** `example` is a suffix; every `x.example` is one; `example` is none although a wildcard says so. */
const RULE = 1
const WILDCARD = 2
const EXCEPTION = 4

/** The rules of a list, by name without `*.` and `!`; made by `parseSuffixes`. */
export interface SuffixList {
  readonly rules: ReadonlyMap<string, number>
}

/** Reads a list: a rule a line up to the first white space; comments begin with `//`. Lines that are no rule are skipped. */
export function parseSuffixes(text: ByteString): SuffixList {
  const rules = new Map<string, number>()
  for (const match of text.matchAll(/^[ \t]*(!|\*\.)?([^\s/*!][^\s]*)/gm)) {
    const [, mark, name = ''] = match
    const key = asciiDomain(name).toLowerCase()
    const kind = mark === '!' ? EXCEPTION : mark === undefined ? RULE : WILDCARD
    rules.set(key, (rules.get(key) ?? 0) | kind)
  }
  return { rules }
}

/**
 * The public suffix of a name, in its ASCII form and small letters; a top level that is not listed is one.
 * @returns undefined for what is no domain name
 */
export function publicSuffix(name: ByteString, list: SuffixList): ByteString | undefined {
  const labels = labelsOf(name)
  return labels === undefined ? undefined : labels.slice(suffixStart(labels, list)).join('.')
}

/**
 * The organisational domain of a name: its public suffix and one label more. In its ASCII form and small letters.
 * @returns undefined when the name is a public suffix itself, or no domain name
 */
export function organizationalDomain(name: ByteString, list: SuffixList): ByteString | undefined {
  const labels = labelsOf(name)
  if (labels === undefined) return undefined
  const start = suffixStart(labels, list)
  return start === 0 ? undefined : labels.slice(start - 1).join('.')
}

function labelsOf(name: ByteString): string[] | undefined {
  const ascii = asciiDomain(name).toLowerCase()
  if (ascii === '' || ascii.length > 253) return undefined
  const labels = ascii.split('.')
  return labels.every((label) => label !== '' && label.length <= 63) ? labels : undefined
}

/** Where the suffix begins: the longest rule counts, an exception before all; without any it is the last label. */
function suffixStart(labels: readonly string[], { rules }: SuffixList): number {
  for (let start = 0; start < labels.length; start++) {
    const here = rules.get(labels.slice(start).join('.')) ?? 0
    if ((here & EXCEPTION) !== 0) return start + 1
    if ((here & RULE) !== 0) return start
    const parent = rules.get(labels.slice(start + 1).join('.')) ?? 0
    if ((parent & WILDCARD) !== 0) return start
  }
  return labels.length - 1
}
