/**
 * Sends the aggregate reports of days that are over: once a day by the daemon, or by `postern dmarc report`.
 * Sources: RFC 9990 sections 3.1.1.4, 3.5 and 4; RFC 9989 section 4.6.
 */
import { randomBytes } from 'node:crypto'
import { type ByteString, textOf } from '../base/text.ts'
import { isFailure } from '../base/outcome.ts'
import type { GeneratedMessage } from '../flow/delivery/index.ts'
import { type AggregateReport, reportMessage } from '../policy/msgauth/dmarc/aggregate-report.ts'
import { dayOf, type StoredRow, storedRows } from '../policy/msgauth/dmarc/aggregate-store.ts'
import { reportUris } from '../policy/msgauth/dmarc/record.ts'
import { targetsOf } from '../policy/msgauth/dmarc/report-targets.ts'
import { modeOf } from '../policy/msgauth/dmarc/suffix-file.ts'
import type { Context, Hints } from '../ports.ts'
import { aggregateSender } from './report-sender.ts'
import type { Server } from './server.ts'
import { submitGenerated } from './submit.ts'

const DAY_SECONDS = 86_400
/** An address whose report bounced gets none for so long. */
const SUPPRESSED_MS = 30 * DAY_SECONDS * 1000
/** What could not be sent for so long is dropped: reports of old days help nobody. */
const MOST_DAYS = 5
/** Rows looked at in one turn of the event loop. */
const SLICE = 500

export interface ReportRun {
  /** Days before this one, as YYYY-MM-DD. */
  readonly before: string
  /** Tells what would be sent, and sends nothing. */
  readonly dryRun: boolean
  tell(line: string): void
}

export interface ReportRunResult {
  readonly sent: number
  readonly refused: number
  readonly later: number
}

interface Pending {
  readonly day: string
  readonly keys: string[]
  readonly rows: StoredRow[]
}

