/** Members and elements of JSON texts, kept as they are written. Source: Exim manual, "${extract json". */
import type { Failure } from '../../base/outcome.ts'
import { retaint, textOf, type Text } from '../../base/text.ts'
import { failure } from './environment.ts'

/** The element of that number (from 1) or the member of that name. With `unquote` a string loses its quotes. */
export function jsonField(key: string, subject: Text, unquote: boolean): Text | undefined | Failure {
  const text = textOf(subject).trim()
  const numeric = /^-?\d+$/.test(key)
  if (key === '') return failure('first argument of "extract" must not be empty')
  if (numeric && Number(key) <= 0) return failure('first argument of "extract" must be greater than zero')
  const [open, close, kind] = numeric ? ['[', ']', 'array'] : ['{', '}', 'object']
  if (!text.startsWith(open ?? '') || !text.endsWith(close ?? '')) {
    const missing = text.startsWith(open ?? '') ? close : open
    return failure(`missing '${missing}' wrapping ${kind} for extract json`)
  }
  const parts = jsonParts(text.slice(1, -1))
  const found = numeric ? element(parts, Number(key)) : member(parts, key)
  if (found === undefined) return undefined
  return unquote ? unquoted(found, subject) : retaint(found, subject)
}

/** The elements of a JSON array, quotes removed when asked. */
export function jsonArray(subject: Text, unquote: boolean): readonly Text[] | Failure {
  const text = textOf(subject).trim()
  if (!text.startsWith('[') || !text.endsWith(']')) return []
  const inner = text.slice(1, -1)
  if (inner.trim() === '') return []
  const result: Text[] = []
  for (const part of jsonParts(inner)) {
    const one = unquote ? unquoted(part, subject) : retaint(part, subject)
    if (typeof one === 'object' && 'kind' in one) return one
    result.push(one)
  }
  return result
}

function unquoted(part: string, subject: Text): Text | Failure {
  if (!part.startsWith('"')) return failure(`missing '"' wrapping string result for extract jsons`)
  if (!part.endsWith('"') || part.length < 2)
    return failure(`missing '"' wrapping string result for extract jsons`)
  return retaint(part.slice(1, -1), subject)
}

function element(parts: readonly string[], number: number): string | undefined {
  return parts[number - 1]
}

function member(parts: readonly string[], key: string): string | undefined {
  for (const part of parts) {
    const match = /^"((?:[^"\\]|\\.)*)"\s*:\s*([\s\S]*)$/.exec(part)
    if (match?.[1] === key) return match[2]
  }
  return undefined
}

/** Splits at the commas of the outermost level. */
function jsonParts(inner: string): string[] {
  const parts: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let i = 0; i < inner.length; i++) {
    const char = inner.charAt(i)
    if (quoted) {
      if (char === '\\') i++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    else if (char === ',' && depth === 0) {
      parts.push(inner.slice(start, i).trim())
      start = i + 1
    }
  }
  parts.push(inner.slice(start).trim())
  return parts
}
