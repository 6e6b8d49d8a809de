/** One message of the queue as `-bp` shows it. Source: Exim manual, "-bp"; forms as Exim 4.96 prints them. */
import type { ByteString } from '../../base/text.ts'
import type { QueueEntry } from '../../store/spool/api.ts'

export interface ListingStyle {
  /** `-bpa`: generated addresses that are done, too. */
  readonly generated: boolean
  /** `-bpu`: no recipient that is done. */
  readonly undeliveredOnly: boolean
  /** `-bpi`: ids alone. */
  readonly idsOnly: boolean
}

export function listingOf(entry: QueueEntry, style: ListingStyle, now: number): ByteString {
  if (style.idsOnly) return `${entry.id}\n`
  const login = entry.login === undefined ? '' : `(${entry.login}) `
  const frozen = entry.frozen ? ' *** frozen ***' : ''
  let text = `${age(now - entry.receivedAt)} ${sizeOf(entry.size)} ${entry.id} ${login}<${entry.sender}>${frozen}\n`
  for (const { address, done } of entry.recipients) {
    if (done && style.undeliveredOnly) continue
    text += `        ${done ? 'D' : ' '} ${address}\n`
  }
  if (style.generated) for (const address of entry.generated) text += `       +D ${address}\n`
  return `${text}\n`
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
