/** A host of the other side for comparisons: answers by script and writes the whole dialogue down, phase by phase. */
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'

/** A reply, of one or several lines; ending in `drop`: closes, in `hang`: says nothing more; undefined: the usual reply. */
export type HostReply = string | undefined

export interface HostScript {
  /** Keywords after EHLO; left out: PIPELINING, 8BITMIME and SIZE. */
  readonly offers?: readonly string[]
  /** What to answer: the greeting is `connect`, the message `end`, else the command line as it came. */
  readonly reply?: (line: string, host: { readonly address: string; readonly count: number }) => HostReply
  /** For each recipient after the data, as LMTP and PRDR have it. */
  readonly each?: (rcpt: string) => string
  readonly certificate?: { readonly key: string | Buffer; readonly cert: string | Buffer }
  /** What else the TLS of the host is made of. */
  readonly context?: SecureContextOptions
  /** A certificate is asked for. */
  readonly asks?: true
  readonly alpn?: readonly string[]
  /** TLS before anything else. */
  readonly onConnect?: true
}

export interface RemoteHost {
  /** Lines of all dialogues: `1 < EHLO x`, `1 > 250 ok`, `1 < (message)` and its text; commands that came together begin with `<+`. */
  readonly dialogue: string[]
  /** Forgets what was. */
  begin(): void
  close(): Promise<void>
}

