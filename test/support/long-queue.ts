/** A queue of many messages, and how long the program takes over it. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAccounts } from '../../src/base/accounts.ts'
import { runTimeUser } from '../../src/server/run-time-user.ts'
import type { Envelope } from '../../src/mail/envelope.ts'
import { openSpool, type SpooledMessage } from '../../src/store/spool/index.ts'
import { postern, type StartedServer, startServer, temporaryFolder } from './server.ts'
import { spoolEnvelope } from './spool-world.ts'

export interface LongQueueTimes {
  /** From the call until the daemon greets. */
  readonly startMs: number
  readonly countMs: number
  /** `-bp | head -1`. */
  readonly headMs: number
  readonly counted: string
  readonly firstLine: string
}

export async function longQueue(messages: number): Promise<LongQueueTimes> {
  const folder = temporaryFolder('long-queue')
  try {
    const directory = join(folder.path, 'spool')
    mkdirSync(directory)
    await fillQueue({ directory, messages })
    give(directory)
    const file = join(folder.path, 'listing.conf')
    writeFileSync(
      file,
      `spool_directory = ${directory}\nlog_file_path = ${folder.path}/log/%slog\nprimary_hostname = mta.example\n`,
    )
    mkdirSync(join(folder.path, 'log'))
    chmodSync(join(folder.path, 'log'), 0o777)
    const startedAt = performance.now()
    const server = await startServer({
      folder: folder.path,
      arguments: [],
      configuration: 'primary_hostname = mta.example\nqueue_only\n',
    })
    const startMs = performance.now() - startedAt
    try {
      const countAt = performance.now()
      const counted = spawnSync(postern, ['-C', file, '-bpc'], { encoding: 'latin1' }).stdout
      const countMs = performance.now() - countAt
      const headAt = performance.now()
      const firstLine = await head(['-C', file, '-bp'])
      return { startMs, countMs, headMs: performance.now() - headAt, counted, firstLine }
    } finally {
      await server.stop()
    }
  } finally {
    folder.remove()
  }
}

export interface CrashedQueueTimes {
  readonly starts: readonly { readonly after: string; readonly ms: number }[]
  readonly counted: string
}

/** Starts of a daemon on such a queue after its processes were killed, and after the host lost its power. */
export async function crashedQueue(messages: number): Promise<CrashedQueueTimes> {
  const folder = temporaryFolder('crashed-queue')
  const directory = join(folder.path, 'spool')
  const starts: { after: string; ms: number }[] = []
  const begin = async (after: string): Promise<StartedServer> => {
    const startedAt = performance.now()
    const server = await startServer({
      folder: folder.path,
      arguments: ['-q1m'],
      configuration:
        'primary_hostname = mta.example\nqueue_only\nqueue_run_max = 1\ndeliver_queue_load_max = 0\n',
    })
    starts.push({ after, ms: Math.round(performance.now() - startedAt) })
    return server
  }
  try {
    mkdirSync(directory)
    await fillQueue({ directory, messages })
    give(directory)
    await (await begin('an orderly end')).kill('SIGKILL')
    await (await begin('SIGKILL of all processes')).kill('SIGKILL')
    writeFileSync(join(directory, 'index', 'state'), '{"boot":"other","clean":false}')
    const server = await begin('a loss of power: the index is made anew')
    try {
      return { starts, counted: server.command('-bpc').stdout }
    } finally {
      await server.stop()
    }
  } finally {
    folder.remove()
  }
}

export interface QueueFilling {
  readonly directory: string
  readonly messages: number
  /** When the queue runner looks at them next; left out: at once. */
  readonly nextAttemptAt?: number
  readonly body?: Uint8Array
  readonly fields?: Partial<Envelope>
  /** As Exim's of before 4.97. */
  readonly shortIds?: boolean
  onMessage?(message: SpooledMessage): void
}

/** Puts messages into a spool as a process of Postern does. */
export async function fillQueue(filling: QueueFilling): Promise<void> {
  const { directory, messages, nextAttemptAt, body = Buffer.from('hello\n'), fields = {}, shortIds } = filling
  const spool = await openSpool({
    directory,
    now: Date.now,
    log: () => undefined,
    messageIdForm: shortIds === true ? 'short' : 'long',
  })
  let begun = 0
  const writer = async (): Promise<void> => {
    while (begun++ < messages) {
      const incoming = spool.begin()
      await incoming.write(body)
      const envelope = spoolEnvelope(incoming.id, {
        receivedAt: Date.now(),
        bodySize: body.length,
        ...fields,
      })
      const stored = await incoming.commit(envelope)
      filling.onMessage?.(stored)
      if (nextAttemptAt === undefined) continue
      const claim = spool.claimCommitted(stored) ?? (await spool.claim(stored.id))
      await claim?.record({ nextAttemptAt })
      claim?.release()
    }
  }
  await Promise.all(Array.from({ length: 500 }, writer))
  await spool.close()
}

/** Started by root, the daemon changes to a user of its own. */
export function give(directory: string): void {
  if (process.getuid?.() !== 0) return
  const found = runTimeUser(undefined, undefined, createAccounts())
  if (found.is === 'wrong') throw new Error(found.message)
  const { uid, gid } = found.user
  chownSync(directory, uid, gid)
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    chownSync(join(directory, name), uid, gid)
}

/** The first line, as `| head -1` takes it: the reader goes as soon as it has it. */
async function head(args: readonly string[]): Promise<string> {
  const child = spawn(postern, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const piece of child.stdout.setEncoding('latin1')) {
    text += String(piece)
    if (text.includes('\n')) break
  }
  child.stdout.destroy()
  if (child.exitCode === null) await new Promise<void>((resolve) => child.once('close', () => resolve()))
  return text.split('\n')[0] ?? ''
}
