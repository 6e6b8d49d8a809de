/**
 * One SMTP session with the real engine and no connection: whenever the engine waits for the client, the script says
 * what the client does next. No stream, no timer: a session takes no longer than the engine's work.
 */
import type { Awaitable } from '../base/outcome.ts'
import { toBytes, type ByteString } from '../base/text.ts'
import { newConnection, type ReceiveServices, type SessionIo } from '../flow/receive/services.ts'
import { runSession } from '../flow/receive/session.ts'
import { packetKey } from '../policy/acl/udp.ts'
import type { ConnectionFacts, Context, TlsFacts } from '../ports.ts'
import { type ByteSource, type InputEnd, LineReader } from '../wire/line-reader.ts'
import type { ClientFacts } from './client-facts.ts'
import type { Decided } from './offline/engine.ts'

/** What the client does. Text of a message comes without dot-stuffing, with LF or CRLF. */
export type Said =
  | { readonly is: 'command'; readonly text: ByteString }
  | { readonly is: 'message'; readonly text: ByteString }

export interface Exchange {
  /** The command; `(connects)` and `(the message)`. */
  readonly command: ByteString
  /** Lines joined by LF; empty when the connection was closed without one. */
  readonly reply: ByteString
  /** The ACL that spoke last, if one ran for this. */
  readonly decided: Decided | undefined
}

/** Gives what the client says next, once the last reply is known; undefined: it goes away. */
export type Script = (exchanges: readonly Exchange[]) => Said | undefined

export interface PlayOptions {
  readonly client: ClientFacts
  readonly script: Script
  /** Called before each command, and before the connection. */
  readonly begins?: ((command: ByteString) => void) | undefined
  readonly ends?: ((reply: ByteString) => void) | undefined
  readonly takePacket?: ((packet: string) => void) | undefined
  /** Where the engine puts what decided last. */
  readonly left?: { decided: Decided | undefined }
  /** Whether STARTTLS is offered to a client that has TLS; left out: it is. */
  readonly offersTls?: (context: Context) => Awaitable<boolean>
  /** Milliseconds since 1970. */
  now(): number
}

export async function play(services: ReceiveServices, options: PlayOptions): Promise<readonly Exchange[]> {
  const { client } = options
  const { server } = services.context
  const connection = newConnection({
    kind: 'smtp',
    hostAddress: client.address,
    hostPort: client.port,
    interfaceAddress: client.interfaceAddress,
    interfacePort: client.interfacePort,
    activeHostname: server.primaryHostname,
    connectionId: 'played',
    startedAt: options.now(),
    countAtStart: 1,
    hostChecking: true,
  })
  connection.proxy = client.proxy
  connection.extra.set(packetKey, (address: string, port: number, contents: ByteString) =>
    options.takePacket?.(`${address}:${port} ${contents}`),
  )
  if (client.tls?.onConnect === true) connection.tls = client.tls
  if (client.authenticated !== undefined) {
    connection.authenticatedId = client.authenticated.id
    connection.authenticatedBy = client.authenticated.by
    connection.authenticatedSender = client.authenticated.sender
  }
  const io = new PlayedIo(options)
  await runSession(io, connection, {
    ...services,
    ...(client.tls === undefined || client.tls.onConnect
      ? {}
      : { startTls: stated(client.tls, connection, options) }),
  })
  return io.exchanges
}

/** STARTTLS as the facts of the connection say it would go. */
function stated(
  tls: TlsFacts,
  connection: ConnectionFacts,
  { offersTls }: PlayOptions,
): NonNullable<ReceiveServices['startTls']> {
  return {
    offered: (context) => connection.tls === undefined && (offersTls?.(context) ?? true),
    start() {
      connection.tls = tls
      return Promise.resolve({ is: 'started' })
    },
  }
}

class PlayedIo implements SessionIo, ByteSource {
  readonly reader = new LineReader(this)
  readonly exchanges: Exchange[] = []
  readonly #options: PlayOptions
  #command: ByteString = '(connects)'
  #out = ''
  #over = false

  constructor(options: PlayOptions) {
    this.#options = options
    options.begins?.(this.#command)
  }

  write(text: ByteString): void {
    this.#out += text
  }

  flush(): void {}

  take(): Buffer | undefined {
    return undefined
  }

  /** The engine waits: it has said all it has to say about the last command. */
  pull(): Promise<Buffer | InputEnd> {
    this.#answered()
    const said = this.#over ? undefined : this.#options.script(this.exchanges)
    if (said === undefined) {
      this.#over = true
      return Promise.resolve('closed')
    }
    this.#command = said.is === 'message' ? '(the message)' : said.text
    if (this.#options.left !== undefined) this.#options.left.decided = undefined
    this.#options.begins?.(this.#command)
    return Promise.resolve(toBytes(said.is === 'message' ? dotted(said.text) : `${said.text}\r\n`))
  }

  end(): Promise<void> {
    if (!this.#over) this.#answered()
    this.#over = true
    return Promise.resolve()
  }

  destroy(): void {
    this.#over = true
  }

  #answered(): void {
    const reply = this.#out.replaceAll('\r', '').trimEnd()
    this.#out = ''
    this.#options.ends?.(reply)
    this.exchanges.push({ command: this.#command, reply, decided: this.#options.left?.decided })
  }
}

/** RFC 5321 section 4.5.2. */
function dotted(message: ByteString): ByteString {
  const lines = message.replace(/\r?\n$/, '').split(/\r?\n/)
  return `${lines.map((line) => (line.startsWith('.') ? `.${line}` : line)).join('\r\n')}\r\n.\r\n`
}
