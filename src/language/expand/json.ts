/** Members and elements of JSON texts, kept as they are written. Source: Exim manual, "${extract json". */
import type { Failure } from '../../base/outcome.ts'
import { retaint, textOf, type Text } from '../../base/text.ts'
import { failure } from './environment.ts'

/** The element of that number (from 1) or the member of that name. With `unquote` a string loses its quotes. */
export function jsonField(key: string, subject: Text, unquote: boolean): Text | undefined | Failure {
  const text = textOf(subject).trim()
  const numeric = /^-?\d*$/.test(key)
  if (key === '') return failure('first argument of "extract" must not be empty')
  const [open, close, kind] = numeric ? ['[', ']', 'array'] : ['{', '}', 'object']
  if (!text.startsWith(open ?? '')) return failure(`missing '${open}' wrapping ${kind} for extract json`)
  const parts = jsonParts(text)
  if (parts === undefined) return failure(`missing '${close}' wrapping ${kind} for extract json`)
  if (numeric && !(Number(key) > 0)) return failure('first argument of "extract" must be greater than zero')
  const found = numeric ? element(parts, Number(key)) : member(parts, key)
  if (found === undefined || typeof found === 'object') return found
  return unquote ? unquoted(found, subject) : retaint(found, subject)
}

/** The elements of a JSON array, quotes removed when asked. */
export function jsonArray(subject: Text, unquote: boolean): readonly Text[] | Failure {
  const text = textOf(subject).trim()
  const parts = text.startsWith('[') ? jsonParts(text) : undefined
  const result: Text[] = []
  for (const part of parts ?? []) {
    const one = unquote ? unquoted(part, subject) : retaint(part, subject)
    if (typeof one === 'object' && 'kind' in one) return one
    result.push(one)
  }
  return result
}

function unquoted(part: string, subject: Text): Text | Failure {
  const text = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(part)?.[1]
  return text === undefined
    ? failure(`missing '"' wrapping string result for extract jsons`)
    : retaint(text, subject)
}

function element(parts: readonly string[], number: number): string | undefined {
  return parts[number - 1]
}

function member(parts: readonly string[], key: string): string | undefined | Failure {
  for (const part of parts) {
    const name = /^"((?:[^"\\]|\\.)*)"\s*/.exec(part)
    if (name === null) return failure(`missing '"' wrapping string key for extract json`)
    if (name[1] !== key) continue
    if (part[name[0].length] !== ':') return failure('missing object value-separator for extract json')
    return part.slice(name[0].length + 1).trimStart()
  }
  return undefined
}

/** What stands between the commas of the outermost brackets, with which the text begins; undefined: they do not end. */
function jsonParts(text: string): string[] | undefined {
  const parts: string[] = []
  let depth = 0
  let quoted = false
  let ended = false
  let start = 1
  for (let i = 1; i < text.length; i++) {
    const char = text.charAt(i)
    if (quoted) {
      if (char === '\\') i++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && depth > 0) depth--
    else if (depth === 0 && (char === ',' || char === '}' || char === ']')) {
      const part = text.slice(start, i).trim()
      // An empty element is the last.
      if (!ended && part === '') ended = true
      if (!ended) parts.push(part)
      start = i + 1
      if (char !== ',') return parts
    }
  }
  return undefined
}
