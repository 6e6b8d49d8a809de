/** Sends one UDP packet: the only door of the ACLs. */
import { createSocket } from 'node:dgram'
import { type ByteString, toBytes } from '../../base/text.ts'

/** Under which a connection that is only played keeps who takes its packets instead. */
export const packetKey = 'takes UDP packets'

/** Longest wait for the packet to leave. */
const LIMIT_MS = 2000

/** Sends the bytes; the result is what went wrong, if anything. */
export function sendDatagram(
  address: string,
  port: number,
  contents: ByteString,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const finish = (problem: string | undefined): void => {
      clearTimeout(timer)
      socket.close(() => resolve(problem))
    }
    const timer = setTimeout(() => finish('time limit'), LIMIT_MS)
    socket.once('error', (error) => finish(error.message))
    socket.send(toBytes(contents), port, address, (error) => finish(error?.message))
  })
}
