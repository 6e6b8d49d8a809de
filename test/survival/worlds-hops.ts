/** Next hops of `worlds.ts`: SMTP and LMTP servers whose mood changes, and what they were given. */
import { createServer, type Server, type Socket } from 'node:net'

export type Mood = (typeof moods)[number]
export const moods = [
  'well',
  'well',
  'busy',
  'mail',
  'rcpt',
  'some',
  'data',
  'dot',
  'drops',
  'dropsAfter',
  'hangs',
  'hangsAfter',
  'gone',
  'mixed',
] as const

/** A message that was taken: `sure` when the reply that says so went out to a client that was there. */
export interface Taken {
  readonly message: string
  readonly leaf: string
  readonly sure: boolean
  readonly at: number
}

export interface Hops {
  readonly smtpPort: number
  readonly lmtpPort: number
  /** By the address that the server listens to. */
  readonly mood: Record<string, Mood>
  /** Refused for good while they stand here. */
  readonly refused: Set<string>
  /** All that were ever refused for good. */
  readonly everRefused: Set<string>
  readonly taken: Taken[]
  close(): Promise<void>
}

export const messageIdOf = (data: string): string => /^Message-Id: <(.*)>/im.exec(data)?.[1] ?? ''

export async function startHops(): Promise<Hops> {
  const sockets = new Set<Socket>()
  const servers: Server[] = []
  const listen = async (host: string, port: number, lmtp: boolean): Promise<number> => {
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => undefined)
      new Session(socket, hops, lmtp)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, 512, resolve)
    })
    servers.push(server)
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }
  const hops: Hops = {
    smtpPort: 0,
    lmtpPort: 0,
    mood: { '127.0.0.1': 'well', '127.0.0.2': 'well' },
    refused: new Set(),
    everRefused: new Set(),
    taken: [],
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
  const smtpPort = await listen('127.0.0.1', 0, false)
  await listen('127.0.0.2', smtpPort, false)
  const lmtpPort = await listen('127.0.0.1', 0, true)
  return Object.assign(hops, { smtpPort, lmtpPort })
}

const chance = (of: number): boolean => Math.random() < of

class Session {
  readonly #socket: Socket
  readonly #hops: Hops
  readonly #lmtp: boolean
  readonly #mood: Mood
  #buffer = ''
  #inData = false
  #rcpts: string[] = []
  #deaf = false

  constructor(socket: Socket, hops: Hops, lmtp: boolean) {
    this.#socket = socket
    this.#hops = hops
    this.#lmtp = lmtp
    const mood = hops.mood[socket.localAddress ?? ''] ?? 'well'
    this.#mood = mood === 'mixed' ? (moods[Math.floor(Math.random() * (moods.length - 1))] ?? 'well') : mood
    if (this.#mood === 'gone') {
      socket.resetAndDestroy()
      return
    }
    socket.on('data', (chunk) => {
      this.#buffer += chunk.toString('latin1')
      while (!this.#deaf && this.#step());
    })
    this.#say(this.#mood === 'busy' ? '421 busy' : '220 hop ESMTP')
  }

  #say(reply: string): boolean {
    this.#socket.write(`${reply}\r\n`)
    return true
  }

  /** The connection is cut, or nothing is said any more. */
  #ends(): boolean {
    this.#deaf = true
    if (this.#mood === 'drops' || this.#mood === 'dropsAfter') this.#socket.destroy()
    return false
  }

  #step(): boolean {
    const end = this.#inData ? this.#endOfData() : this.#buffer.indexOf('\r\n')
    if (end < 0) return false
    const text = this.#buffer.slice(0, end)
    this.#buffer = this.#buffer.slice(end + (this.#inData ? 3 : 2))
    if (!this.#inData) return this.#command(text)
    this.#inData = false
    return this.#finish(text)
  }

  #endOfData(): number {
    if (this.#buffer.startsWith('.\r\n')) return 0
    const end = this.#buffer.indexOf('\r\n.\r\n')
    return end < 0 ? -1 : end + 2
  }

  #command(line: string): boolean {
    const mood = this.#mood
    if ((mood === 'drops' || mood === 'hangs') && chance(0.25)) return this.#ends()
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
      case 'LHLO':
        return this.#say('250-hop\r\n250-PIPELINING\r\n250 8BITMIME')
      case 'MAIL':
        this.#rcpts = []
        return this.#say(mood === 'mail' ? '451 later' : '250 ok')
      case 'RCPT': {
        const address = (/<(.*)>/.exec(line)?.[1] ?? '').toLowerCase()
        if (this.#hops.refused.has(address)) return this.#say('550 no')
        if (mood === 'rcpt' || (mood === 'some' && chance(0.5))) return this.#say('450 later')
        this.#rcpts.push(address)
        return this.#say('250 ok')
      }
      case 'DATA':
        if (this.#rcpts.length === 0) return this.#say('503 no recipients')
        if (mood === 'data') return this.#say('451 later')
        this.#inData = true
        return this.#say('354 go')
      case 'RSET':
        return this.#say('250 reset')
      case 'QUIT':
        this.#say('221 bye')
        this.#socket.end()
        return false
      default:
        return this.#say('500 what')
    }
  }

  #finish(data: string): boolean {
    const mood = this.#mood
    if ((mood === 'drops' || mood === 'hangs') && chance(0.25)) return this.#ends()
    if (mood === 'dot') {
      for (const _ of this.#lmtp ? this.#rcpts : ['']) this.#say('451 later')
      return true
    }
    const silent = (mood === 'dropsAfter' || mood === 'hangsAfter') && chance(0.5)
    const sure = !silent && !this.#socket.destroyed && this.#socket.readyState === 'open'
    const message = messageIdOf(data)
    let told = 0
    for (const leaf of this.#rcpts) {
      // An LMTP server may have said of some what has become of them.
      const heard = sure || (this.#lmtp && silent && chance(0.5))
      const later = this.#lmtp && mood === 'some' && chance(0.5)
      if (later) this.#say('450 later')
      else {
        if (!data.includes('end-of-text')) throw new Error(`cut: ${data}`)
        this.#hops.taken.push({ message, leaf, sure, at: Date.now() })
        if (this.#lmtp && heard && told >= 0) this.#say('250 taken')
        else told = -1
      }
    }
    if (silent) return this.#ends()
    return this.#lmtp || this.#say('250 taken')
  }
}
