/**
 * Domains of the addresses in the body of a From: header. Reads what RFC 5322 section 3.4 allows and names like
 * `[List] News` that everybody writes; anything in which another reader could see another address is a problem.
 */
import type { ByteString } from '../../../base/text.ts'

export type Mailboxes = { readonly domains: readonly ByteString[] } | { readonly problem: string }

const DEEPEST_COMMENT = 20

type Token =
  /** Characters up to the next special one. */
  | { readonly is: 'atom'; readonly text: ByteString }
  | { readonly is: 'quoted' }
  /** White space or comment. */
  | { readonly is: 'gap' }
  | { readonly is: 'special'; readonly text: string }

export function readMailboxes(body: ByteString, most: number): Mailboxes {
  const tokens = tokensOf(body)
  if (typeof tokens === 'string') return { problem: tokens }
  const domains: ByteString[] = []
  let start = 0
  for (let i = 0; i <= tokens.length; i++) {
    const token = tokens[i]
    const ends = token === undefined || (token.is === 'special' && token.text === ',')
    if (!ends) continue
    const piece = tokens.slice(start, i)
    start = i + 1
    const found = readPiece(piece)
    if (typeof found === 'string') return { problem: found }
    domains.push(...found)
    if (domains.length > most) return { problem: 'too many addresses' }
  }
  return { domains }
}

function tokensOf(body: ByteString): Token[] | string {
  const tokens: Token[] = []
  const gap = /(?:\r?\n(?=[ \t])|[ \t]|\r?\n$)+/y
  const atom = /[^\x00-\x20\x7f()<>@,;:\\"]+/y
  let at = 0
  let angle = false
  while (at < body.length) {
    const char = body[at] ?? ''
    gap.lastIndex = at
    atom.lastIndex = at
    const white = gap.exec(body)?.[0]
    const word = atom.exec(body)?.[0]
    if (white !== undefined) {
      tokens.push({ is: 'gap' })
      at += white.length
    } else if (word !== undefined) {
      tokens.push({ is: 'atom', text: word })
      at += word.length
    } else if (char === '"') {
      const end = endOfQuoted(body, at)
      if (end === undefined) return 'a quoted string that does not end'
      tokens.push({ is: 'quoted' })
      at = end
    } else if (char === '(') {
      const end = endOfComment(body, at)
      if (end === undefined) return 'a comment that does not end'
      tokens.push({ is: 'gap' })
      at = end
    } else if ('<>@,;:'.includes(char)) {
      if (char === '<' && angle) return 'an angle bracket within angle brackets'
      if (char === '>' && !angle) return 'an angle bracket that nothing opens'
      if (char === '<' || char === '>') angle = char === '<'
      // The commas of a route do not separate addresses.
      const inRoute = angle && char === ','
      tokens.push({ is: 'special', text: inRoute ? 'route,' : char })
      at++
    } else return 'a character that does not belong there'
  }
  return angle ? 'an angle bracket that does not close' : tokens
}

/** Just after the closing quote. Control characters in it have no place: readers differ in what they show. */
function endOfQuoted(body: ByteString, open: number): number | undefined {
  for (let at = open + 1; at < body.length; at++) {
    const char = body[at] ?? ''
    if (char === '"') return at + 1
    if (char === '\\') at++
    if (/[\x00\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(body[at] ?? '')) return undefined
  }
  return undefined
}

function endOfComment(body: ByteString, open: number): number | undefined {
  let depth = 0
  for (let at = open; at < body.length; at++) {
    const char = body[at] ?? ''
    if (char === '\\') at++
    else if (char === '(' && ++depth > DEEPEST_COMMENT) return undefined
    else if (char === ')' && --depth === 0) return at + 1
    if (/[\x00\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(body[at] ?? '')) return undefined
  }
  return undefined
}

/** One item of the list: an address, `phrase <address>`, the beginning or end of a group. Its domains, or a problem. */
function readPiece(piece: readonly Token[]): ByteString[] | string {
  const tokens = withoutGroup(piece)
  if (typeof tokens === 'string') return tokens
  const solid = tokens.filter((token) => token.is !== 'gap')
  if (solid.length === 0) return piece.some((token) => token.is === 'special') ? [] : 'an empty item'
  const open = tokens.findIndex((token) => isSpecial(token, '<'))
  if (open < 0) return readAddress(trimmed(tokens))
  const close = tokens.findIndex((token) => isSpecial(token, '>'))
  if (tokens.slice(close + 1).some((token) => token.is !== 'gap')) return 'text after an address'
  const address = readAddress(trimmed(withoutRoute(tokens.slice(open + 1, close))))
  if (typeof address === 'string') return address
  const named = domainInPhrase(tokens.slice(0, open))
  if (typeof named === 'string') return named
  return [...address, ...named]
}

/** `name: members;` of RFC 6854: the name and the semicolon go. */
function withoutGroup(piece: readonly Token[]): readonly Token[] | string {
  const angle = piece.findIndex((token) => isSpecial(token, '<'))
  const head = angle < 0 ? piece : piece.slice(0, angle)
  const colon = head.findIndex((token) => isSpecial(token, ':'))
  let rest = piece
  if (colon >= 0) {
    if (head.slice(0, colon).some((token) => token.is === 'special')) return 'an address before a colon'
    rest = piece.slice(colon + 1)
  }
  const end = rest.findIndex((token) => isSpecial(token, ';'))
  if (end < 0) return rest
  if (rest.slice(end + 1).some((token) => token.is !== 'gap')) return 'text after a group'
  return rest.slice(0, end)
}

/** `@a,@b:` before the address, which is to be ignored: RFC 5322 section 4.4. */
function withoutRoute(tokens: readonly Token[]): readonly Token[] {
  const first = tokens.find((token) => token.is !== 'gap')
  if (first === undefined || !isSpecial(first, '@')) return tokens
  const colon = tokens.findIndex((token) => isSpecial(token, ':'))
  return colon < 0 ? tokens : tokens.slice(colon + 1)
}

/** `local@domain` without anything between: white space and comments there are read in different ways. */
function readAddress(tokens: readonly Token[]): ByteString[] | string {
  const at = tokens.findIndex((token) => isSpecial(token, '@'))
  if (at <= 0) return 'no address'
  const local = tokens.slice(0, at)
  const [domain, ...more] = tokens.slice(at + 1)
  if (domain?.is !== 'atom' || more.length > 0) return 'a malformed domain'
  if (!local.every((token) => token.is === 'atom' || token.is === 'quoted')) return 'a malformed local part'
  return [domain.text]
}

/** An address in a display name is shown by some readers as the sender: its domain counts as well. */
function domainInPhrase(tokens: readonly Token[]): ByteString[] | string {
  const found: ByteString[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.is !== 'special') continue
    if (token.text !== '@') return 'a special character in a name'
    const domain = tokens[index + 1]
    if (domain?.is !== 'atom') return 'a malformed address in a name'
    found.push(domain.text)
  }
  return found
}

function isSpecial(token: Token, text: string): boolean {
  return token.is === 'special' && token.text === text
}

function trimmed(tokens: readonly Token[]): readonly Token[] {
  const from = tokens.findIndex((token) => token.is !== 'gap')
  const to = tokens.findLastIndex((token) => token.is !== 'gap')
  return from < 0 ? [] : tokens.slice(from, to + 1)
}
