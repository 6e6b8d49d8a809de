/** Plays a dialogue to a server and collects what it answers and logs. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { StartedServer } from '../support/server.ts'
import type { Dialogue, Step } from './dialogue.ts'

export interface Played {
  /** One entry a step, the banner first: the lines of all its replies. */
  readonly replies: readonly string[]
  readonly main: readonly string[]
  readonly reject: readonly string[]
}

/** Longest wait for one reply. */
const replyLimitMs = 5000

export async function play(server: StartedServer, dialogue: Dialogue): Promise<Played> {
  const before = { main: server.log('main').length, reject: server.log('reject').length }
  const client = await Client.connect(server.port, dialogue.from ?? '127.0.0.1')
  const replies = [await client.read(1)]
  for (const step of dialogue.steps) {
    if (client.closed) break
    if (typeof step === 'object' && 'tls' in step) {
      await client.encrypt()
      replies.push('')
      continue
    }
    const { send, count } = asSent(step, dialogue.raw === true)
    client.send(send)
    replies.push(await client.read(count))
  }
  if (dialogue.closes !== 'client') await client.ended(1000)
  client.destroy()
  const main = await settled(server, 'main', before.main)
  const reject = server.log('reject').slice(before.reject)
  return { replies: replies.map(normalReply), main: normalLines(main), reject: normalLines(reject) }
}

function asSent(
  step: Exclude<Step, { readonly tls: true }>,
  raw: boolean,
): { readonly send: string; readonly count: number } {
  const text = typeof step === 'string' ? step : step.send
  // A chunk of BDAT is told by its size: nothing may be added to it.
  const complete = raw || /^BDAT \d+.*\r\n/.test(text)
  return { send: complete ? text : `${text}\r\n`, count: typeof step === 'string' ? 1 : step.replies }
}

class Client {
  #socket: Socket
  #text = ''
  #wake: (() => void) | undefined
  closed = false

  static connect(port: number, localAddress: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress }, () => resolve(new Client(socket)))
      socket.once('error', reject)
    })
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    this.#listen(socket)
  }

  /** Goes on over TLS. */
  async encrypt(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners('data')
    const secure = connectTls({ socket: plain, rejectUnauthorized: false })
    await new Promise<void>((resolve) => {
      secure.once('secureConnect', () => resolve())
      secure.once('error', () => resolve())
    })
    this.#socket = secure
    this.#listen(secure)
  }

  #listen(socket: Socket): void {
    socket.on('data', (piece) => {
      this.#text += piece.toString('latin1')
      this.#wake?.()
    })
    const over = (): void => {
      this.closed = true
      this.#wake?.()
    }
    socket.on('error', over)
    socket.on('end', over)
    socket.on('close', over)
  }

  send(text: string): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.from(text, 'latin1'))
  }

  /** Waits for so many replies, or the end. */
  async read(count: number): Promise<string> {
    const limit = Date.now() + replyLimitMs
    while (repliesIn(this.#text) < count && !this.closed && Date.now() < limit)
      await this.#change(limit - Date.now())
    const text = this.#text
    this.#text = ''
    return text
  }

  async ended(limitMs: number): Promise<void> {
    const limit = Date.now() + limitMs
    while (!this.closed && Date.now() < limit) await this.#change(limit - Date.now())
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function repliesIn(text: string): number {
  return text.match(/^\d{3} [^\r\n]*\r\n/gm)?.length ?? 0
}

/** Waits until nothing more is logged of how the server was started. */
export async function quiet(server: StartedServer): Promise<void> {
  await settled(server, 'main', 0)
}

/** The log once it has not grown for a while. */
async function settled(server: StartedServer, name: 'main' | 'reject', from: number): Promise<string> {
  let text = server.log(name).slice(from)
  for (let quiet = 0; quiet < 4; ) {
    await new Promise((resolve) => setTimeout(resolve, 30))
    const now = server.log(name).slice(from)
    quiet = now === text ? quiet + 1 : 0
    text = now
  }
  return text
}

const id = /\b[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})\b/g

function normalReply(text: string): string {
  // Exim 4.96 does not know LIMITS (RFC 9422).
  return (
    text
      .replace(id, 'ID')
      .replace(/^250-LIMITS .*\r\n/m, '')
      // What a rate loses in the milliseconds between two commands.
      .replace(/\b\d{3,}\.\d(?=\/1h)/g, (rate) => String(Math.round(Number(rate))))
  )
}

/** Time, ids, ports and numbers of connections are not the same twice. */
function normalLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      line
        .replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /, '')
        .replace(id, 'ID')
        .replace(/ id\*=E[0-9A-Za-z-]+@/, ' id*=EID@')
        .replace(/(\[127\.0\.0\.\d\]):\d+/g, '$1:PORT')
        .replace(/connection count = \d+/, 'connection count = N')
        .replace(/ (RT|D)=[\d.]+s/g, ' $1=TIME')
        // Debian's Exim names ciphers as GnuTLS does.
        .replace(/ X=\S+ CV=no/g, ' X=CIPHER CV=no')
        .replace(/[A-Z][a-z]{2}, \d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, 'DATE'),
    )
    .filter(
      (line) => !/^(?:Warning: purging the environment|\s*Suggested action: use keep_environment)/.test(line),
    )
}
