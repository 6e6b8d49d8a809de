/** DMARC records. Sources: RFC 9989 sections 4.7 and 4.8; RFC 7489 sections 6.3 and 6.4; RFC 6376 section 3.2. */
import type { ByteString } from '../../../base/text.ts'
import type { DmarcPolicy, DmarcRecord, ReportUri } from '../../../mail/dmarc-facts.ts'

export type DmarcMode = 'rfc7489' | 'rfc9989'

/** No more report addresses of one record are looked at. */
const MOST_URIS = 20

/** True for a TXT record that says it is a DMARC record; all others are to be ignored. */
export function isDmarcRecord(text: ByteString): boolean {
  return /^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text) || /^V[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text)
}

/** Tags and values in their order; undefined when a tag is there twice, which voids the list (RFC 6376 section 3.2). */
export function parseTags(text: ByteString): Map<string, ByteString> | undefined {
  const tags = new Map<string, ByteString>()
  for (const piece of text.split(';')) {
    const match = /^[ \t]*([A-Za-z]+)[ \t]*=([\x20-\x7e\t]*)$/.exec(piece)
    // A piece that is no tag is discarded: RFC 9989 section 4.8.
    if (match === null) continue
    const name = (match[1] ?? '').toLowerCase()
    if (tags.has(name)) return undefined
    tags.set(name, (match[2] ?? '').trim())
  }
  return tags
}

/** @param text a record for which `isDmarcRecord` holds */
export function parseRecord(text: ByteString, mode: DmarcMode): DmarcRecord {
  const tags = parseTags(text)
  if (tags === undefined) return unusable('a tag is given twice')
  const p = policyOf(tags.get('p'))
  const record = {
    p: mode === 'rfc7489' && [...tags.keys()][1] !== 'p' ? undefined : p,
    sp: policyOf(tags.get('sp')),
    np: mode === 'rfc7489' ? undefined : policyOf(tags.get('np')),
    adkim: oneOf(tags.get('adkim'), ['r', 's'], 'r'),
    aspf: oneOf(tags.get('aspf'), ['r', 's'], 'r'),
    fo: failureOptions(tags.get('fo')),
    rua: reportUris(tags.get('rua')),
    ruf: reportUris(tags.get('ruf')),
    psd: mode === 'rfc7489' ? 'u' : oneOf(tags.get('psd'), ['y', 'n', 'u'], 'u'),
    testing: mode === 'rfc9989' && oneOf(tags.get('t'), ['y', 'n'], 'n') === 'y',
    pct: mode === 'rfc7489' ? percentage(tags.get('pct')) : 100,
    unusable: undefined,
  } as const
  // RFC 9989 section 4.10.1; RFC 7489 section 6.6.3 step 6, which does not know np.
  const invalid = invalidPolicy(tags, record, mode)
  if (invalid === undefined) return record
  if (record.rua.length > 0) return { ...record, p: 'none', sp: undefined, np: undefined }
  return { ...record, unusable: invalid }
}

function invalidPolicy(
  tags: ReadonlyMap<string, ByteString>,
  record: Pick<DmarcRecord, 'p' | 'sp' | 'np'>,
  mode: DmarcMode,
): DmarcRecord['unusable'] {
  for (const name of mode === 'rfc7489' ? (['sp'] as const) : (['sp', 'np'] as const)) {
    if (tags.has(name) && record[name] === undefined) {
      return { result: 'permerror', problem: `invalid ${name}` }
    }
  }
  if (record.p !== undefined) return undefined
  if (tags.has('p')) {
    const misplaced = policyOf(tags.get('p')) !== undefined
    return { result: 'permerror', problem: misplaced ? 'p does not follow v' : 'invalid p' }
  }
  return { result: 'none', problem: 'neither p nor rua' }
}

function unusable(problem: string): DmarcRecord {
  return {
    p: undefined,
    sp: undefined,
    np: undefined,
    adkim: 'r',
    aspf: 'r',
    fo: ['0'],
    rua: [],
    ruf: [],
    psd: 'u',
    testing: false,
    pct: 100,
    unusable: { result: 'permerror', problem },
  }
}

function policyOf(value: ByteString | undefined): DmarcPolicy | undefined {
  const word = value?.toLowerCase()
  return word === 'none' || word === 'quarantine' || word === 'reject' ? word : undefined
}

function oneOf<T extends string>(value: ByteString | undefined, words: readonly T[], otherwise: T): T {
  return words.find((word) => word === value?.toLowerCase()) ?? otherwise
}

/** `0` or `1` at most once, `d` and `s` at most once each. */
function failureOptions(value: ByteString | undefined): string[] {
  const words = (value ?? '0').toLowerCase().split(':')
  const known = words.every((word) => /^[01ds]$/.test(word)) && new Set(words).size === words.length
  return known && !(words.includes('0') && words.includes('1')) ? words : ['0']
}

function percentage(value: ByteString | undefined): number {
  return value !== undefined && /^\d{1,3}$/.test(value) && Number(value) <= 100 ? Number(value) : 100
}

/** The URIs that can be read; a malformed one is skipped. */
export function reportUris(value: ByteString | undefined): ReportUri[] {
  const uris: ReportUri[] = []
  for (const item of (value ?? '').split(',')) {
    const uri = reportUri(item.trim())
    if (uri !== undefined && uris.length < MOST_URIS) uris.push(uri)
  }
  return uris
}

function reportUri(text: ByteString): ReportUri | undefined {
  const match =
    /^(([A-Za-z][A-Za-z0-9+.-]*):([A-Za-z0-9\-._~:/?#[\]@$&'()*+;=%]+))(?:!(\d{1,12})([kmgtKMGT]?))?$/.exec(
      text,
    )
  if (match === null) return undefined
  const [, uri = '', scheme = '', rest = '', size, unit = ''] = match
  const power = ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase())
  const head = { uri, maxBytes: size === undefined ? undefined : Number(size) * 1024 ** power }
  if (scheme.toLowerCase() !== 'mailto') return { ...head, scheme: scheme.toLowerCase(), address: undefined }
  const address = mailtoAddress(rest)
  return address === undefined ? undefined : { ...head, scheme: 'mailto', address }
}

/** One plain address; RFC 6068's header fields after `?` are not for us. */
function mailtoAddress(rest: ByteString): ByteString | undefined {
  const coded = rest.split('?', 1)[0] ?? ''
  if (/%(?![0-9A-Fa-f]{2})/.test(coded)) return undefined
  const text = coded.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  const atext = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)\.?$/
  const domain = atext.exec(text)?.[1]
  return domain === undefined || domain.length > 253 ? undefined : text
}
