/** exinext: when a domain, an address, a host or a message is tried next. Source: Exim manual, "Finding individual retry times". */
import { existsSync } from 'node:fs'
import { isMessageId } from '../../../base/message-id.ts'
import { isRetryRecord, type RetryRecord } from '../../../flow/delivery/retry/record.ts'
import { openHints } from '../../../store/hints/index.ts'
import type { Server } from '../../../server/server.ts'
import type { Terminal } from '../terminal.ts'
import { hintsTime } from './hints-database.ts'
import { openForTool } from './open.ts'

export const usage = 'usage: exinext [-C FILE] [-DNAME=VALUE] DOMAIN | ADDRESS | LOCAL-PART | MESSAGE-ID\n'

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const flags: string[] = []
  let rest = [...words]
  while (rest[0]?.startsWith('-') === true) {
    const takes = rest[0] === '-C' ? 2 : 1
    flags.push(...rest.slice(0, takes))
    rest = rest.slice(takes)
  }
  const subject = rest[0]
  if (subject === undefined || rest.length > 1) {
    terminal.err(usage)
    return 1
  }
  const server = await openForTool(flags, terminal)
  if (server === undefined) return 1
  try {
    await tell(subject, server, terminal)
  } finally {
    await server.close()
  }
  return 0
}

async function tell(subject: string, server: Server, terminal: Terminal): Promise<void> {
  const records = await retryRecords(`${server.facts.spoolDirectory}/hints`)
  if (isMessageId(subject)) {
    const found = records.filter(({ key }) => key.endsWith(`:${subject}`))
    return show(subject, found, terminal)
  }
  // A word without dot is a local part of ours.
  const address = /[@.:]/.test(subject) ? subject : `${subject}@${server.facts.qualifyDomain}`
  const tested = await (await server.routing()).test(
    address.includes('@') ? address : `User@${address}`,
    'bt',
    server.context(),
  )
  const hosts: string[] = []
  for (const line of tested.lines) {
    const host = /^\s+host (\S+)\s+\[([^\]]+)\]/.exec(line)
    if (host !== null) hosts.push(`${host[1] ?? ''}:${host[2] ?? ''}`)
    else if (line.includes('cannot be resolved at this time')) terminal.out(`${line}\n`)
  }
  if (hosts.length === 0) terminal.out(`No remote hosts found for ${subject}\n`)
  show(
    subject,
    records.filter(({ key }) => concerns(key, address.toLowerCase(), hosts)),
    terminal,
  )
}

interface Kept {
  readonly key: string
  readonly record: RetryRecord
}

async function retryRecords(directory: string): Promise<Kept[]> {
  if (!existsSync(directory)) return []
  const hints = await openHints({ directory })
  const found: Kept[] = []
  for (const { key, value } of hints.rows('retry'))
    if (isRetryRecord(value)) found.push({ key, record: value })
  void hints.close()
  return found
}

function concerns(key: string, subject: string, hosts: readonly string[]): boolean {
  const domain = subject.slice(subject.lastIndexOf('@') + 1)
  const what = key.slice(2)
  if (key.startsWith('T:')) {
    if (hosts.some((host) => what === host || what.startsWith(`${host}:`) || what.startsWith(`${host}/`)))
      return true
    return (
      what === subject ||
      what === domain ||
      what.startsWith(`${subject}:`) ||
      what.split(':').includes(subject)
    )
  }
  return (
    what === subject || what === domain || what.startsWith(`${subject}:<`) || what.endsWith(`@${subject}`)
  )
}

function show(subject: string, found: readonly Kept[], terminal: Terminal): void {
  if (found.length === 0) terminal.out(`No retry data found for ${subject}\n`)
  for (const { key, record } of found) {
    const { errno, text, firstFailedAt, lastTriedAt, nextTryAt, expired } = record
    terminal.out(`${named(key)} error ${errno}: ${text}
  first failed: ${hintsTime(firstFailedAt, false)}
  last tried:   ${hintsTime(lastTriedAt, false)}
  next try at:  ${hintsTime(nextTryAt, false)}
${expired ? '  past final cutoff time\n' : ''}`)
  }
}

/** `Transport: mx.example [192.0.2.1]:26`, `Route: example.com`. */
function named(key: string): string {
  const what = key.slice(2)
  if (key.startsWith('R:')) return `Route: ${what}`
  const host = /^([^:@]+):([0-9.]+|[0-9a-f]*:[0-9a-f:.]+?)((?::[^:]+)*)$/i.exec(what)
  return host === null ? `Transport: ${what}` : `Transport: ${host[1]} [${host[2]}]${host[3]}`
}