export async function sendAggregateReports(server: Server, run: ReportRun): Promise<ReportRunResult> {
  await server.store.openHints()
  const context = server.context()
  const { hints } = server.ports
  const now = server.ports.now()
  const today = dayOf(now)
  const result = { sent: 0, refused: 0, later: 0 }
  for (const pending of (await groups(hints)).values()) {
    if (pending.day >= run.before) continue
    if (!run.dryRun && !(await claim(hints, pending, now))) continue
    const outcome = await reportOne(server, context, pending, run, result)
    if (run.dryRun) continue
    const tooOld = Date.parse(today) - Date.parse(pending.day) > MOST_DAYS * DAY_SECONDS * 1000
    if (outcome === 'done' || tooOld) forget(hints, pending)
    else hints.remove('dmarc', claimKey(pending))
    // Reports go out one after another; mail in between is not held up.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return result
}

/** Rows by day, domain and published policy: one report each (RFC 9990 section 3.1). */
async function groups(hints: Hints): Promise<Map<string, Pending>> {
  const found = new Map<string, Pending>()
  let looked = 0
  for (const { key, stored } of storedRows(hints)) {
    const group = JSON.stringify([stored.day, stored.published])
    let pending = found.get(group)
    if (pending === undefined) found.set(group, (pending = { day: stored.day, keys: [], rows: [] }))
    pending.keys.push(key)
    pending.rows.push(stored)
    if (++looked % SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return found
}

function claimKey({ day, rows }: Pending): string {
  const published = rows[0]?.published
  return `claim ${day} ${published?.domain ?? ''} ${published?.p ?? ''}${published?.sp ?? ''}${published?.np ?? ''}`
}

/** Several processes may run at once; each report is sent by one. */
async function claim(hints: Hints, pending: Pending, now: number): Promise<boolean> {
  const mine = randomBytes(8).toString('hex')
  const kept = await hints.update<{ by: string; at: number }>('dmarc', claimKey(pending), (old) =>
    old !== undefined && now - old.at < 3_600_000 ? old : { by: mine, at: now },
  )
  return kept?.by === mine
}

function forget(hints: Hints, pending: Pending): void {
  for (const key of pending.keys) hints.remove('dmarc', key)
  hints.remove('dmarc', `rows ${pending.day} ${pending.rows[0]?.published.domain ?? ''}`)
  hints.remove('dmarc', claimKey(pending))
}

async function reportOne(
  server: Server,
  context: Context,
  { day, rows }: Pending,
  run: ReportRun,
  result: { sent: number; refused: number; later: number },
): Promise<'done' | 'later'> {
  const published = rows[0]?.published
  if (published === undefined) return 'done'
  const { ports, settings, facts } = server
  const mode = await modeOf(context)
  const targets = await targetsOf(reportUris(published.rua.join(',')), 'rua', published.domain, {
    dns: (name, type) => ports.dns(name, type),
    suffixes: mode.is === 'rfc7489' ? mode.suffixes : undefined,
  })
  const from = await aggregateSender(context)
  const begin = Date.parse(`${day}T00:00:00Z`) / 1000
  const report: AggregateReport = {
    organization: await organizationName(context),
    email: from.envelope,
    id: randomBytes(16).toString('hex'),
    begin,
    end: begin + DAY_SECONDS - 1,
    generator: `Postern ${facts.posternVersion}`,
    published,
    rows,
  }
  let later = false
  for (const target of targets) {
    const head = `DMARC aggregate report about ${published.domain} for ${day}`
    const why = target.is === 'verified' ? suppressed(ports.hints, target.address, ports.now()) : target.why
    if (why !== undefined) {
      if (target.is === 'again') {
        later = true
        result.later++
      } else result.refused++
      run.tell(`${head} not sent to ${target.address}: ${why}`)
      continue
    }
    if (run.dryRun) {
      run.tell(`${head} would go to ${target.address}: ${rows.length} rows`)
      continue
    }
    if (!(await withinCap(ports.hints, dayOf(ports.now()), settings.dmarc_report_max))) {
      run.tell(`${head} not sent to ${target.address}: dmarc_report_max is reached`)
      result.refused++
      continue
    }
    const submitted = await submitGenerated(
      {
        sender: from.envelope,
        recipients: [target.address],
        text: reportMessage(report, {
          from: from.header,
          to: target.address,
          receiver: facts.primaryHostname,
        }),
        about: report.id,
        isReport: false,
      },
      server,
      await server.receiving(),
    )
    if (submitted.is === 'accepted') {
      ports.hints.put('dmarc', `sent ${submitted.id}`, target.address)
      result.sent++
      run.tell(`${head} sent to ${target.address} as ${submitted.id}`)
    } else {
      later = true
      result.later++
      run.tell(`${head} not sent to ${target.address}: ${submitted.message}`)
    }
  }
  return later ? 'later' : 'done'
}

/** A bounce of a report of ours: the address gets no more, and the bounce goes no further. */
export function takeReportBounce(message: GeneratedMessage, server: Server): boolean {
  if (!message.isReport || message.sender !== '' || message.about === '') return false
  const address = server.ports.hints.get('dmarc', `sent ${message.about}`)
  if (typeof address !== 'string') return false
  // Warnings of delay are no bounces, and nobody needs them.
  if (!/^X-Failed-Recipients:/m.test(message.text)) return true
  server.ports.hints.put('dmarc', `bounced ${address}`, server.ports.now())
  server.ports.hints.remove('dmarc', `sent ${message.about}`)
  server.log.main(message.about, `DMARC aggregate report to ${address} bounced: no more for 30 days`, {
    event: 'dmarc:bounced',
    to: address,
  })
  return true
}

function suppressed(hints: Hints, address: ByteString, now: number): string | undefined {
  const at = hints.get('dmarc', `bounced ${address}`)
  if (typeof at !== 'number' || now - at > SUPPRESSED_MS) return undefined
  return `a report bounced on ${dayOf(at)}`
}

async function withinCap(hints: Hints, day: string, most: number): Promise<boolean> {
  let within = false
  await hints.update<number>('dmarc', `reports ${day}`, (old) => {
    within = (old ?? 0) < most
    return within ? (old ?? 0) + 1 : old
  })
  return within
}

async function organizationName(context: Context): Promise<ByteString> {
  const value = await context.ports.expand(context.settings.dmarc_report_org, context)
  const text = isFailure(value) ? '' : textOf(value).trim()
  return text === '' ? context.server.primaryHostname : text
}
