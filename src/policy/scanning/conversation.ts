/** One question to a scanner over a socket: connects, sends, reads the answer to its end; bounded in time and size. */
import type { Socket } from 'node:net'
import { type ByteString, fromBytes, toBytes } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import { connectTo, connectToPath, systemError } from '../../wire/outbound.ts'

export type ScannerAddress =
  | { readonly path: string }
  | { readonly host: string; readonly firstPort: number; readonly lastPort: number }

/** As log lines and `$callout_address` show it. */
export function showAddress(to: ScannerAddress, address?: string, port?: number): string {
  return 'path' in to ? to.path : `[${address ?? to.host}]:${port ?? to.firstPort}`
}

export type Opened =
  | { readonly is: 'open'; readonly socket: Socket; readonly shown: string }
  | { readonly is: 'failed'; readonly shown: string; readonly problem: string }

/** Connects; with `retrySeconds` once more after that time. */
export async function openScanner(
  to: ScannerAddress,
  options: { readonly timeoutMs: number; readonly retrySeconds: number },
  context: Context,
): Promise<Opened> {
  let opened = await openOnce(to, options.timeoutMs, context)
  if (opened.is === 'failed' && options.retrySeconds > 0) {
    await new Promise((resolve) => setTimeout(resolve, options.retrySeconds * 1000))
    opened = await openOnce(to, options.timeoutMs, context)
  }
  if (opened.is === 'open') context.variables.set('callout_address', opened.shown)
  return opened
}

async function openOnce(to: ScannerAddress, timeoutMs: number, context: Context): Promise<Opened> {
  const { signal } = context
  if ('path' in to) {
    const made = await connectToPath(to.path, timeoutMs, signal)
    return made.is === 'connected'
      ? { is: 'open', socket: made.socket, shown: to.path }
      : {
          is: 'failed',
          shown: to.path,
          problem: `unable to connect to UNIX socket (${to.path}): ${made.message}`,
        }
  }
  const addresses = await addressesOf(to.host, context)
  if (addresses === undefined) {
    return { is: 'failed', shown: '', problem: `no IP address found for host ${to.host}` }
  }
  let problem = ''
  for (const address of addresses) {
    for (let port = to.firstPort; port <= to.lastPort; port++) {
      const made = await connectTo({ address, port, timeoutMs, signal })
      if (made.is === 'connected')
        return { is: 'open', socket: made.socket, shown: showAddress(to, address, port) }
      problem = made.message
    }
  }
  const shown = showAddress(to, addresses.length === 1 ? addresses[0] : undefined)
  return { is: 'failed', shown, problem: `failed to connect to any address for ${to.host}: ${problem}` }
}

async function addressesOf(
  host: string,
  { message, ports }: Context,
): Promise<readonly string[] | undefined> {
  if (/^[\d.]+$|:/.test(host)) return [host]
  const found = await ports.hostAddresses(host)
  if (found.is === 'found') return found.addresses
  ports.log.main(message?.id, `no IP address found for host ${host}`)
  return undefined
}

/** Port or `first-last`. Words that are none count as 0, which no connection is made to. */
export function readPorts(text: ByteString): { readonly firstPort: number; readonly lastPort: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const firstPort = Number(match?.[1] ?? 0)
  return { firstPort, lastPort: Math.max(firstPort, Number(match?.[2] ?? firstPort)) }
}

/** A path, or a host and a port. */
export function readScannerAddress(text: ByteString): ScannerAddress | undefined {
  const [host = '', port] = text.trim().split(/[ \t]+/)
  if (host.startsWith('/')) return { path: host }
  return host === '' || port === undefined ? undefined : { host, ...readPorts(port) }
}

export type Answer =
  | { readonly is: 'answer'; readonly text: ByteString }
  | { readonly is: 'failed'; readonly problem: string }

export interface Question {
  readonly pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** The end of what we send is told by closing our half. */
  readonly half: boolean
  /** For everything from now on. */
  readonly timeoutMs: number
  readonly mostBytes: number
  /** Said before the connection is ended. */
  readonly farewell?: ByteString
}

/** Sends all pieces and reads until the scanner closes. The connection is over afterwards. */
export function converse(socket: Socket, question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    let over = false
    const end = (answer: Answer): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      if (question.farewell !== undefined && socket.writable) socket.write(toBytes(question.farewell))
      socket.destroy()
      resolve(answer)
    }
    const complete = (): void => end({ is: 'answer', text: fromBytes(Buffer.concat(chunks)) })
    const timer = setTimeout(() => {
      end({ is: 'failed', problem: 'unable to read from socket (Connection timed out)' })
    }, question.timeoutMs)
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      if (size >= question.mostBytes) complete()
    })
    socket.on('end', complete)
    socket.on('close', complete)
    socket.on('error', (error) => {
      // A scanner that has said what it thinks may not want the rest.
      if (size > 0) complete()
      else end({ is: 'failed', problem: `unable to read from socket (${systemError(error).message})` })
    })
    send(socket, question, () => over).catch((error: unknown) => {
      if (size === 0) end({ is: 'failed', problem: error instanceof Error ? error.message : String(error) })
    })
  })
}

async function send(socket: Socket, question: Question, isOver: () => boolean): Promise<void> {
  for await (const piece of question.pieces) {
    if (isOver()) return
    if (socket.write(piece)) continue
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go)
        socket.off('close', go)
        resolve()
      }
      socket.on('drain', go)
      socket.on('close', go)
    })
  }
  if (question.half && !isOver()) socket.end()
}

/**
 * The lines of a scanner that is asked one thing after the other; whoever stops asking ends the connection.
 * @throws when its time is over, it says too much, or the network fails
 */
export async function* linesOf(
  socket: Socket,
  timeoutMs: number,
  mostBytes: number,
): AsyncGenerator<ByteString> {
  const timer = setTimeout(() => socket.destroy(new Error('Connection timed out')), timeoutMs)
  let size = 0
  let held = ''
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > mostBytes) throw new Error('it says too much')
      const lines = (held + fromBytes(chunk)).split('\n')
      held = lines.pop() ?? ''
      for (const line of lines) yield line.replace(/\r$/, '')
    }
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

export function textPieces(text: ByteString): Iterable<Uint8Array> {
  return [toBytes(text)]
}
