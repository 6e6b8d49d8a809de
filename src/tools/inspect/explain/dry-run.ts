/**
 * Plays one session with the real engine, as `-bh` does, and writes down why everything was decided: nothing is kept, no
 * message goes anywhere. The client sends a command only when the last one is answered.
 */
import { PassThrough } from 'node:stream'
import { fromBytes, toBytes, type ByteString } from '../../../base/text.ts'
import { newConnection, type ReceiveServices } from '../../../flow/receive/services.ts'
import { runSession } from '../../../flow/receive/session.ts'
import type { Context, Log, Trace } from '../../../ports.ts'
import type { Server } from '../../../server/server.ts'
import { createTrace, traced, tracedDns, type TraceNode } from '../../../server/trace.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { StreamIo } from '../../../wire/stream-io.ts'

export interface Question {
  /** The client's address and, after a dot or in brackets, its port. */
  readonly from: string
  readonly helo: ByteString
  readonly mail: ByteString
  readonly rcpt: readonly ByteString[]
  /** Undefined: the session ends before DATA. */
  readonly message: ByteString | undefined
  readonly interfaceAddress?: string | undefined
  readonly interfacePort?: number | undefined
}

export interface Reply {
  readonly command: ByteString
  readonly text: ByteString
}

export interface DryRun {
  readonly root: TraceNode
  readonly replies: readonly Reply[]
}

/** A reply that does not come within this is none. */
const replyLimitMs = 60_000

export async function dryRun(server: Server, question: Question): Promise<DryRun> {
  const now = (): number => performance.now()
  const explanation = createTrace(`a session as if from ${question.from}`, now)
  let current: Trace = explanation
  const switching: Trace = {
    begin: (kind, what, at) => current.begin(kind, what, at),
    end: () => undefined,
  }
  const services = explained(await server.receiving(), server.context(), switching)
  const input = new PassThrough()
  const output = new PassThrough()
  const io = new StreamIo({ input, output, watch: new IdleWatch() })
  const connection = newConnection({
    kind: 'smtp',
    hostAddress: question.from,
    hostPort: 40_000,
    interfaceAddress: question.interfaceAddress,
    interfacePort: question.interfacePort,
    activeHostname: server.facts.primaryHostname,
    connectionId: 'explained',
    startedAt: Date.now(),
    countAtStart: 1,
    hostChecking: true,
  })
  const client = new Client(input, output)
  const begin = (command: ByteString): void => {
    current = explanation.begin('command', command)
  }
  const replies: Reply[] = []
  const take = async (command: ByteString): Promise<ByteString> => {
    const text = await client.reply()
    current.end(text)
    current = explanation
    replies.push({ command, text })
    return text
  }
  begin('(connects)')
  const session = runSession(io, connection, services)
  let last = await take('(connects)')
  for (const command of commandsOf(question)) {
    if (!/^[23]/.test(last) && !/^(?:RCPT|RSET|QUIT)/.test(command)) break
    if (
      command === 'DATA' &&
      !replies.some(({ command: said, text }) => said.startsWith('RCPT') && text.startsWith('2'))
    )
      break
    begin(command)
    client.send(command)
    last = await take(command)
    if (command !== 'DATA' || !last.startsWith('354')) continue
    begin('(the message)')
    client.sendMessage(question.message ?? '')
    last = await take('(the message)')
  }
  if (!last.startsWith('421')) client.send('QUIT')
  input.end()
  await session
  return { root: explanation.root, replies }
}

function commandsOf({ helo, mail, rcpt, message }: Question): ByteString[] {
  return [
    `EHLO ${helo}`,
    `MAIL FROM:<${mail}>`,
    ...rcpt.map((address) => `RCPT TO:<${address}>`),
    ...(message === undefined ? [] : ['DATA']),
  ]
}

/** What the session works with: explained, and with a log that only the explanation has. */
function explained(services: ReceiveServices, context: Context, trace: Trace): ReceiveServices {
  const ports = traced(tracedDns(context.ports, trace))
  return {
    ...services,
    context: {
      ...context,
      settings: { ...context.settings, smtp_enforce_sync: false },
      trace,
      ports: { ...ports, log: loggedInto(trace, ports.log) },
    },
  }
}

function loggedInto(trace: Trace, log: Log): Log {
  const write = (name: string) => (_id: string | undefined, text: ByteString) =>
    trace.begin('log', text).end(name)
  return {
    selects: (selector) => log.selects(selector),
    main: write('main log'),
    reject: write('reject log'),
    panic: write('panic log'),
  }
}

/** The other end of the dialogue. */
class Client {
  readonly #input: PassThrough
  #received = ''
  #wake: (() => void) | undefined
  #over = false

  constructor(input: PassThrough, output: PassThrough) {
    this.#input = input
    output.on('data', (bytes: Buffer) => {
      this.#received += fromBytes(bytes)
      this.#wake?.()
    })
    output.on('end', () => {
      this.#over = true
      this.#wake?.()
    })
  }

  send(command: ByteString): void {
    this.#input.write(toBytes(`${command}\r\n`))
  }

  sendMessage(message: ByteString): void {
    const lines = message.replace(/\r?\n$/, '').split(/\r?\n/)
    this.#input.write(
      toBytes(`${lines.map((line) => (line.startsWith('.') ? `.${line}` : line)).join('\r\n')}\r\n.\r\n`),
    )
  }

  /** The next whole reply, its lines joined by LF; empty when the other end is gone. */
  async reply(): Promise<ByteString> {
    const end = Date.now() + replyLimitMs
    for (;;) {
      const whole = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/.exec(this.#received)
      if (whole !== null) {
        this.#received = this.#received.slice(whole[0].length)
        return whole[0].replaceAll('\r', '').trimEnd()
      }
      if (this.#over || Date.now() > end) return ''
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = undefined
    }
  }
}
