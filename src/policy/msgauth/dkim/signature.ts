/** Reads a DKIM-Signature: header. Sources: RFC 6376 sections 3.5 and 6.1.1, RFC 8301, RFC 8463. */
import type { ByteString } from '../../../base/text.ts'
import type { Canonicalisation, HashName } from './body-hash.ts'
import { canonicalHeader } from './headers.ts'
import { base64Bytes, fromQuotedPrintable, parseTags, type TagList, withoutSpace } from './tags.ts'

/** What a signature says of itself. Where something is missing or wrong, `fault` tells what; the rest is as far as it can be read. */
export interface ReadSignature {
  readonly text: ByteString
  readonly fault: ByteString | undefined
  readonly keyType: ByteString
  readonly hash: ByteString
  readonly canonHeaders: Canonicalisation
  readonly canonBody: Canonicalisation
  readonly domain: ByteString
  readonly selector: ByteString
  readonly identity: ByteString
  /** -1: none. */
  readonly bodyLength: number
  readonly created: number | undefined
  readonly expires: number | undefined
  /** As they stand, and in lower case. */
  readonly headerNames: readonly ByteString[]
  readonly lowerNames: readonly ByteString[]
  readonly copiedHeaders: ByteString
  readonly bodyHash: Buffer | undefined
  readonly signature: Buffer | undefined
  readonly signatureText: ByteString
  /** Where the value of `b=` stands in the text. */
  readonly hole: { readonly start: number; readonly end: number }
}

export const wrongTag = 'signature tag missing or invalid'
const longestHeader = 65_536
const mostNames = 500

/**
 * Tags that DKIM-Signature and ARC-Message-Signature differ in.
 * @param versioned `v=1` must be there
 * @param identified `i=` is an identity of the domain
 */
export interface SignatureKind {
  readonly versioned: boolean
  readonly identified: boolean
}
export const dkimKind: SignatureKind = { versioned: true, identified: true }

/** @param text the whole header, LF line ends */
export function readSignature(text: ByteString, kind: SignatureKind = dkimKind): ReadSignature {
  const colon = text.indexOf(':')
  const body = text.slice(colon + 1)
  const list = text.length > longestHeader ? undefined : parseTags(body)
  const tags: TagList = list?.tags ?? new Map()
  const value = (name: string): ByteString | undefined => tags.get(name)?.value
  const [keyType, hash] = split(withoutSpace(value('a') ?? ''), '-')
  const canon = canonicalisations(value('c'))
  const b = tags.get('b')
  const domain = withoutSpace(value('d') ?? '')
  const identity = kind.identified ? fromQuotedPrintable(value('i') ?? '') : ''
  const headerNames = withoutSpace(value('h') ?? '')
    .split(':')
    .filter((name) => name !== '')
    .slice(0, mostNames + 1)
  const read = {
    text,
    keyType,
    hash,
    canonHeaders: canon?.headers ?? 'simple',
    canonBody: canon?.body ?? 'simple',
    domain,
    selector: withoutSpace(value('s') ?? ''),
    identity,
    bodyLength: number(value('l')) ?? -1,
    created: number(value('t')),
    expires: number(value('x')),
    headerNames: value('h') === undefined ? [] : headerNames,
    lowerNames: headerNames.map((name) => name.toLowerCase()),
    copiedHeaders: fromQuotedPrintable(withoutSpace(value('z') ?? '')),
    bodyHash: base64Bytes(value('bh') ?? ''),
    signature: base64Bytes(b?.value ?? ''),
    signatureText: withoutSpace(b?.value ?? ''),
    hole: { start: colon + 1 + (b?.start ?? 0), end: colon + 1 + (b?.end ?? 0) },
  } as const
  const broken = list === undefined || list.fault !== undefined
  const fault = broken ? wrongTag : faultOf(tags, read, canon !== undefined, kind)
  return { ...read, fault }
}

type Readable = Omit<ReadSignature, 'fault'>

