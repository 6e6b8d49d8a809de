/**
 * The connection to Dovecot's authentication service: lines of fields between tabs. A door: it opens a socket.
 * Source: Dovecot's description of the authentication protocol, version 1.1.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { fromBytes, toBytes } from '../../base/text.ts'
import { systemError } from '../../wire/outbound.ts'

export interface DovecotConnection {
  /** Upper-case names. */
  readonly mechanisms: readonly string[]
  /** Sends a request; gives the fields of the answer, undefined when none comes. */
  say(fields: readonly string[]): Promise<string[] | undefined>
  close(): void
}

const timeoutMs = 30_000
/** Bytes of answers that are not yet read; RFC 4954 lines fit. */
const mostBytes = 65_536
/** Lines of a greeting. */
const mostLines = 200

/** Where the service listens: a Unix socket, or an address and a port, there with TLS if wanted. */
export type DovecotPlace =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly tls: boolean }

/** Connects and exchanges greetings. */
export async function openDovecot(
  place: DovecotPlace,
): Promise<DovecotConnection | { readonly problem: string }> {
  const socket = socketTo(place)
  let text = ''
  let problem: string | undefined
  let wake: () => void = () => undefined
  const fail = (why: string): void => {
    problem ??= why
    socket.destroy()
    wake()
  }
  socket.on('data', (bytes: Buffer) => {
    text += fromBytes(bytes)
    if (text.length > mostBytes) fail('authentication socket protocol error: too much was said')
    wake()
  })
  socket.on('error', (error) => fail(`${cannotConnect(place)}: ${systemError(error).message}`))
  socket.on('close', () => fail('authentication socket read error or premature eof'))

  async function line(): Promise<string[] | undefined> {
    const timer = setTimeout(() => fail('authentication socket timeout'), timeoutMs)
    try {
      for (;;) {
        const end = text.indexOf('\n')
        if (end >= 0) {
          const fields = text.slice(0, end).split('\t')
          text = text.slice(end + 1)
          return fields
        }
        if (problem !== undefined) return undefined
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }
  const send = (fields: readonly string[]): void => {
    if (problem === undefined) socket.write(toBytes(`${fields.join('\t')}\n`))
  }

  send(['VERSION', '1', '1'])
  send(['CPID', String(process.pid)])
  const mechanisms: string[] = []
  for (let n = 0; n < mostLines; n++) {
    const fields = await line()
    if (fields === undefined) break
    const [word, first = ''] = fields
    if (word === 'VERSION' && first !== '1') fail('authentication socket protocol version mismatch')
    else if (word === 'MECH') mechanisms.push(first.toUpperCase())
    else if (word === 'DONE') {
      return {
        mechanisms,
        async say(request) {
          send(request)
          return line()
        },
        close: () => void socket.destroy(),
      }
    }
  }
  fail('authentication socket protocol error: no end of the greeting')
  return { problem: problem ?? '' }
}

function cannotConnect(place: DovecotPlace): string {
  return 'path' in place
    ? `unable to connect to UNIX socket (${place.path})`
    : `failed to connect to any address for ${place.host}`
}

function socketTo(place: DovecotPlace): Socket {
  if ('path' in place) return connect({ path: place.path })
  const { host, port, tls } = place
  // As Exim: whoever answers there is believed; the service of a host of one's own has seldom a certificate of a name.
  return tls ? connectTls({ host, port, rejectUnauthorized: false }) : connect({ host, port })
}
