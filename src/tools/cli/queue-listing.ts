/** One message of the queue as `-bp` shows it. Source: Exim manual, "-bp"; forms as Exim 4.96 prints them. */
import type { ByteString } from '../../base/text.ts'
import type { ListedRow, QueueEntry } from '../../store/spool/api.ts'

export interface ListingStyle {
  /** `-bpa`: generated addresses that are done, too. */
  readonly generated: boolean
  /** `-bpu`: no recipient that is done. */
  readonly undeliveredOnly: boolean
  /** `-bpi`: ids alone. */
  readonly idsOnly: boolean
}

export function listingOf(entry: QueueEntry, style: ListingStyle, now: number): ByteString {
  const done = entry.recipients.flatMap((each) => (each.done ? [each.address] : []))
  return createLister(
    style,
    now,
  )({
    ...entry,
    recipients: entry.recipients.map(({ address }) => address),
    done: [...done, ...entry.generated],
    login: entry.login ?? '',
  })
}

/** Lists many: what one line has in common with the one before is not made again. */
export function createLister(style: ListingStyle, now: number): (row: ListedRow) => ByteString {
  let minute = Number.NaN
  let shownAge = ''
  let size = Number.NaN
  let shownSize = ''
  return (row) => {
    const { id, sender, recipients, done, login } = row
    if (style.idsOnly) return `${id}\n`
    const minutes = Math.floor((now - row.receivedAt) / 60_000)
    if (minutes !== minute) {
      minute = minutes
      shownAge = age(now - row.receivedAt)
    }
    if (row.size !== size) {
      size = row.size
      shownSize = sizeOf(size)
    }
    const by = login === '' ? '' : ` (${login})`
    let text = `${shownAge} ${shownSize} ${id} <${sender}>${by}${row.frozen ? ' *** frozen ***' : ''}\n`
    if (done.length === 0) for (const address of recipients) text += `          ${address}\n`
    else text += addresses(recipients, new Set(done), style)
    return `${text}\n`
  }
}

function addresses(
  recipients: readonly ByteString[],
  done: ReadonlySet<ByteString>,
  style: ListingStyle,
): ByteString {
  let text = ''
  for (const address of recipients) {
    if (!done.has(address)) text += `          ${address}\n`
    else if (!style.undeliveredOnly) text += `        D ${address}\n`
  }
  if (!style.generated) return text
  const known = new Set(recipients)
  for (const address of done) if (!known.has(address)) text += `       +D ${address}\n`
  return text
}

/** ` 5m`, ` 2h`, ` 3d`: minutes up to 90, hours up to 72. */
export function age(milliseconds: number): string {
  const minutes = Math.floor(Math.max(0, milliseconds) / 60_000)
  if (minutes <= 90) return `${String(minutes).padStart(2)}m`
  const hours = Math.floor((minutes + 30) / 60)
  if (hours <= 72) return `${String(hours).padStart(2)}h`
  return `${String(Math.floor((hours + 12) / 24)).padStart(2)}d`
}

/** Five columns: `  306`, ` 1.2K`, `  98K`, ` 9.9M`, `  10M`. */
export function sizeOf(bytes: number): string {
  const kilo = 1024
  const mega = kilo * kilo
  if (bytes < kilo) return String(bytes).padStart(5)
  if (bytes < 10 * kilo) return `${(bytes / kilo).toFixed(1).padStart(4)}K`
  if (bytes < mega) return `${String(Math.floor((bytes + kilo / 2) / kilo)).padStart(4)}K`
  if (bytes < 10 * mega) return `${(bytes / mega).toFixed(1).padStart(4)}M`
  return `${String(Math.floor((bytes + mega / 2) / mega)).padStart(4)}M`
}
