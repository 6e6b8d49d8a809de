/** Elements of JSON files. Source: Exim manual, "Single-key lookup types", json. */
import { decodeUtf8, encodeUtf8, textOf } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import type { Opened, SingleKeyType } from './types.ts'

interface Document {
  readonly value: unknown
}

/** Most selectors of a key. */
const mostSelectors = 100

function select(value: unknown, selector: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(selector) ? (value[Number(selector)] as unknown) : undefined
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, selector)) {
    return (value as Readonly<Record<string, unknown>>)[selector]
  }
  return undefined
}

function show(value: unknown): LookupResult {
  if (value === undefined) return { is: 'none' }
  return { is: 'found', data: encodeUtf8(typeof value === 'string' ? value : JSON.stringify(value)) }
}

export const json: SingleKeyType = {
  name: 'json',
  doc: 'Takes an element out of a JSON file; the key is a list of names and numbers that lead to it.',
  since: '0.1',
  style: 'single',
  open(file, _, context, cache) {
    const document = cache.get<Document | { problem: string }>(
      file,
      'json',
      'json search',
      context,
      (bytes) => {
        try {
          return { value: JSON.parse(decodeUtf8(bytes)) as unknown }
        } catch (error) {
          return { problem: `${file}: ${error instanceof Error ? error.message : 'not JSON'}` }
        }
      },
    )
    const opened = (found: Document | { problem: string }): Opened => {
      if ('problem' in found) return { error: 'failure', message: found.problem }
      return {
        find(key) {
          const selectors = context.ports.splitList(key).slice(0, mostSelectors)
          return show(
            selectors.reduce((value: unknown, one) => select(value, decodeUtf8(textOf(one))), found.value),
          )
        },
      }
    }
    return document instanceof Promise ? document.then(opened) : opened(document)
  },
}
