/**
 * Appends to `dmarc_history_file`. Each block opens the file anew and is one write, so that processes do not mix and cron
 * may truncate or rename the file at any time. A door: it writes a file. Source: requirements D3 and 3.4.
 */
import { open } from 'node:fs/promises'
import { isFailure } from '../../../base/outcome.ts'
import { textOf, toBytes } from '../../../base/text.ts'
import { arcOf } from '../../../mail/arc-facts.ts'
import type { AppliedPolicy, DmarcFacts } from '../../../mail/dmarc-facts.ts'
import type { Context, MessageFacts } from '../../../ports.ts'
import { historyBlock } from './history.ts'

export async function writeHistory(
  facts: DmarcFacts,
  policy: AppliedPolicy,
  context: Context,
  message: MessageFacts,
): Promise<void> {
  const option = context.settings.dmarc_history_file
  if (option === undefined) return
  const { log } = context.ports
  const id = message.id || undefined
  const expanded = await context.ports.expand(option, context)
  if (isFailure(expanded)) {
    if (expanded.kind !== 'forced') log.panic(id, `failed to expand dmarc_history_file: ${expanded.message}`)
    return
  }
  const path = textOf(expanded)
  if (path === '') return
  if (!path.startsWith('/') || typeof expanded !== 'string') {
    const why = typeof expanded === 'string' ? 'not an absolute path' : 'Tainted path'
    log.panic(id, `failure to create DMARC history file: ${path}: ${why}`)
    return
  }
  const block = historyBlock(facts, policy, {
    id: message.id,
    reporter: context.server.primaryHostname,
    receivedAt: message.receivedAt,
    clientAddress: context.connection?.hostAddress ?? '',
    arc: arcOf(message),
  })
  const trouble = await append(path, toBytes(block))
  if (trouble !== undefined) {
    const head = trouble.at === 'open' ? 'failure to create' : 'failure to write to'
    log.panic(id, `${head} DMARC history file: ${path}: ${trouble.why}`, { event: 'dmarc:history-failure' })
  }
}

async function append(
  path: string,
  bytes: Buffer,
): Promise<{ readonly at: 'open' | 'write'; readonly why: string } | undefined> {
  let at: 'open' | 'write' = 'open'
  try {
    const file = await open(path, 'a', 0o640)
    try {
      at = 'write'
      const { bytesWritten } = await file.write(bytes)
      return bytesWritten === bytes.length ? undefined : { at, why: 'the disk is full' }
    } finally {
      await file.close()
    }
  } catch (error) {
    return { at, why: error instanceof Error ? error.message : String(error) }
  }
}
