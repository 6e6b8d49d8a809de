/** A scripted SMTP server for tests of delivery: takes messages, or refuses, drops and dawdles where it is told to. */
import { createServer, type Server, type Socket } from 'node:net'

export interface SinkMessage {
  readonly mail: string
  readonly rcpts: readonly string[]
  /** As it came, dots undone, CRLF line ends. */
  readonly data: string
}

/** What to do at a stage: a reply, or `drop` the connection, or `hang`. */
export type SinkAnswer = string

export interface SinkScript {
  readonly extensions?: readonly string[]
  readonly greeting?: SinkAnswer
  /** The greeting comes so late. */
  readonly greetingMs?: number
  readonly ehlo?: SinkAnswer
  readonly helo?: SinkAnswer
  readonly mail?: (line: string) => SinkAnswer
  readonly rcpt?: (line: string) => SinkAnswer
  readonly data?: SinkAnswer
  readonly end?: (message: SinkMessage) => SinkAnswer
  /** How long it keeps a message before it says what has become of it. */
  readonly endDelayMs?: number
  readonly lmtp?: (rcpt: string) => string
}

export interface Sink {
  readonly port: number
  readonly messages: SinkMessage[]
  /** All commands, in order, with the number of the connection. */
  readonly commands: { readonly connection: number; readonly line: string }[]
  connections: number
  /** Of the clients, one a connection. */
  readonly addresses: (string | undefined)[]
  /** The most that were open at once. */
  mostOpen: number
  close(): Promise<void>
}

export async function startSink(script: SinkScript = {}, host = '127.0.0.1', port = 0): Promise<Sink> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    sink.connections++
    sink.addresses.push(socket.remoteAddress)
    sink.mostOpen = Math.max(sink.mostOpen, sockets.size)
    new SinkSession(socket, script, sink, sink.connections)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const sink: Sink = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    messages: [],
    commands: [],
    connections: 0,
    addresses: [],
    mostOpen: 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  return sink
}

class SinkSession {
  readonly #socket: Socket
  readonly #script: SinkScript
  readonly #sink: Sink
  readonly #number: number
  #buffer = ''
  #mode: 'command' | 'data' | 'bdat' | 'deaf' = 'command'
  #mail = ''
  #rcpts: string[] = []
  #data = ''
  #wanted = 0
  #last = false

  constructor(socket: Socket, script: SinkScript, sink: Sink, number: number) {
    this.#socket = socket
    this.#script = script
    this.#sink = sink
    this.#number = number
    socket.on('data', (chunk) => {
      this.#buffer += chunk.toString('latin1')
      this.#work()
    })
    const greet = (): void => void this.#say(script.greeting ?? '220 sink ESMTP')
    if (script.greetingMs === undefined) greet()
    else setTimeout(greet, script.greetingMs)
  }

  #say(answer: SinkAnswer): boolean {
    if (answer === 'drop') {
      this.#mode = 'deaf'
      this.#socket.destroy()
      return false
    }
    if (answer === 'hang') {
      this.#mode = 'deaf'
      return false
    }
    this.#socket.write(`${answer.replaceAll('\n', '\r\n')}\r\n`)
    return true
  }

  #work(): void {
    while (this.#mode !== 'deaf' && this.#step());
  }

  /** Deals with one command or piece; false when more bytes are needed. */
  #step(): boolean {
    if (this.#mode === 'bdat') return this.#chunk()
    if (this.#mode === 'data') return this.#lines()
    const end = this.#buffer.indexOf('\n')
    if (end < 0) return false
    const line = this.#buffer.slice(0, end).replace(/\r$/, '')
    this.#buffer = this.#buffer.slice(end + 1)
    this.#sink.commands.push({ connection: this.#number, line })
    return this.#command(line)
  }

  #command(line: string): boolean {
    const script = this.#script
    const verb = line.slice(0, 4).toUpperCase()
    switch (verb) {
      case 'EHLO':
      case 'LHLO': {
        const list = ['sink', ...(script.extensions ?? ['PIPELINING', '8BITMIME', 'SIZE 10000000'])]
        const reply = list.map((name, i) => `250${i === list.length - 1 ? ' ' : '-'}${name}`).join('\n')
        return this.#say(script.ehlo ?? reply)
      }
      case 'HELO':
        return this.#say(script.helo ?? '250 sink')
      case 'MAIL': {
        this.#rcpts = []
        const answer = script.mail?.(line) ?? '250 2.1.0 ok'
        this.#mail = answer.startsWith('2') ? line : ''
        return this.#say(answer)
      }
      case 'RCPT': {
        const answer = this.#mail === '' ? '503 no MAIL' : (script.rcpt?.(line) ?? '250 2.1.5 ok')
        if (answer.startsWith('2')) this.#rcpts.push(line)
        return this.#say(answer)
      }
      case 'DATA': {
        const answer = this.#rcpts.length === 0 ? '503 no RCPT' : (script.data ?? '354 go')
        if (answer.startsWith('354')) this.#mode = 'data'
        return this.#say(answer)
      }
      case 'BDAT': {
        const [, size = '0', last] = line.split(' ')
        this.#wanted = Number(size)
        this.#last = last === 'LAST'
        this.#mode = 'bdat'
        return true
      }
      case 'RSET':
        this.#rcpts = []
        return this.#say('250 reset')
      case 'QUIT':
        this.#say('221 bye')
        this.#socket.end()
        return false
      default:
        return this.#say('500 what')
    }
  }

  #chunk(): boolean {
    if (this.#buffer.length < this.#wanted) return false
    this.#data += this.#buffer.slice(0, this.#wanted)
    this.#buffer = this.#buffer.slice(this.#wanted)
    this.#mode = 'command'
    return this.#last ? this.#finish() : this.#say('250 chunk')
  }

  #lines(): boolean {
    const end = this.#buffer.startsWith('.\r\n') ? 0 : this.#buffer.indexOf('\r\n.\r\n')
    if (end < 0) return false
    const text = end === 0 ? '' : this.#buffer.slice(0, end + 2)
    this.#buffer = this.#buffer.slice(end === 0 ? 3 : end + 5)
    this.#data = text.replaceAll(/^\./gm, '')
    this.#mode = 'command'
    return this.#finish()
  }

  #finish(): boolean {
    const message = { mail: this.#mail, rcpts: [...this.#rcpts], data: this.#data }
    this.#data = ''
    const answer = this.#script.end?.(message) ?? '250 2.0.0 taken'
    const lmtp = this.#script.lmtp
    if (lmtp !== undefined) {
      this.#sink.messages.push(message)
      return message.rcpts.every((rcpt) => this.#say(lmtp(rcpt)))
    }
    if (answer.startsWith('2')) this.#sink.messages.push(message)
    const { endDelayMs = 0 } = this.#script
    if (endDelayMs === 0) return this.#say(answer)
    setTimeout(() => this.#say(answer), endDelayMs)
    return false
  }
}
