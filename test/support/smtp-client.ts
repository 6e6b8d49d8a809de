/** A plain SMTP client for tests: says what it is told, shows what it hears. */
import { connect, type Socket } from 'node:net'

export interface Reply {
  readonly code: number
  /** All lines, without codes. */
  readonly lines: readonly string[]
  /** As received, CRLF included. */
  readonly raw: string
}

export interface SmtpClient {
  readonly greeting: Reply
  /** Sends a line (CRLF is added) and waits for the reply. */
  say(line: string): Promise<Reply>
  /** Sends bytes as they are, without waiting. */
  send(bytes: string): void
  /** The next reply; rejects when the connection closes instead. */
  reply(): Promise<Reply>
  /** MAIL, RCPT, DATA and the message (dots are doubled); the final reply, or the first refusal. */
  deliver(from: string, to: readonly string[], message: string): Promise<Reply>
  /** Resolves when the server has closed. */
  closed(): Promise<void>
  end(): void
  readonly socket: Socket
}

export async function connectSmtp(port: number, host = '127.0.0.1', limitMs = 20_000): Promise<SmtpClient> {
  const socket = connect(port, host)
  let text = ''
  let gone = false
  let wake: () => void = () => undefined
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
    wake()
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('error', () => undefined)
    socket.once('close', () => {
      gone = true
      wake()
      resolve()
    })
  })

  async function reply(): Promise<Reply> {
    const end = Date.now() + limitMs
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(text)
      if (match !== null) {
        text = text.slice(match[0].length)
        const lines = match[0].split('\r\n').slice(0, -1)
        return {
          code: Number(lines[0]?.slice(0, 3)),
          lines: lines.map((line) => line.slice(4)),
          raw: match[0],
        }
      }
      if (gone) throw new Error(`connection closed; unread: ${JSON.stringify(text)}`)
      if (Date.now() > end) throw new Error(`no reply in ${limitMs} ms; unread: ${JSON.stringify(text)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, end - Date.now()))
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const send = (bytes: string): void => void socket.write(bytes, 'latin1')
  const say = async (line: string): Promise<Reply> => {
    send(`${line}\r\n`)
    return reply()
  }
  return {
    greeting: await reply(),
    socket,
    say,
    send,
    reply,
    async deliver(from, to, message) {
      for (const line of [`MAIL FROM:<${from}>`, ...to.map((each) => `RCPT TO:<${each}>`), 'DATA']) {
        const answer = await say(line)
        if (answer.code >= 400) return answer
      }
      const dotted = message.replaceAll(/\r?\n/g, '\r\n').replaceAll(/^\./gm, '..')
      send(`${dotted}${dotted.endsWith('\r\n') ? '' : '\r\n'}.\r\n`)
      return reply()
    },
    closed: async () => closed,
    end: () => void socket.destroy(),
  }
}
