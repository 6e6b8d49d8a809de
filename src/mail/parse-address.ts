/**
 * Reads one mail address in the forms of RFC 5322 and RFC 5321, with Exim's words for what is wrong.
 * Source: RFC 5322 section 3.4, RFC 5321 section 4.1.2; Exim manual, "RFC 2822 addresses" and what Exim 4.96 accepts.
 */
import type { ByteString } from '../base/text.ts'

export interface ParseAddressOptions {
  /** `<>` is an address (of MAIL). */
  readonly allowNull?: boolean
  /** `user@[192.0.2.1]`. Left out: allowed. */
  readonly allowDomainLiterals?: boolean
  /** False: domain literals are not allowed in angle brackets, as Exim's expansion operators have it. */
  readonly literalsInAngles?: boolean
  /** Bytes over 127 in domains (`allow_utf8_domains`, SMTPUTF8). */
  readonly allowUtf8Domains?: boolean
  /** A dot after the domain is dropped (`strip_trailing_dot`). */
  readonly stripTrailingDot?: boolean
  /** `<<user@domain>>` is `<user@domain>` (`strip_excess_angle_brackets`). */
  readonly stripAngleBrackets?: boolean
}

export type ParsedAddress =
  | {
      readonly is: 'address'
      /** Without comments, white space and route; quotes of the local part stay. */
      readonly address: ByteString
      readonly localPart: ByteString
      /** Empty for an unqualified address; case as written. */
      readonly domain: ByteString
      /** Where the working part (`local@domain` itself) stands in the text. */
      readonly start: number
      readonly end: number
    }
  | { readonly is: 'error'; readonly message: ByteString }

/** Comments may be nested in one another so deep: beyond it is no address. */
const commentDepthLimit = 50
const specials = new Set('()<>@,;:"[]')

/** Reads the text as one address; what follows it must be nothing but white space and comments. */
export function parseAddress(text: ByteString, options: ParseAddressOptions = {}): ParsedAddress {
  const start = skipComments(text, 0)
  if (start >= text.length) return error('empty address')
  const found = readMailbox(text, start, options)
  if (found.is === 'error') return found
  const rest = skipComments(text, found.next)
  if (rest < text.length) {
    return error(`malformed address: ${text.slice(rest, rest + 32)} may not follow ${text.slice(0, rest)}`)
  }
  return found.parsed
}

/**
 * End of the address that begins at `start` in a list: the comma, or a newline when asked, or the end of the text.
 * Commas in quotes, comments, angle brackets and domain literals do not count. Within a group a semicolon ends it too.
 */
export function endOfAddress(
  text: ByteString,
  start: number,
  newlineEnds: boolean,
  semicolonEnds: boolean = false,
): number {
  let depth = 0
  let angle = false
  for (let i = start; i < text.length; i++) {
    const c = text[i]
    if (c === '\\') i++
    else if (depth > 0) {
      if (c === '(') depth++
      if (c === ')') depth--
    } else if (c === '"') {
      i = endOfQuoted(text, i) - 1
    } else if (c === '(') depth = 1
    else if (c === '<') angle = true
    else if (c === '>') angle = false
    else if (!angle && (c === ',' || (c === ';' && semicolonEnds))) return i
    else if (c === '\n' && newlineEnds) return i
  }
  return text.length
}

interface Mailbox {
  readonly is: 'mailbox'
  readonly parsed: ParsedAddress & { readonly is: 'address' }
  readonly next: number
}
type Failed = { readonly is: 'error'; readonly message: ByteString }

function error(message: ByteString): Failed {
  return { is: 'error', message }
}

/** `local@domain`, `local`, `phrase <local@domain>`, or with a route before it. */
function readMailbox(text: ByteString, start: number, options: ParseAddressOptions): Mailbox | Failed {
  if (text[start] === '@') return readAddrSpec(text, start, options)
  const local = readLocalPart(text, start)
  if (local.is === 'error') return local
  const at = text[local.next]
  if (at === '@' || at === undefined || at === ';') {
    if (local.word === '') return error('missing or malformed local part (expected word or "<")')
    return readAddrSpec(text, start, options)
  }
  const open = skipPhrase(text, local.next)
  if (text[open] !== '<') return error('missing or malformed local part (expected word or "<")')
  return readAngle(text, open, options)
}

function readAngle(text: ByteString, open: number, options: ParseAddressOptions): Mailbox | Failed {
  let pairs = 1
  while (options.stripAngleBrackets === true && text[open + pairs] === '<') pairs++
  const inside = skipComments(text, open + pairs)
  if (text[inside] === '>') {
    const close = closeAngles(text, inside, pairs)
    if (close === undefined) return error("'>' missing at end of address")
    if (options.allowNull !== true) return error('missing or malformed local part')
    const parsed = {
      is: 'address',
      address: '',
      localPart: '',
      domain: '',
      start: inside,
      end: inside,
    } as const
    return { is: 'mailbox', parsed, next: close }
  }
  const found = readAddrSpec(
    text,
    inside,
    options.literalsInAngles === false ? { ...options, allowDomainLiterals: false } : options,
  )
  if (found.is === 'error') return found
  const close = skipComments(text, found.next)
  if (text[close] !== '>') {
    const { localPart, domain } = found.parsed
    if (domain !== '' && close >= text.length) return error("'>' missing at end of address")
    if (domain === '') return error(`"@" or "." expected after "${localPart}"`)
    return error(`malformed address: ${text.slice(close, close + 32)} may not follow ${text.slice(0, close)}`)
  }
  const next = closeAngles(text, close, pairs)
  return next === undefined ? error("'>' missing at end of address") : { ...found, next }
}

