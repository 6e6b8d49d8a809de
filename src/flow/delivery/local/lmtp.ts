/** Speaks LMTP to a Unix socket or to a command. Source: RFC 2033; Exim manual, "The lmtp transport". */
import { spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import type { ByteString } from '../../../base/text.ts'
import type { Recipient } from '../../../mail/envelope.ts'
import { connectToPath } from '../../../wire/outbound.ts'
import { SmtpClient } from '../../../wire/smtp/client.ts'
import { errorNumbers } from '../results.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { StreamPair } from '../../../wire/stream-pair.ts'
import { messageOf } from './content.ts'
import { inLmtpWords } from './lmtp-words.ts'
import { SaidSteps } from './said.ts'
import { filteredLimitBytes, filteredWhole, TransportFilterError } from './transport-filter.ts'
import { DialogueSteps } from '../transports/smtp-dialogue.ts'
import { greet } from '../transports/smtp-session.ts'
import { type RecipientVerdict, transaction } from '../transports/smtp-transaction.ts'

export interface LmtpJob {
  readonly kind: 'lmtp'
  readonly over: { readonly socket: string } | { readonly argv: readonly ByteString[] }
  readonly environment: Readonly<Record<string, ByteString>>
  readonly transportName: string
  readonly helo: ByteString
  readonly sender: ByteString
  readonly recipients: readonly { readonly address: ByteString; readonly recipient: Recipient }[]
  readonly timeoutMs: number
  readonly ignoreQuota: boolean
  /** Somebody wants it explained: the dialogue comes back with the result. */
  readonly explained: boolean
}

export async function deliverToLmtp(
  job: LocalJobCommon & LmtpJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  if (!job.explained) return deliverWatched(job, body, undefined)
  const steps = new SaidSteps(() => performance.now())
  const dialogue = new DialogueSteps(steps)
  const result = await deliverWatched(job, body, dialogue)
  dialogue.over()
  return { ...result, dialogue: steps.all }
}

async function deliverWatched(
  job: LocalJobCommon & LmtpJob,
  body: AsyncIterable<Uint8Array>,
  dialogue: DialogueSteps | undefined,
): Promise<LocalResult> {
  // Before a word is said: a filter that fails must not end a message in the middle.
  const content =
    job.filter === undefined
      ? { head: job.head, body: () => body }
      : {
          head: '',
          body: await filteredWhole(job.filter, messageOf(job, body), filteredLimitBytes).catch(keepTrouble),
        }
  if (content.body instanceof TransportFilterError) {
    const { errno, message } = content.body
    return { is: 'deferred', errno, more: 0, message }
  }
  const { head, body: text } = content
  dialogue?.connecting()
  const stream = await openStream(job)
  if ('is' in stream) {
    if (stream.is !== 'done') dialogue?.gaveUp(stream.errorText ?? stream.message)
    return stream
  }
  const client = new SmtpClient(stream)
  client.watch = dialogue
  try {
    const greeted = await greet(
      client,
      {
        lmtp: true,
        helo: job.helo,
        avoidEsmtp: false,
        localAddress: undefined,
        connectMs: job.timeoutMs,
        commandMs: job.timeoutMs,
        keepalive: false,
        signal: undefined,
      },
      65,
    )
    if ('is' in greeted) {
      return { is: greeted.permanent ? 'failed' : 'deferred', ...resultOf(inLmtpWords(greeted.error)) }
    }
    const { offers } = greeted
    const result = await transaction(client, offers, {
      lmtp: true,
      pipelining: offers.pipelining,
      chunking: false,
      sender: job.sender,
      recipients: job.recipients,
      sizeBytes: undefined,
      body8bit: false,
      smtputf8: false,
      ignoreQuota: job.ignoreQuota,
      dsnRet: undefined,
      dsnEnvid: undefined,
      head,
      body: text,
      commandMs: job.timeoutMs,
      dataMs: job.timeoutMs,
      finalMs: job.timeoutMs,
      mark: 65,
    })
    if (result.is === 'done')
      return { is: 'done', sizeBytes: result.wireBytes, verdicts: result.verdicts.map(inOwnWords) }
    const whole: RecipientVerdict = {
      is: result.permanent ? 'failed' : 'deferred',
      error: result.error,
      reply: result.reply,
    }
    const verdicts = result.verdicts.map((verdict) => inOwnWords(verdict ?? whole))
    return { is: 'done', sizeBytes: 0, verdicts }
  } finally {
    client.quit()
  }
}

function inOwnWords(verdict: RecipientVerdict): RecipientVerdict {
  return verdict.is === 'delivered' ? verdict : { ...verdict, error: inLmtpWords(verdict.error) }
}

function keepTrouble(error: unknown): TransportFilterError {
  if (error instanceof TransportFilterError) return error
  throw error
}

function resultOf(error: {
  readonly errno: number
  readonly more: number
  readonly errorText?: string | undefined
  readonly message: ByteString | undefined
}): { errno: number; more: number; errorText?: string; message: ByteString } {
  return {
    errno: error.errno,
    more: error.more,
    ...(error.errorText === undefined ? {} : { errorText: error.errorText }),
    message: error.message ?? error.errorText ?? '',
  }
}

async function openStream(job: LocalJobCommon & LmtpJob): Promise<Duplex | LocalResult> {
  if ('socket' in job.over) {
    const connected = await connectToPath(job.over.socket, job.timeoutMs)
    if (connected.is === 'connected') return connected.socket
    return {
      is: 'deferred',
      errno: errorNumbers.unknown,
      more: 65,
      message: `Failed to connect to socket ${job.over.socket} for ${job.transportName} transport: ${connected.message}`,
    }
  }
  const [command = '', ...args] = job.over.argv
  const child = spawn(command, args, {
    cwd: job.currentDirectory,
    env: { ...job.environment },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const started = await new Promise<boolean>((resolve) => {
    child.on('spawn', () => resolve(true))
    child.on('error', () => resolve(false))
  })
  if (!started) {
    return {
      is: 'deferred',
      errno: errorNumbers.unknown,
      more: 0,
      message: `failed to create child process for ${command}`,
    }
  }
  const stream = new StreamPair(child.stdout, child.stdin)
  stream.on('close', () => child.kill())
  return stream
}
