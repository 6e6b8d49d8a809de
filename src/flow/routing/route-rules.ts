/** Routing rules of manualroute: pattern, hosts, options. Source: Exim manual, "Routing rules in route_list". */
import { type ByteString, slice, type Text, textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

export interface RoutingRule {
  readonly pattern: ByteString
  readonly hosts: Text
  readonly options: readonly ByteString[]
}

/** The option is a list whose separator is a semicolon unless it says otherwise. */
export function splitRules(value: ByteString, { ports }: Context): ByteString[] {
  const list = /^\s*</.test(value) ? value : `<;${value}`
  return ports
    .splitList(list)
    .map((rule) => textOf(rule).trim())
    .filter((rule) => rule !== '')
}

/** Words are separated by white space; the pattern and the hosts may be in double quotes. */
export function parseRule(text: Text, hasPattern: boolean): RoutingRule {
  const bytes = textOf(text)
  let at = 0
  const word = (): Text => {
    while (isBlank(bytes[at])) at++
    const start = at
    if (bytes[at] === '"') {
      at++
      while (at < bytes.length && bytes[at] !== '"') at += bytes[at] === '\\' ? 2 : 1
      const inner = slice(text, start + 1, Math.min(at, bytes.length))
      at++
      return typeof inner === 'string' ? unescape(inner) : inner
    }
    while (at < bytes.length && !isBlank(bytes[at])) at++
    return slice(text, start, at)
  }
  const pattern = hasPattern ? textOf(word()) : ''
  const hosts = word()
  const options: ByteString[] = []
  for (;;) {
    const option = textOf(word())
    if (option === '') return { pattern, hosts, options }
    options.push(option)
  }
}

function isBlank(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n' || c === '\r'
}

function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (_, c: string) =>
    c === 'n' ? '\n' : c === 't' ? '\t' : c === 'r' ? '\r' : c,
  )
}
