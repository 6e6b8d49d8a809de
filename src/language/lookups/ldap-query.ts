/** Queries of LDAP lookups: settings, then a URL. Source: Exim manual, "Format of LDAP queries"; RFC 4516. */
import { slice, textOf, type ByteString, type TaintSpan, type Text } from '../../base/text.ts'

export interface LdapQuery {
  /** The settings before the URL, by name in capitals. */
  readonly settings: ReadonlyMap<string, ByteString>
  readonly scheme: 'ldap' | 'ldaps' | 'ldapi'
  /** Host and port, or the path of a socket; empty: the configured servers. */
  readonly place: ByteString
  readonly base: ByteString
  readonly attributes: readonly ByteString[]
  readonly scope: 'base' | 'one' | 'sub'
  readonly filter: ByteString
}

const names = new Set([
  'CONNECT',
  'DEREFERENCE',
  'NETTIME',
  'PASS',
  'REFERRALS',
  'SERVERS',
  'SIZE',
  'TIME',
  'USER',
])

export type ReadQuery = LdapQuery | { readonly problem: string }

/**
 * Takes a query apart. What came from outside never ends a setting, unless `${quote:` made it safe, and stands in the
 * URL only through `quote_ldap` or `quote_ldap_dn`.
 */
export function readLdapQuery(query: Text): ReadQuery {
  const settings = new Map<string, ByteString>()
  const text = textOf(query)
  const spans = typeof query === 'string' ? [] : query.spans
  const structural = (at: number): boolean => isOwn(spans, at)
  let at = 0
  for (;;) {
    while (at < text.length && isSpace(text, at)) at++
    const word = /^([A-Za-z]+)=/.exec(text.slice(at, at + 40))
    if (word === null) break
    const name = (word[1] ?? '').toUpperCase()
    if (!names.has(name)) return { problem: `unknown parameter "${word[0]}" precedes LDAP URL` }
    const value = readValue(text, at + word[0].length, structural)
    settings.set(name, value.value)
    at = value.end
  }
  const wrong = wrongSetting(settings)
  if (wrong !== undefined) return { problem: wrong }
  const url = slice(query, at)
  const unquoted = unquotedOf(url)
  if (unquoted !== undefined) return { problem: notQuoted(text, unquoted) }
  const read = readUrl(textOf(url))
  return 'problem' in read ? read : { settings, ...read }
}

/** What came from outside and could leave its place. Numbers and addresses of hosts, below the server, need no quotes. */
function unquotedOf(url: Text): TaintSpan | undefined {
  if (typeof url === 'string') return undefined
  const text = textOf(url)
  const path = /^[a-z]+:\/\/[^/?]*\//i.exec(text)?.[0].length ?? text.length
  return url.spans.find(
    ({ start, end, quoter }) =>
      !isLdapQuoter(quoter) && !(start >= path && /^[0-9a-f.:]*$/i.test(text.slice(start, end))),
  )
}

function isLdapQuoter(quoter: string | undefined): boolean {
  return quoter?.startsWith('ldap') === true
}

function isSpace(text: ByteString, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 32 || (code >= 9 && code <= 13)
}

/** Whether the byte may end or quote a value: the configuration's own, or written by `${quote:`. */
function isOwn(spans: readonly TaintSpan[], at: number): boolean {
  const span = spans.find(({ start, end }) => start <= at && at < end)
  return span === undefined || span.quoter === 'quote'
}

function readValue(
  text: ByteString,
  start: number,
  structural: (at: number) => boolean,
): { readonly value: ByteString; readonly end: number } {
  const quoted = text.charAt(start) === '"' && structural(start)
  let value = ''
  let at = quoted ? start + 1 : start
  while (at < text.length) {
    const char = text.charAt(at)
    if (structural(at)) {
      if (quoted ? char === '"' : isSpace(text, at)) break
      if (quoted && char === '\\' && at + 1 < text.length) at++
    }
    value += text.charAt(at)
    at++
  }
  return { value, end: quoted ? at + 1 : at }
}

/** Exim's words. */
function wrongSetting(settings: ReadonlyMap<string, ByteString>): string | undefined {
  const referrals = settings.get('REFERRALS')?.toLowerCase()
  if (referrals !== undefined && referrals !== 'follow' && referrals !== 'nofollow')
    return 'LDAP option REFERRALS is not "follow" or "nofollow"'
  const dereference = settings.get('DEREFERENCE')?.toLowerCase()
  if (dereference !== undefined && !['never', 'searching', 'finding', 'always'].includes(dereference))
    return 'LDAP option DEREFERENCE is not "never", "searching", "finding" or "always"'
  // The client library does not tell the server, which would then not follow aliases.
  if (dereference !== undefined && dereference !== 'never')
    return `LDAP option DEREFERENCE=${dereference} is not supported`
  for (const name of ['CONNECT', 'NETTIME', 'SIZE', 'TIME']) {
    const value = settings.get(name)
    if (value !== undefined && !/^\d{1,9}$/.test(value)) return `LDAP option ${name} is not a number`
  }
  return undefined
}

type Url = Omit<LdapQuery, 'settings'>

function readUrl(url: ByteString): Url | { readonly problem: string } {
  const match = /^(ldap|ldaps|ldapi):\/\/([^/?]*)(?:\/([\s\S]*))?$/i.exec(url)
  if (match === null) return { problem: 'malformed parameter setting precedes LDAP URL' }
  const [, scheme = '', place = '', rest = ''] = match
  const [base = '', attributes = '', scope = '', filter = ''] = rest.split('?')
  const kind = scope.toLowerCase()
  if (kind !== '' && kind !== 'base' && kind !== 'one' && kind !== 'sub')
    return { problem: `ldap_url_parse: (error 8) parsing "${url}"` }
  const parts = [place, base, filter, ...attributes.split(',')].map(unescaped)
  const [host = '', dn = '', wanted = '', ...columns] = parts.map((part) => part ?? '')
  if (parts.includes(undefined)) return { problem: `ldap_url_parse: (error 3) parsing "${url}"` }
  // The pattern lets no other word through.
  const known = scheme.toLowerCase() as LdapQuery['scheme']
  if (known === 'ldapi' && host !== '' && !host.startsWith('/'))
    return { problem: `ldapi requires an absolute path ("${host}" given)` }
  return {
    scheme: known,
    place: host,
    base: dn,
    attributes: columns.filter((column) => column !== ''),
    scope: kind === '' ? 'base' : kind,
    filter: wanted === '' ? '(objectClass=*)' : wanted,
  }
}

/** Percent escapes undone; undefined: a percent sign that begins none. */
export function unescaped(text: ByteString): ByteString | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}

function notQuoted(query: ByteString, span: TaintSpan): string {
  const inside = span.origin.startsWith('$') ? span.origin : 'what came from outside'
  const what = span.origin.startsWith('$') ? span.origin : '...'
  return (
    `tainted search query is not properly quoted: ${query} (${inside} must be written as ` +
    `'\${quote_ldap:${what}}' in a filter or '\${quote_ldap_dn:${what}}' in a name)`
  )
}

/** One value of an attribute in a list: commas are doubled. */
export function joinValues(values: readonly ByteString[]): ByteString {
  return values.map((value) => value.replaceAll(',', ',,')).join(',')
}

/** `name="value"`, as Exim shows an entry with several attributes. */
export function showAttribute(name: ByteString, values: readonly ByteString[]): ByteString {
  const text = joinValues(values).replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')
  return `${name}="${text}"`
}
