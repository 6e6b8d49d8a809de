/** Blocks of a history file, ours, Exim's or OpenDMARC's, as rows for aggregate reports. Source: requirement 3.4. */
import type { ByteString } from '../../../base/text.ts'
import type { Published, ReportRow } from './aggregate-store.ts'

export interface HistoryEntry {
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly published: Published
  readonly row: ReportRow
}

const words: Readonly<Record<string, string>> = {
  '0': 'pass',
  '2': 'softfail',
  '3': 'neutral',
  '4': 'temperror',
  '5': 'permerror',
  '6': 'none',
  '7': 'fail',
  '8': 'policy',
}
const letters: Readonly<Record<string, string>> = { '110': 'none', '113': 'quarantine', '114': 'reject' }

/** @returns what could be read, and how many blocks could not */
export function readHistory(text: ByteString): {
  readonly entries: readonly HistoryEntry[]
  readonly broken: number
} {
  const entries: HistoryEntry[] = []
  let broken = 0
  // A block begins with its job; what stands before the first is the rest of one that was cut off.
  for (const block of text.split(/^(?=job )/m)) {
    if (block.trim() === '') continue
    const entry = readBlock(block)
    if (entry === undefined) broken++
    else entries.push(entry)
  }
  return { entries, broken }
}

function readBlock(block: ByteString): HistoryEntry | undefined {
  const values = new Map<string, string[]>()
  for (const line of block.split('\n')) {
    const space = line.indexOf(' ')
    if (space < 0) continue
    const name = line.slice(0, space)
    values.set(name, [...(values.get(name) ?? []), line.slice(space + 1).trimEnd()])
  }
  const one = (name: string): string => values.get(name)?.[0] ?? ''
  const received = one('received')
  const domain = one('pdomain')
  const from = one('from')
  if (!/^\d{1,12}$/.test(received) || domain === '' || from === '' || one('action') === '') return undefined
  const p = letters[one('p')] ?? 'none'
  const sp = letters[one('sp')]
  const spfAligned = one('align_spf') === '4'
  const dkimAligned = one('align_dkim') === '4'
  const spfWord = words[one('spf')]
  const dispositions: Readonly<Record<string, ReportRow['disposition']>> = {
    '0': 'reject',
    '1': 'reject',
    '4': 'quarantine',
  }
  const passed = spfAligned || dkimAligned
  return {
    receivedAt: Number(received) * 1000,
    published: {
      domain,
      discovery: 'psl',
      p,
      sp,
      np: undefined,
      fo: '0',
      adkim: one('adkim') === '115' ? 's' : 'r',
      aspf: one('aspf') === '115' ? 's' : 'r',
      testing: false,
      rua: (values.get('rua') ?? []).filter((uri) => uri !== '-'),
    },
    row: {
      sourceIp: one('ipaddr'),
      disposition: dispositions[one('action')] ?? (passed && p !== 'none' ? 'pass' : 'none'),
      dkimAligned,
      spfAligned,
      reason: undefined,
      headerFrom: from,
      envelopeFrom: one('mfrom'),
      dkim: (values.get('dkim') ?? []).flatMap(readSignature),
      spf: spfWord === undefined ? undefined : { domain: one('mfrom'), result: spfWord },
    },
  }
}

/** `domain number` of 2014, `domain selector number` of today. */
function readSignature(value: string): ReportRow['dkim'] {
  const [domain = '', ...rest] = value.split(' ')
  const result = words[rest.at(-1) ?? '']
  if (result === undefined) return []
  // SPF alone knows softfail.
  return [
    {
      domain,
      selector: rest.length > 1 ? (rest[0] ?? '') : '-',
      result: result === 'softfail' ? 'fail' : result,
    },
  ]
}