/** After so many closing brackets side by side; undefined: there are fewer. */
function closeAngles(text: ByteString, first: number, count: number): number | undefined {
  for (let i = 0; i < count; i++) if (text[first + i] !== '>') return undefined
  return first + count
}

/** An optional source route, which is dropped (RFC 5321 appendix C), and the address. */
function readAddrSpec(text: ByteString, from: number, options: ParseAddressOptions): Mailbox | Failed {
  let start = from
  while (text[start] === '@') {
    const domain = readDomain(text, start + 1, options)
    if (domain.is === 'error') return domain
    const after = skipComments(text, domain.next)
    if (text[after] === ',') start = skipComments(text, after + 1)
    else if (text[after] === ':') {
      start = skipComments(text, after + 1)
      break
    } else return error('no local part')
  }
  const local = readLocalPart(text, start)
  if (local.is === 'error') return local
  if (local.word === '') return error('missing or malformed local part')
  // RFC 5321 section 4.1.2: none may stand even in a quoted local part. A tab is let pass.
  // Differs from Exim, which takes them: a bare CR would go into headers, mailboxes and the commands to the next host.
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(local.word)) return error('control character in local part')
  if (text[local.next] !== '@' && start > from) return error('domain missing in source-routed address')
  if (text[local.next] !== '@') return mailbox(local.word, '', start, local.end, local.next)
  const domain = readDomain(text, local.next + 1, options)
  if (domain.is === 'error') return domain
  return mailbox(local.word, domain.word, start, domain.end, domain.next)
}

function mailbox(
  localPart: ByteString,
  domain: ByteString,
  start: number,
  end: number,
  next: number,
): Mailbox {
  const address = domain === '' ? localPart : `${localPart}@${domain}`
  return { is: 'mailbox', next, parsed: { is: 'address', address, localPart, domain, start, end } }
}

interface Word {
  readonly is: 'word'
  readonly word: ByteString
  /** Just after the last character that belongs to it. */
  readonly end: number
  /** After white space and comments that follow. */
  readonly next: number
}

/** Atoms and quoted strings with dots between; Exim takes dots at the ends and doubled ones too. */
function readLocalPart(text: ByteString, start: number): Word | Failed {
  let word = ''
  let i = start
  let end = start
  for (;;) {
    const before = i
    if (text[i] === '"') {
      i = endOfQuoted(text, i)
      if (text[i - 1] !== '"' || i - before < 2) return error('unmatched doublequote in local part')
    } else {
      while (i < text.length && isAtomByte(text[i] ?? ''))
        i += text[i] === '\\' && i + 1 < text.length ? 2 : 1
    }
    word += text.slice(before, i)
    if (i > before) end = i
    const next = skipComments(text, i)
    if (text[next] !== '.') return { is: 'word', word, end, next }
    word += '.'
    end = next + 1
    i = skipComments(text, end)
  }
}

function isAtomByte(c: string): boolean {
  return c > ' ' && c !== '\x7f' && c !== '.' && !specials.has(c)
}

/** The position after the closing quote; the end of the text when there is none. */
function endOfQuoted(text: ByteString, open: number): number {
  for (let i = open + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '"') return i + 1
  }
  return text.length
}

function skipPhrase(text: ByteString, start: number): number {
  let i = skipComments(text, start)
  for (;;) {
    const c = text[i]
    if (c === '"') i = endOfQuoted(text, i)
    else if (c !== undefined && (isAtomByte(c) || c === '.')) i++
    else return i
    i = skipComments(text, i)
  }
}

function readDomain(text: ByteString, from: number, options: ParseAddressOptions): Word | Failed {
  const start = skipComments(text, from)
  if (text[start] === '[') return readLiteral(text, start, options)
  const label =
    options.allowUtf8Domains === true
      ? /[A-Za-z0-9\x80-\xff][-A-Za-z0-9\x80-\xff]*/y
      : /[A-Za-z0-9][-A-Za-z0-9]*/y
  let word = ''
  let i = start
  for (;;) {
    label.lastIndex = i
    const match = label.exec(text)
    if (match === null) {
      if (options.stripTrailingDot !== true || word === '' || text[i] === '.')
        return error('domain missing or malformed')
      return { is: 'word', word: word.slice(0, -1), end: i, next: skipComments(text, i) }
    }
    word += match[0]
    const end = i + match[0].length
    const next = skipComments(text, end)
    if (text[next] !== '.') return { is: 'word', word, end, next }
    word += '.'
    i = skipComments(text, next + 1)
  }
}

function readLiteral(text: ByteString, start: number, options: ParseAddressOptions): Word | Failed {
  if (options.allowDomainLiterals === false) return error('domain literals not allowed')
  const match = /^\[(?:IPv6:)?[A-Fa-f0-9:.]*\]/i.exec(text.slice(start, start + 80))
  if (match === null) return error('malformed domain literal')
  const end = start + match[0].length
  return { is: 'word', word: match[0], end, next: skipComments(text, end) }
}

/** Over white space and comments; a comment that is not closed reaches to the end. */
function skipComments(text: ByteString, start: number): number {
  let i = start
  let depth = 0
  for (; i < text.length; i++) {
    const c = text[i]
    if (depth === 0 && c !== '(' && !(c === ' ' || c === '\t' || c === '\n' || c === '\r')) return i
    if (c === '\\' && depth > 0) i++
    else if (c === '(' && ++depth > commentDepthLimit) return text.length
    else if (c === ')') depth--
  }
  return text.length
}
