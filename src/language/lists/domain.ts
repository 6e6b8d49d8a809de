/** Items of domain lists. Source: Exim manual, "Domain lists". */
import { asciiLower, isTainted, slice, Tainted, textOf, type Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import { regexItem, setCaptures, signOf } from './item.ts'
import type { CompileOptions, ItemIndex, ListItem, Match, TextSubject } from './list.ts'
import { lookupItem } from './lookup.ts'
import { mxItem } from './mx.ts'
import { TextIndex } from './text-index.ts'

/** Makes the subject of a domain list. */
export function textSubject(text: Text): TextSubject {
  const raw = textOf(text)
  return { text, raw, lower: asciiLower(raw), label: raw, cacheKey: raw }
}

/** The index of a domain or local part list; items after `+caseful` stand in a table of their own. */
export class PlainIndex implements ItemIndex<TextSubject> {
  readonly #caseless = new TextIndex()
  readonly #caseful = new TextIndex()

  add(text: string, position: number, caseful: boolean): void {
    const table = caseful ? this.#caseful : this.#caseless
    const key = caseful ? text : asciiLower(text)
    if (key.startsWith('*')) table.addSuffix(key.slice(1), position)
    else table.addExact(key, position)
  }

  find(subject: TextSubject): number {
    return Math.min(this.#caseless.find(subject.lower), this.#caseful.find(subject.raw))
  }

  capture(subject: TextSubject, item: ListItem<TextSubject>, context: Context): void {
    const caseful = this.#caseful.find(subject.raw) < this.#caseless.find(subject.lower)
    captureText(subject, textOf(item.data ?? ''), context, caseful)
  }
}

/** `$0` is what matched; `$1` what the asterisk stood for. */
export function captureText(
  subject: TextSubject,
  item: string,
  context: Context,
  caseful: boolean = false,
): void {
  if (!item.startsWith('*')) setCaptures(context, [caseful ? subject.text : lowered(subject)])
  else {
    const end = subject.raw.length - (item.length - 1)
    const text = lowered(subject)
    setCaptures(context, [text, slice(text, 0, end)])
  }
}

/**
 * Compiles one item of a domain list that is not plain; undefined: the index takes it.
 * @param text the item without its exclamation mark
 */
export function domainItem(text: Text, options: CompileOptions): Match<TextSubject> | undefined {
  const bytes = textOf(text)
  if (bytes.startsWith('^')) return domainRegex(text, options)
  const sign = signOf(text)
  if (sign === '@') {
    if (bytes === '@') return primaryHostname
    if (bytes === '@[]') return localLiteral
    const mx = mxItem(text)
    if (mx !== undefined) return mx
  }
  if (sign === '+') return namedDomains(bytes.slice(1))
  if (sign === '/' && !options.inFile) {
    return (subject, run) => run.engine.matchFile('domain', bytes, subject, run, options)
  }
  return lookupItem(text, (subject: TextSubject) => (options.caseful ? subject.text : lowered(subject)), true)
}

/** A lookup's key in lower case, with the taint of the text it comes from. */
export function lowered(subject: TextSubject): Text {
  return isTainted(subject.text) ? new Tainted(subject.lower, subject.text.spans) : subject.lower
}

function domainRegex(text: Text, options: CompileOptions): Match<TextSubject> {
  return regexItem(textOf(text), options.caseful, (subject: TextSubject) => subject.text, {
    captures: true,
    data: text,
  })
}

function namedDomains(name: string): Match<TextSubject> {
  return (subject, run) => run.engine.matchNamed('domain', name, subject, run)
}

const primaryHostname: Match<TextSubject> = (subject, run) => {
  const name = run.context.server.primaryHostname
  if (subject.lower !== asciiLower(name)) return undefined
  setCaptures(run.context, [subject.text])
  return { is: 'match', data: name }
}

/** `[192.0.2.1]`, when that is one of our own addresses. */
const localLiteral: Match<TextSubject> = (subject, run) => {
  if (!subject.raw.startsWith('[') || !subject.raw.endsWith(']')) return undefined
  const inside = subject.lower.slice(1, -1)
  const address = inside.startsWith('ipv6:') ? inside.slice(5) : inside
  return run.context.server.localInterfaces().includes(address) ? { is: 'match', data: '@[]' } : undefined
}
