/** Who is at the other end when standard input is a TCP connection, as under inetd. */
import { Socket } from 'node:net'
import { fstatSync } from 'node:fs'

export function inetdPeer(): { readonly address: string; readonly port: number } | undefined {
  try {
    if (!fstatSync(0).isSocket()) return undefined
  } catch {
    return undefined
  }
  const { stdin } = process
  if (!(stdin instanceof Socket)) return undefined
  const { remoteAddress, remotePort } = stdin
  return remoteAddress === undefined || remotePort === undefined
    ? undefined
    : { address: remoteAddress, port: remotePort }
}
