/** The DNS tree walk, and the organisational domain it finds. Source: RFC 9989 sections 4.10 and 4.10.2. */
import type { ByteString } from '../../../base/text.ts'
import type { DmarcRecord } from '../../../mail/dmarc-facts.ts'
import type { Questions } from './questions.ts'

const MOST_LABELS = 8

export interface Found {
  readonly name: ByteString
  readonly record: DmarcRecord
}

/** Records from the starting name upwards, the longest name first; `again` when one could not be found out. */
export async function walkTree(start: ByteString, questions: Questions): Promise<readonly Found[] | 'again'> {
  const found: Found[] = []
  for (const name of targets(start)) {
    const at = await questions.recordAt(name)
    if (at === 'again') return 'again'
    if (typeof at === 'string') continue
    found.push({ name, record: at.record })
    // Step 2 and the last: psd=n and psd=y end the walk.
    if (at.record.psd !== 'u') break
  }
  return found
}

/** Step 3: the full name, then from at most seven labels down to one. */
function targets(start: ByteString): ByteString[] {
  const labels = start.split('.')
  const next = labels.length < MOST_LABELS ? 1 : labels.length - (MOST_LABELS - 1)
  const names = [start]
  for (let from = next; from < labels.length; from++) names.push(labels.slice(from).join('.'))
  return names
}

/** Section 4.10.2, from the records of a walk. */
export function organizationOf(start: ByteString, found: readonly Found[]): ByteString {
  for (const { name, record } of found) {
    // 1. The name itself says that it is one.
    if (record.psd === 'n') return name
    // 2. One label below a public suffix; the walk may have jumped over that name, so it comes from the start.
    if (record.psd === 'y' && name !== start) {
      const labels = start.split('.')
      return labels.slice(labels.length - name.split('.').length - 1).join('.')
    }
  }
  // 3. The record with the fewest labels; 4. without any the starting name.
  return found.at(-1)?.name ?? start
}
