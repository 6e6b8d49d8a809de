/** A spool in a folder of its own, for tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Envelope } from '../../src/mail/envelope.ts'
import { openSpool, type Spool, type SpoolOptions } from '../../src/store/spool/index.ts'

export interface SpoolWorld {
  readonly directory: string
  /** What was logged. */
  readonly lines: string[]
  /** Opens it; closed when the test ends. */
  open(more?: Partial<SpoolOptions>): Promise<Spool>
}

export function spoolWorld(t: TestContext): SpoolWorld {
  const directory = mkdtempSync(join(tmpdir(), 'postern-spool-'))
  const opened: Spool[] = []
  const lines: string[] = []
  t.after(async () => {
    for (const spool of opened) await spool.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return {
    directory,
    lines,
    async open(more = {}) {
      const spool = await openSpool({
        directory,
        now: Date.now,
        log: (line) => void lines.push(line),
        ...more,
      })
      opened.push(spool)
      return spool
    },
  }
}

export function spoolEnvelope(id: string, fields: Partial<Envelope> = {}): Envelope {
  return {
    id,
    receivedAt: 1_700_000_000_000,
    receiveMs: 1,
    originator: { login: 'mail', uid: 8, gid: 8 },
    sender: 'alice@example.org',
    recipients: [{ address: 'bob@example.net' }, { address: 'carol@example.net' }],
    headers: [{ type: 'F', text: 'From: alice@example.org\n' }],
    protocol: 'esmtp',
    local: false,
    bodyLines: 1,
    bodyZeros: 0,
    bodySize: 6,
    maxReceivedLineLength: 5,
    firstDelivery: true,
    done: [],
    ...fields,
  }
}

/** Commits a message and gives its id. */
export async function addMessage(
  spool: Spool,
  body: string | Uint8Array = 'hello\n',
  fields: Partial<Envelope> = {},
): Promise<string> {
  const incoming = spool.begin()
  await incoming.write(Buffer.from(body))
  await incoming.commit(spoolEnvelope(incoming.id, fields))
  return incoming.id
}

export async function bodyOf(
  message: { body(start?: number): AsyncIterable<Uint8Array> } | undefined,
): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of message?.body() ?? []) pieces.push(piece)
  return Buffer.concat(pieces)
}
