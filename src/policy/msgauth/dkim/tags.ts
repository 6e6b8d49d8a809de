/** Tag lists: `v=1; a=rsa-sha256; ...`. Source: RFC 6376 section 3.2. */
import type { ByteString } from '../../../base/text.ts'

export interface Tag {
  /** Outer white space and folding gone. */
  readonly value: ByteString
  /** Where the value stands in the text, with the white space around it. */
  readonly start: number
  readonly end: number
}

export type TagList = ReadonlyMap<string, Tag>

export interface Tags {
  readonly tags: TagList
  /** What is wrong with the list; the tags are those before the fault. */
  readonly fault: string | undefined
}

const mostTags = 60

/** Reads a list; the same tag twice, an empty one or a strange character make all of it void. */
export function parseTags(text: ByteString): Tags {
  const tags = new Map<string, Tag>()
  let at = 0
  while (at <= text.length) {
    const semicolon = text.indexOf(';', at)
    const end = semicolon < 0 ? text.length : semicolon
    const spec = text.slice(at, end)
    if (trimmed(spec) === '') {
      // Nothing may follow the last semicolon; nothing else may be missing.
      if (semicolon < 0 && tags.size > 0) break
      return { tags, fault: 'an empty tag' }
    }
    const equals = spec.indexOf('=')
    const name = trimmed(spec.slice(0, equals < 0 ? spec.length : equals))
    if (equals < 0 || !/^[a-zA-Z]\w*$/.test(name)) return { tags, fault: 'not a tag' }
    if (tags.has(name)) return { tags, fault: `tag ${name} twice` }
    if (tags.size === mostTags) return { tags, fault: 'too many tags' }
    const value = spec.slice(equals + 1)
    // VALCHAR, and the bytes of UTF-8: RFC 8616 section 5.
    if (/[^\t\n\r\x20-\x7e\x80-\xff]/.test(value))
      return { tags, fault: `a control character in tag ${name}` }
    tags.set(name, { value: unfolded(value), start: at + equals + 1, end })
    if (semicolon < 0) break
    at = semicolon + 1
  }
  return { tags, fault: undefined }
}

/** Folding inside a value goes; white space stays one by one. */
function unfolded(value: ByteString): ByteString {
  return trimmed(value.includes('\n') ? value.replace(/\r?\n(?=[ \t])/g, '') : value)
}

/** Without the white space of mail at both ends; `trim` would take bytes of UTF-8 with it. */
function trimmed(text: ByteString): ByteString {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 32 || code === 9 || code === 10 || code === 13
}

/** A value of which white space is no part: base64, lists of names, domains. */
export function withoutSpace(value: ByteString): ByteString {
  return /[ \t\r\n]/.test(value) ? value.replace(/[ \t\r\n]+/g, '') : value
}

/** Bytes of a base64 value; undefined when it is none. */
export function base64Bytes(value: ByteString): Buffer | undefined {
  const text = withoutSpace(value)
  if (text === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  return Buffer.from(text, 'base64')
}

/** `=20` and the like to bytes: RFC 6376 section 2.11. */
export function fromQuotedPrintable(value: ByteString): ByteString {
  if (!value.includes('=')) return value
  return value.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
