/**
 * `-bS`: messages as SMTP commands in a file, without replies. Source: Exim manual, "-bS", "Outgoing batched SMTP";
 * the words of errors as Exim 4.96 says them.
 */
import { toBytes, type ByteString } from '../../../base/text.ts'
import { receiveLocal } from '../../../flow/receive/local.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { type ByteSource, LineReader } from '../../../wire/line-reader.ts'
import { StreamIo } from '../../../wire/stream-io.ts'
import type { ServerCall } from '../call.ts'
import { has } from '../parse.ts'
import { type CallQueueing, queueingOf } from '../queueing.ts'
import { describedConnection } from '../stdin-session.ts'

const longestLine = 1 << 20
/** A batch comes from a file or a program: it is waited for as long as it takes, within what a timer can hold. */
const waitMs = 2 ** 31 - 1

export async function run(call: ServerCall): Promise<number> {
  const queueing = await queueingOf(call)
  const source = new StreamIo({ input: process.stdin, output: process.stderr, watch: new IdleWatch() })
  const batch = new Batch(call, queueing, new CountedLines(source.reader))
  const exitCode = await batch.run()
  source.release()
  process.stdin.destroy()
  await queueing.finish()
  return exitCode
}

/** Lines of the batch, one at a time, so that nothing behind the end of a message is taken for part of it. */
class CountedLines implements ByteSource {
  readonly #reader: LineReader
  count = 0
  constructor(reader: LineReader) {
    this.#reader = reader
  }
  async next(): Promise<ByteString | undefined> {
    const line = await this.#reader.line(longestLine, waitMs)
    if (line.is === 'end') return line.partial === '' ? undefined : line.partial
    this.count++
    return line.text
  }
  async pull(): Promise<Buffer | 'closed'> {
    const line = await this.next()
    return line === undefined ? 'closed' : toBytes(`${line}\n`)
  }
  take(): undefined {
    return undefined
  }
}

class Batch {
  readonly #call: ServerCall
  readonly #queueing: CallQueueing
  readonly #lines: CountedLines
  #accepted = 0
  #startedIn = 0
  #sender: ByteString | undefined
  #recipients: ByteString[] = []

  constructor(call: ServerCall, queueing: CallQueueing, lines: CountedLines) {
    this.#call = call
    this.#queueing = queueing
    this.#lines = lines
  }

  /** 0: all was taken; 1: some before an error; 2: an error at once. */
  async run(): Promise<number> {
    for (let line = await this.#lines.next(); line !== undefined; line = await this.#lines.next()) {
      const command = /^\s*([a-zA-Z]*)/.exec(line)?.[1]?.toUpperCase() ?? ''
      if (command === 'QUIT') return 0
      const problem = await this.#perform(command, line)
      if (problem !== undefined) return this.#fail(problem, command === 'DATA' ? undefined : line)
    }
    return 0
  }

  async #perform(command: string, line: ByteString): Promise<string | undefined> {
    switch (command) {
      case 'HELO':
      case 'EHLO':
      case 'RSET':
        this.#reset()
        return undefined
      case 'NOOP':
      case 'VRFY':
      case 'EXPN':
      case 'ETRN':
      case 'HELP':
        return undefined
      case 'MAIL':
        return this.#mail(line)
      case 'RCPT':
        return this.#rcpt(line)
      case 'DATA':
        return this.#data()
      default:
        return '500 Command unrecognized'
    }
  }

  #reset(): void {
    this.#sender = undefined
    this.#recipients = []
  }

  #mail(line: ByteString): string | undefined {
    if (this.#sender !== undefined) return '503 Sender already given'
    const address = addressOf(line, /^\s*MAIL\s+FROM\s*:/i)
    if (typeof address === 'object') return address.problem
    this.#sender = address
    return undefined
  }

  #rcpt(line: ByteString): string | undefined {
    if (this.#sender === undefined) return '503 No sender yet given'
    const address = addressOf(line, /^\s*RCPT\s+TO\s*:/i)
    if (typeof address === 'object') return address.problem
    if (address === '') return '501 empty address'
    this.#recipients.push(address)
    return undefined
  }

  async #data(): Promise<string | undefined> {
    if (this.#recipients.length === 0) {
      return this.#sender === undefined
        ? '503 MAIL command must precede DATA'
        : '503 RCPT command must precede DATA'
    }
    const { invocation, server } = this.#call
    const connection = describedConnection(this.#call, { kind: 'local' })
    if (connection.protocol === 'local') connection.protocol = 'local-bsmtp'
    const ended = { dot: false }
    const lines = this.#lines
    const source: ByteSource = {
      async pull() {
        const piece = await lines.pull()
        if (piece !== 'closed' && piece.length === 2 && piece[0] === 0x2e) ended.dot = true
        return piece
      },
      take: () => undefined,
    }
    const outcome = await receiveLocal(
      {
        source,
        connection,
        recipients: this.#recipients,
        fromHeaders: false,
        dotEnds: true,
        sender: this.#sender,
        fullName: undefined,
        qualify: !has(invocation, '-bnq'),
        errors: 'print',
        timeoutMs: server.settings.receive_timeout * 1000,
      },
      this.#queueing.services,
    )
    if (!ended.dot) return '421 Lost incoming connection'
    if (outcome.exitCode !== 0) return `550 ${outcome.problem ?? 'message not accepted'}`
    this.#accepted++
    this.#startedIn = lines.count
    this.#reset()
    return undefined
  }

  #fail(problem: string, command: ByteString | undefined): number {
    const { terminal } = this.#call
    const { count } = this.#lines
    const fault = command === undefined ? '' : `${command}\n`
    terminal.out(
      `${problem}\nTransaction started in line ${this.#startedIn}\nError detected in line ${count}\n${fault}`,
    )
    const messages =
      this.#accepted === 1 ? '1 previous message was' : `${this.#accepted} previous messages were`
    terminal.err(
      'An error was detected while processing a file of BSMTP input.\n' +
        `The error message was:\n\n  ${problem}\n\n` +
        `The SMTP transaction started in line ${this.#startedIn}.\n` +
        `The error was detected in line ${count}.\n` +
        (command === undefined ? '' : `The SMTP command at fault was:\n\n   ${command}\n\n`) +
        `${messages} successfully processed.\nThe rest of the batch was abandoned.\n`,
    )
    return this.#accepted > 0 ? 1 : 2
  }
}

/** The address of MAIL or RCPT; parameters after it say nothing here. */
function addressOf(line: ByteString, command: RegExp): ByteString | { readonly problem: string } {
  if (!command.test(line)) return { problem: '500 unrecognized command' }
  const rest = line.replace(command, '').trim()
  const bracketed = /^(<[^>]*>|"[^"]*"@\S+|\S+)/.exec(rest)?.[1] ?? ''
  if (bracketed === '<>') return ''
  const parsed = parseAddress(bracketed)
  return parsed.is === 'error' ? { problem: `501 ${parsed.message}` } : parsed.address
}