/** RFC 6376 section 6.1.1, in its order. */
function faultOf(
  tags: TagList,
  read: Readable,
  canonKnown: boolean,
  kind: SignatureKind,
): ByteString | undefined {
  if (kind.versioned) {
    const version = tags.get('v')?.value
    if (version === undefined) return wrongTag
    if (version !== '1') return 'unsupported DKIM version'
  }
  if (read.keyType === '' || read.hash === '') return wrongTag
  if (!isDomain(read.domain) || !isSelector(read.selector)) return wrongTag
  if (read.signature === undefined || read.bodyHash === undefined) return wrongTag
  if (read.headerNames.length === 0 || read.headerNames.length > mostNames) return wrongTag
  if (read.headerNames.some((name) => !/^[!-9<-~]+$/.test(name))) return wrongTag
  if (!canonKnown) return wrongTag
  for (const name of ['l', 't', 'x']) {
    const tag = tags.get(name)
    if (tag !== undefined && number(tag.value) === undefined) return wrongTag
  }
  const methods = tags.get('q')?.value
  if (
    methods !== undefined &&
    !withoutSpace(methods)
      .split(':')
      .some((one) => one.toLowerCase() === 'dns/txt')
  ) {
    return 'no known query method'
  }
  if (read.expires !== undefined && read.created !== undefined && read.expires <= read.created) {
    return 'expiry before creation'
  }
  if (kind.identified && tags.has('i') && !isWithin(read.identity, read.domain)) {
    return 'identity not of the signing domain'
  }
  return undefined
}

/** The domain of an identity is the signing domain or below it. */
function isWithin(identity: ByteString, domain: ByteString): boolean {
  const at = identity.lastIndexOf('@')
  if (at < 0) return false
  const of = identity.slice(at + 1).toLowerCase()
  const signing = domain.toLowerCase()
  return of === signing || of.endsWith(`.${signing}`)
}

function canonicalisations(
  value: ByteString | undefined,
): { readonly headers: Canonicalisation; readonly body: Canonicalisation } | undefined {
  if (value === undefined) return { headers: 'simple', body: 'simple' }
  const [headers = '', body = 'simple', more] = withoutSpace(value).toLowerCase().split('/')
  if (more !== undefined || !isCanonicalisation(headers) || !isCanonicalisation(body)) return undefined
  return { headers, body }
}

function isCanonicalisation(word: string): word is Canonicalisation {
  return word === 'simple' || word === 'relaxed'
}

export function isHash(word: ByteString): word is HashName {
  return word === 'sha1' || word === 'sha256' || word === 'sha512'
}

/** At most twelve digits: what a time or a size can be, and what a number can hold. RFC 6376 section 3.5. */
function number(value: ByteString | undefined): number | undefined {
  return value !== undefined && /^\d{1,12}$/.test(value) ? Number(value) : undefined
}

function split(text: ByteString, separator: string): [ByteString, ByteString] {
  const at = text.indexOf(separator)
  return at < 0
    ? [text.toLowerCase(), '']
    : [text.slice(0, at).toLowerCase(), text.slice(at + 1).toLowerCase()]
}

/** Labels of letters, digits, hyphens and underscores, or UTF-8; at least two of them. */
export function isDomain(text: ByteString): boolean {
  return (
    text.length <= 253 &&
    /^(?:[\w\x80-\xff](?:[\w\x80-\xff-]{0,61}[\w\x80-\xff])?\.)+[\w\x80-\xff](?:[\w\x80-\xff-]{0,61}[\w\x80-\xff])?$/.test(
      text,
    )
  )
}

export function isSelector(text: ByteString): boolean {
  return (
    text.length <= 253 &&
    /^[\w\x80-\xff](?:[\w\x80-\xff-]{0,61}[\w\x80-\xff])?(?:\.[\w\x80-\xff](?:[\w\x80-\xff-]{0,61}[\w\x80-\xff])?)*$/.test(
      text,
    )
  )
}

/** The signature's own header as it was when it was signed: `b=` empty, no line end. RFC 6376 section 3.7. */
export function unsignedHeader(read: Pick<ReadSignature, 'text' | 'hole' | 'canonHeaders'>): ByteString {
  const { text, hole } = read
  return canonicalHeader(text.slice(0, hole.start) + text.slice(hole.end), read.canonHeaders)
}
