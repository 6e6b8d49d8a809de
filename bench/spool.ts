/** The spool: durable commits a second, deliveries of what was just committed, rebuilding and opening the index. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Envelope } from '../src/mail/envelope.ts'
import { openSpool, type Spool } from '../src/store/spool/index.ts'

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
}

const seconds = 2

export async function run(): Promise<Row[]> {
  // Not in /tmp as such: that may be memory, where a sync costs nothing.
  const directory = mkdtempSync(join(process.cwd(), '.bench-spool-'))
  const rows: Row[] = []
  try {
    const spool = await openSpool({ directory, now: Date.now, log: () => {} })
    for (const [bytes, writers] of [
      [4096, 1],
      [4096, 10],
      [4096, 50],
      [65_000, 50],
    ] as const) {
      rows.push(
        await measure(`commit ${bytes} bytes, ${writers} writers`, writers, () => commit(spool, bytes)),
      )
    }
    rows.push(await measure('commit 4096 bytes and complete, 50 writers', 50, () => pass(spool)))
    await spool.close()
    rows.push(...(await measureOpening(directory)))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return rows
}

async function measure(name: string, writers: number, step: () => Promise<void>): Promise<Row> {
  const end = performance.now() + seconds * 1000
  let count = 0
  const writer = async (): Promise<void> => {
    while (performance.now() < end) {
      await step()
      count++
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return { name, value: Math.round(count / seconds), unit: 'messages/s' }
}

const queued = 20_000

/** How long it takes to open a queue with its index, and without. */
async function measureOpening(directory: string): Promise<Row[]> {
  const options = { directory, now: Date.now, log: () => {} }
  const first = await openSpool(options)
  const writer = async (): Promise<void> => {
    while (first.count() < queued) await queue(first)
  }
  await Promise.all(Array.from({ length: 100 }, writer))
  await first.close()
  const rows: Row[] = []
  for (const lost of [false, true]) {
    if (lost) rmSync(`${directory}/index`, { recursive: true })
    const started = performance.now()
    const spool = await openSpool(options)
    const name = `open ${queued} queued messages, ${lost ? 'index lost' : 'index there'}`
    rows.push({ name, value: Math.round(performance.now() - started), unit: 'ms' })
    if (!lost) {
      const before = performance.now()
      for (const entry of spool.list()) if (entry.id === '') break
      rows.push({
        name: `list ${queued} messages`,
        value: Math.round(performance.now() - before),
        unit: 'ms',
      })
    }
    await spool.close()
  }
  return rows
}

async function queue(spool: Spool): Promise<void> {
  const message = spool.begin()
  await message.write(small)
  await message.commit(envelope(message.id, small.length))
}

async function commit(spool: Spool, bytes: number): Promise<void> {
  const message = spool.begin()
  await message.write(bytes === 4096 ? small : large)
  const stored = await message.commit(envelope(message.id, bytes))
  // Delivered later: leaves the queue again so that the disk does not fill while measuring.
  void spool.claimCommitted(stored)?.complete()
}

async function pass(spool: Spool): Promise<void> {
  const message = spool.begin()
  await message.write(small)
  const stored = await message.commit(envelope(message.id, small.length))
  await spool.claimCommitted(stored)?.complete()
}

const small = Buffer.alloc(4096, 'The quick brown fox jumps over the lazy dog.\n')
const large = Buffer.alloc(65_000, small)

function envelope(id: string, bodySize: number): Envelope {
  return {
    id,
    receivedAt: Date.now(),
    receiveMs: 1,
    originator: { login: 'mail', uid: 8, gid: 8 },
    sender: 'alice@example.org',
    recipients: [{ address: 'bob@example.net' }],
    headers: [
      {
        type: 'P',
        text: 'Received: from client.example ([192.0.2.1])\n\tby mail.example with esmtp\n\tid 1\n',
      },
      { type: 'F', text: 'From: alice@example.org\n' },
      { type: 'T', text: 'To: bob@example.net\n' },
      { type: ' ', text: 'Subject: a subject of usual length\n' },
      { type: 'I', text: 'Message-ID: <20261124025100.1234@example.org>\n' },
    ],
    protocol: 'esmtp',
    host: { address: '192.0.2.1', port: 40_000, helo: 'client.example' },
    local: false,
    bodyLines: 90,
    bodyZeros: 0,
    bodySize,
    maxReceivedLineLength: 76,
    firstDelivery: true,
    done: [],
  }
}
