/** Who is at the other end when standard input is a TCP connection, as under inetd. */
import { Socket } from 'node:net'
import { fstatSync } from 'node:fs'
import { plainAddress } from '../../base/ip.ts'

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
  const { remotePort, localPort } = stdin
  const address = plainAddress(stdin.remoteAddress)
  return address === undefined || remotePort === undefined
    ? undefined
    : {
        address,
        port: remotePort,
        at: { address: plainAddress(stdin.localAddress) ?? '', port: localPort ?? 0 },
      }
}
