/** The client of a recipe's `tls` step: a dialogue with the daemon over TCP, secured where the step says so. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { TestAuthority } from './certificates.ts'

export interface Talk {
  /** Address of the client. */
  readonly from: string
  readonly to: string
  readonly port: number
  readonly certificates: TestAuthority
  /** `on-connect`: TLS before anything else; `sni`; `cert`: the name of a client certificate; `ciphers`, `max`: what the client can. */
  readonly options: Readonly<Record<string, string>>
}

/**
 * Says each line and waits for its reply; STARTTLS begins TLS. In a line `{\0name\0password}` is written in base64.
 * @returns replies, `(TLS subject of the server's certificate)` once secured, `(closed)`
 */
export async function talk(how: Talk, lines: readonly string[]): Promise<string> {
  const said: string[] = []
  let socket: Socket = connectTcp({ host: how.to, port: how.port, localAddress: how.from })
  let heard = new Hearing(socket)
  const secure = async (): Promise<boolean> => {
    heard.stop()
    const secured = secureOver(socket, how)
    const problem = await new Promise<string | undefined>((resolve) => {
      secured.once('secureConnect', () => resolve(undefined))
      secured.once('error', ({ message }) => resolve(message))
      secured.once('close', () => resolve('closed'))
    })
    said.push(problem === undefined ? `(TLS ${subjectOf(secured)})` : '(no TLS)')
    socket = secured
    heard = new Hearing(secured)
    return problem === undefined
  }
  const hear = async (): Promise<string> => {
    const reply = await heard.reply()
    said.push(reply)
    return reply
  }
  if (how.options['on-connect'] !== undefined && !(await secure())) return said.join('\n')
  let last = await hear()
  let inMessage = false
  for (const line of lines) {
    if (last.startsWith('(')) break
    socket.write(`${encoded(line)}\r\n`, 'latin1')
    if (inMessage && line !== '.') continue
    last = await hear()
    inMessage = last.startsWith('354')
    if (/^starttls$/i.test(line) && last.startsWith('220') && !(await secure())) break
  }
  if (!/^quit$/i.test(lines.at(-1) ?? '')) socket.end()
  if (last !== '(closed)' && !said.includes('(no TLS)')) await hear()
  socket.destroy()
  return `${said.join('\n')}\n`
}

function secureOver(socket: Socket, { options, certificates }: Talk): TLSSocket {
  const { sni = '', cert, ciphers, max } = options
  return connectTls({
    socket,
    rejectUnauthorized: false,
    ...(sni === '' || isIP(sni) !== 0 ? {} : { servername: sni }),
    ...(cert === undefined
      ? {}
      : { cert: certificates.read(`${cert}.chain`), key: certificates.read(`${cert}.key`) }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(max === 'TLSv1.2' ? { maxVersion: max } : {}),
  })
}

function subjectOf(secured: TLSSocket): string {
  return secured.getPeerX509Certificate()?.subject.replaceAll('\n', ' ') ?? 'no certificate'
}

function encoded(line: string): string {
  return line.replaceAll(/\{(.*?)\}/g, (_, text: string) =>
    Buffer.from(text.replaceAll('\\0', '\0'), 'latin1').toString('base64'),
  )
}

/** Replies, as they come. */
class Hearing {
  readonly #socket: Socket
  #text = ''
  #gone = false
  #wake: () => void = () => undefined
  readonly #onData = (bytes: Buffer): void => {
    this.#text += bytes.toString('latin1')
    this.#wake()
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#gone = true
      this.#wake()
    })
  }

  /** Leaves what comes from now on to another. */
  stop(): void {
    this.#socket.off('data', this.#onData)
  }

  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text)
      if (match !== null) {
        this.#text = this.#text.slice(match[0].length)
        return match[0].trimEnd().replaceAll('\r\n', '\n')
      }
      if (this.#gone) return '(closed)'
      const woken = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(resolve, 20_000, false)
        this.#wake = () => {
          clearTimeout(timer)
          resolve(true)
        }
      })
      if (!woken) return '(silence)'
    }
  }
}
