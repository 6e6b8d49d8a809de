/** Who is at the other end when standard input is a TCP connection, as under inetd. */
import { Socket } from 'node:net'
import { fstatSync } from 'node:fs'

export interface InetdPeer {
  readonly address: string
  readonly port: number
  /** Our own end of the connection. */
  readonly at: { readonly address: string; readonly port: number }
}

export function inetdPeer(): InetdPeer | undefined {
  try {
    if (!fstatSync(0).isSocket()) return undefined
  } catch {
    return undefined
  }
  const { stdin } = process
  if (!(stdin instanceof Socket)) return undefined
  const { remoteAddress, remotePort, localAddress, localPort } = stdin
  return remoteAddress === undefined || remotePort === undefined
    ? undefined
    : {
        address: remoteAddress,
        port: remotePort,
        at: { address: localAddress ?? '', port: localPort ?? 0 },
      }
}
