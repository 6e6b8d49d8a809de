/** What a reply of Redis is as the text of a lookup. Source: Exim manual, "More about Redis". */
import { fromBytes, type ByteString } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'

export interface ReplyOptions {
  /** `int=number`: integers as they are; else `true` or `false`, as Exim has them. */
  readonly integers: 'boolean' | 'number'
  /** `nil=fail`: no value is "not found"; else it is an empty one, as Exim has it. */
  readonly nil: 'empty' | 'fail'
}

export function mapReply(reply: unknown, options: ReplyOptions): LookupResult {
  if (reply === null || reply === undefined)
    return options.nil === 'fail' ? { is: 'none' } : { is: 'found', data: '', keep: false }
  if (typeof reply === 'number' || typeof reply === 'bigint') {
    if (options.integers === 'number') return { is: 'found', data: String(reply) }
    return { is: 'found', data: Number(reply) === 0 ? 'false' : 'true' }
  }
  if (!Array.isArray(reply)) return { is: 'found', data: scalar(reply) }
  // "REDIS: no data found" of Exim.
  if (reply.length === 0) return { is: 'none' }
  return { is: 'found', data: reply.flatMap(element).join('\n') }
}

/** One level of arrays within an array is spread out; what lies deeper is left out. */
function element(reply: unknown): ByteString[] {
  return Array.isArray(reply)
    ? reply.flatMap((inner: unknown) => (Array.isArray(inner) ? [] : [scalar(inner)]))
    : [scalar(reply)]
}

function scalar(reply: unknown): ByteString {
  if (reply instanceof Uint8Array) return fromBytes(reply)
  if (typeof reply === 'string' || typeof reply === 'number' || typeof reply === 'bigint')
    return String(reply)
  if (reply instanceof Error) return reply.message
  return ''
}
