/** What is remembered of a failing host, address or domain. Source: Exim manual, "Retry configuration". */
import type { ByteString } from '../../../base/text.ts'
import type { Hints } from '../../../ports.ts'

/** Times in milliseconds since 1970. */
export interface RetryRecord {
  readonly firstFailedAt: number
  readonly lastTriedAt: number
  readonly nextTryAt: number
  /** The last rule's cutoff is past. */
  readonly expired: boolean
  readonly errno: number
  readonly more: number
  readonly text: ByteString
}

/** The record under a key, unless it is older than `retry_data_expire`. */
export function readRetry(
  hints: Hints,
  key: string,
  now: number,
  expireSeconds: number,
): RetryRecord | undefined {
  const value = hints.get('retry', key)
  if (!isRetryRecord(value)) return undefined
  return now - value.lastTriedAt > expireSeconds * 1000 ? undefined : value
}

/** Hints may be of another version or damaged: what does not look like a record is none. */
export function isRetryRecord(value: unknown): value is RetryRecord {
  if (typeof value !== 'object' || value === null) return false
  const has = (name: string, type: string): boolean => typeof Reflect.get(value, name) === type
  return (
    has('firstFailedAt', 'number') &&
    has('lastTriedAt', 'number') &&
    has('nextTryAt', 'number') &&
    has('expired', 'boolean') &&
    has('errno', 'number') &&
    has('more', 'number') &&
    has('text', 'string')
  )
}

/**
 * `T:name:address`, with the port when it is not the usual one, and `/` with the address of ours that is to be used; without
 * the address when it is not to count.
 */
export function hostRetryKey(
  name: string,
  address: string | undefined,
  port: number,
  usualPort: number,
  localAddress: string | undefined,
): string {
  const place = address === undefined ? '' : `:${address}`
  const from = localAddress === undefined ? '' : `/${localAddress}`
  return `T:${name.toLowerCase()}${place}${port === usualPort ? '' : `:${port}`}${from}`
}

/** Of an error that concerns one message at one host. */
export function messageRetryKey(hostKey: string, id: string): string {
  return `${hostKey}:${id}`
}

/** Of routing a domain, or an address when the router looks at local parts. */
export function routingRetryKey(subject: string): string {
  return `R:${subject.toLowerCase()}`
}

/** Of a recipient that another server refused for now; with the sender unless told otherwise. */
export function recipientRetryKey(address: string, sender: string | undefined): string {
  return sender === undefined ? `R:${address}` : `R:${address}:<${sender}>`
}

/** Of a local delivery. */
export function localRetryKey(address: string): string {
  return `T:${address}`
}
