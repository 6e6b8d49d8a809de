/**
 * Plays one session with the real engine, as `-bh` does, and writes down why everything was decided: nothing is kept, no
 * message goes anywhere. The client sends a command only when the last one is answered.
 */
import { PassThrough } from 'node:stream'
import { fromBytes, toBytes, type ByteString } from '../../../base/text.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import { newConnection } from '../../../flow/receive/services.ts'
import { runSession } from '../../../flow/receive/session.ts'
import type { Server } from '../../../server/server.ts'
import { traceSession } from '../../../server/session-trace.ts'
import { type Explanation, traced, tracedDns, type TraceNode } from '../../../server/trace.ts'
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
  const replies: Reply[] = []
  const session = traceSession({
    what: `a session as if from ${question.from}`,
    now: () => performance.now(),
    silent: true,
    onReply: (command, text) => replies.push({ command, text }),
  })
  const base = await server.receiving()
  const services = session.watched({
    ...base,
    context: {
      ...server.context(),
      // Nobody waits here for replies before he goes on.
      settings: { ...server.settings, smtp_enforce_sync: false },
    },
  })
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
  const running = runSession(io, connection, services)
  const accepted = await converse(client, question)
  input.end()
  await running
  const { explanation } = session.part
  for (const address of accepted) await routeAsDelivery(server, address, question, explanation)
  return { root: explanation.root, replies }
}

/** The client's side; gives the recipients that were accepted. */
async function converse(client: Client, question: Question): Promise<ByteString[]> {
  const accepted: ByteString[] = []
  let last = await client.reply()
  if (!last.startsWith('2')) return accepted
  for (const command of commandsOf(question)) {
    if (!/^[23]/.test(last) && !/^(?:RCPT|DATA)/.test(command)) break
    if (command === 'DATA' && accepted.length === 0) break
    client.send(command)
    last = await client.reply()
    if (command.startsWith('RCPT') && last.startsWith('2')) accepted.push(command.slice(9, -1))
    if (last.startsWith('421') || last === '') return accepted
    if (command !== 'DATA' || !last.startsWith('354')) continue
    client.sendMessage(question.message ?? '')
    last = await client.reply()
    if (!last.startsWith('2')) accepted.length = 0
  }
  if (last !== '' && !last.startsWith('421')) client.send('QUIT')
  return accepted
}

/** What would become of an accepted recipient, as `-bt` tells it. */
async function routeAsDelivery(
  server: Server,
  address: ByteString,
  { mail }: Question,
  explanation: Explanation,
): Promise<void> {
  const step = explanation.begin('routing', address)
  const routing = await server.routing()
  const message = newMessage({
    receivedAt: server.ports.now(),
    local: false,
    originator: { login: server.user.name, uid: server.user.uid, gid: server.user.gid },
  })
  message.sender = mail
  const context = server.context({ message })
  const ports = tracedDns(traced(context.ports), explanation.here)
  const tested = await routing.test(address, 'bt', { ...context, ports, trace: step })
  step.end(tested.lines.join('\n'))
}

function commandsOf({ helo, mail, rcpt, message }: Question): ByteString[] {
  return [
    `EHLO ${helo}`,
    `MAIL FROM:<${mail}>`,
    ...rcpt.map((address) => `RCPT TO:<${address}>`),
    ...(message === undefined ? [] : ['DATA']),
  ]
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