/** Listens at several addresses of the loopback network, all on one port. */
export async function startRemoteHost(
  script: HostScript,
  port: number,
  addresses: readonly string[] = ['127.77.0.1'],
): Promise<RemoteHost> {
  const dialogue: string[] = []
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const context = createSecureContext({ ...script.certificate, ...script.context })
  let connections = 0
  for (const address of addresses) {
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => {})
      new Dialogue(socket, script, context, dialogue, ++connections, address)
    })
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(port, address, () => resolve()),
    )
    servers.push(server)
  }
  return {
    dialogue,
    begin() {
      dialogue.length = 0
      connections = 0
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

class Dialogue {
  #socket: Socket
  readonly #script: HostScript
  readonly #context: SecureContext
  readonly #lines: string[]
  readonly #number: number
  readonly #address: string
  #buffer = ''
  #mode: 'command' | 'data' | 'bdat' | 'deaf' = 'command'
  #rcpts: string[] = []
  #asked = 0
  #data = ''
  #wanted = 0
  #last = false
  #prdr = false

  constructor(
    socket: Socket,
    script: HostScript,
    context: SecureContext,
    lines: string[],
    number: number,
    address: string,
  ) {
    this.#socket = socket
    this.#script = script
    this.#context = context
    this.#lines = lines
    this.#number = number
    this.#address = address
    if (script.onConnect === true) this.#secure()
    else this.#listen()
    this.#say(this.#answer('connect') ?? '220 far ESMTP')
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#buffer += chunk.toString('latin1')
      while (this.#mode !== 'deaf' && this.#step());
    })
    this.#socket.on('error', () => {})
  }

  #secure(): void {
    const { asks, alpn } = this.#script
    this.#socket.removeAllListeners('data')
    const secured = new TLSSocket(this.#socket, {
      isServer: true,
      secureContext: this.#context,
      ...(asks === true && { requestCert: true, rejectUnauthorized: false }),
      ...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
    })
    this.#socket = secured
    // Before the first command: a client that does not like what it sees goes away at once or a little later.
    secured.once('data', () => this.#note(`= TLS${seenOf(secured, asks === true)}`))
    this.#listen()
  }

  #note(text: string): void {
    this.#lines.push(`${this.#number} ${text}`)
  }

  #answer(line: string): HostReply {
    return this.#script.reply?.(line, { address: this.#address, count: this.#asked })
  }

  #say(reply: string): boolean {
    if (reply === 'hang') {
      this.#mode = 'deaf'
      return false
    }
    if (reply.endsWith('hang')) {
      this.#mode = 'deaf'
      return this.#say(reply.slice(0, -4)) && false
    }
    if (reply.endsWith('drop')) {
      const last = reply.slice(0, -4)
      if (last !== '') this.#note(`> ${last}`)
      this.#mode = 'deaf'
      this.#note('> (closed)')
      if (last === '') this.#socket.destroy()
      else this.#socket.end(`${last}\r\n`)
      return false
    }
    for (const line of reply.split('\n')) this.#note(`> ${line}`)
    this.#socket.write(`${reply.replaceAll('\n', '\r\n')}\r\n`)
    return true
  }

  #step(): boolean {
    if (this.#mode === 'bdat') return this.#chunk()
    if (this.#mode === 'data') return this.#message()
    const end = this.#buffer.indexOf('\n')
    if (end < 0) return false
    const line = this.#buffer.slice(0, end).replace(/\r$/, '')
    this.#buffer = this.#buffer.slice(end + 1)
    this.#note(
      `<${this.#buffer === '' || /^BDAT/i.test(line) || /^BDAT/i.test(this.#buffer) ? '' : '+'} ${line}`,
    )
    this.#asked++
    return this.#command(line)
  }

  #command(line: string): boolean {
    const own = this.#answer(line)
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
        return this.#say(own ?? this.#greeting())
      case 'STAR':
        if (!this.#say(own ?? '220 go ahead')) return false
        if (own !== undefined) return true
        this.#buffer = ''
        this.#secure()
        return false
      case 'MAIL':
        this.#rcpts = []
        this.#prdr = / PRDR/.test(line)
        return this.#say(own ?? '250 sender ok')
      case 'RCPT':
        if ((own ?? '2').startsWith('2')) this.#rcpts.push(line)
        return this.#say(own ?? '250 recipient ok')
      case 'DATA': {
        const reply = own ?? (this.#rcpts.length === 0 ? '503 no recipients' : '354 go')
        if (reply.startsWith('354')) this.#mode = 'data'
        return this.#say(reply)
      }
      case 'BDAT': {
        const [, size = '0', last] = line.split(' ')
        this.#wanted = Number(size)
        this.#last = last === 'LAST'
        this.#mode = 'bdat'
        return true
      }
      case 'QUIT':
        this.#say(own ?? '221 bye')
        this.#socket.end()
        return false
      default:
        return this.#say(own ?? '250 fine')
    }
  }

  #greeting(): string {
    const offers = this.#script.offers ?? ['PIPELINING', '8BITMIME', 'SIZE 100000']
    const secured = this.#socket instanceof TLSSocket
    const list = ['far', ...offers.filter((name) => !(secured && name === 'STARTTLS'))]
    return list.map((name, i) => `250${i === list.length - 1 ? ' ' : '-'}${name}`).join('\n')
  }

  #message(): boolean {
    const end = this.#buffer.startsWith('.\r\n') ? -2 : this.#buffer.indexOf('\r\n.\r\n')
    if (end === -1) return false
    this.#data = this.#buffer.slice(0, end + 2)
    this.#buffer = this.#buffer.slice(end + 5)
    return this.#finish()
  }

  #chunk(): boolean {
    if (this.#buffer.length < this.#wanted) return false
    this.#data += this.#buffer.slice(0, this.#wanted)
    this.#buffer = this.#buffer.slice(this.#wanted)
    this.#mode = 'command'
    return this.#last ? this.#finish() : this.#say(this.#answer('chunk') ?? '250 chunk ok')
  }

  #finish(): boolean {
    this.#mode = 'command'
    this.#note('< (message)')
    this.#lines.push(
      ...this.#data
        .replace(/\r\n$/, '')
        .split('\r\n')
        .map((line) => `${this.#number}   ${line}`),
    )
    this.#data = ''
    const { each } = this.#script
    if (each === undefined) return this.#say(this.#answer('end') ?? '250 taken as 1')
    if (this.#prdr && !this.#say('353 one by one')) return false
    if (!this.#rcpts.every((rcpt) => this.#say(each(rcpt)))) return false
    return this.#prdr ? this.#say('250 all done') : true
  }
}

/** What the client named: a host, an application protocol, itself; and whether it went on with a session. */
function seenOf(secured: TLSSocket, asks: boolean): string {
  const { subject } = asks ? secured.getPeerCertificate(false) : {}
  return [
    secured.servername ? ` ${secured.servername}` : '',
    secured.alpnProtocol ? ` ALPN ${secured.alpnProtocol}` : '',
    subject === undefined ? '' : ` as ${String(subject.CN)}`,
    secured.isSessionReused() ? ' resumed' : '',
  ].join('')
}
