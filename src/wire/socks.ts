/** The client side of SOCKS version 5, over a connection to the proxy. Source: RFC 1928, RFC 1929. */
import type { Socket } from 'node:net'
import { parseIp } from '../base/ip.ts'

export interface SocksTarget {
  /** An IP address. */
  readonly address: string
  readonly port: number
  /** Undefined: no authentication. */
  readonly login: { readonly name: string; readonly password: string } | undefined
  readonly timeoutMs: number
}

/** RFC 1928 section 6. */
const problems: readonly string[] = [
  'succeeded',
  'general SOCKS server failure',
  'connection not allowed by ruleset',
  'Network unreachable',
  'Host unreachable',
  'Connection refused',
  'TTL expired',
  'Command not supported',
  'Address type not supported',
]

/** Asks the proxy for a connection; what went wrong, or undefined when the socket leads to the target. */
export async function throughSocks(socket: Socket, target: SocksTarget): Promise<string | undefined> {
  const reader = new Bytes(socket, target.timeoutMs)
  try {
    const method = target.login === undefined ? 0 : 2
    socket.write(Buffer.from([5, 1, method]))
    const [version, chosen] = await reader.take(2)
    if (version !== 5) return 'the proxy does not speak SOCKS 5'
    if (chosen !== method) return 'the proxy accepts none of our authentication methods'
    if (target.login !== undefined) {
      const { name, password } = target.login
      socket.write(Buffer.concat([Buffer.from([1]), counted(name), counted(password)]))
      const [, status] = await reader.take(2)
      if (status !== 0) return 'the proxy refused our authentication'
    }
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), addressOf(target.address), port(target.port)]))
    const [, reply, , kind] = await reader.take(4)
    if (reply !== 0) return problems[reply ?? -1] ?? `error ${reply}`
    const length = kind === 1 ? 4 : kind === 4 ? 16 : (await reader.take(1))[0]
    await reader.take((length ?? 0) + 2)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    reader.release()
  }
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1').subarray(0, 255)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

function port(number: number): Buffer {
  return Buffer.from([number >> 8, number & 0xff])
}

function addressOf(text: string): Buffer {
  const ip = parseIp(text)
  if (ip === undefined) throw new Error(`"${text}" is not an IP address`)
  const bytes = Buffer.from(ip.bytes)
  return Buffer.concat([Buffer.from([bytes.length === 4 ? 1 : 4]), bytes])
}

/** So many bytes at a time; what comes after the last is left to the socket. */
class Bytes {
  readonly #socket: Socket
  readonly #limitMs: number

  constructor(socket: Socket, limitMs: number) {
    this.#socket = socket
    this.#limitMs = limitMs
    socket.pause()
  }

  take(count: number): Promise<Buffer> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      const limit = this.#limitMs > 0 ? Math.min(this.#limitMs, 2 ** 31 - 1) : 2 ** 31 - 1
      const timer = setTimeout(() => end(new Error('the proxy does not answer')), limit)
      const end = (result: Buffer | Error): void => {
        clearTimeout(timer)
        socket.off('readable', look)
        socket.off('close', closed)
        socket.off('error', end)
        if (result instanceof Error) reject(result)
        else resolve(result)
      }
      const look = (): void => {
        const piece: unknown = socket.read(count)
        if (piece instanceof Buffer && piece.length === count) end(piece)
        else if (piece instanceof Buffer) end(new Error('the proxy closed the connection'))
      }
      const closed = (): void => end(new Error('the proxy closed the connection'))
      socket.on('readable', look)
      socket.on('close', closed)
      socket.on('error', end)
      look()
    })
  }

  release(): void {
    this.#socket.resume()
    this.#socket.pause()
  }
}
