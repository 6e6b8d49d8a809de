/** One question to one name server, over UDP or TCP: sockets in, a checked reply out. */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { decodeReply, encodeQuery, type Query, type Reply } from './message.ts'
import type { NameServer } from './servers.ts'

export type Exchanged = Reply | 'timeout' | 'unreachable'

/** Signature of both ways, so that tests can put a table in their place. */
export type Exchange = (query: Query, server: NameServer, timeoutMs: number) => Promise<Exchanged>

/**
 * A fresh socket for each query gives it a port of its own that a forger has to guess, and connecting it makes the
 * kernel drop what other hosts send. Source: RFC 5452 sections 4.5 and 9.2.
 */
export const exchangeUdp: Exchange = (query, server, timeoutMs) =>
  new Promise((resolve) => {
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4')
    let done = false
    const finish = (result: Exchanged): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      socket.close()
      resolve(result)
    }
    const timer = setTimeout(() => finish('timeout'), timeoutMs)
    socket.on('error', () => finish('unreachable'))
    socket.on('message', (bytes) => {
      // What does not fit the query is ignored: the true reply may still come.
      const reply = decodeReply(bytes, query)
      if (reply !== undefined) finish(reply)
    })
    // Node calls it with the error too, as when there is no route (a host without network): then nothing can be sent.
    socket.connect(server.port, server.address, (error?: unknown) => {
      if (error !== undefined && error !== null) finish('unreachable')
      else if (!done) socket.send(encodeQuery(query))
    })
  })

/** For replies that do not fit a datagram. Source: RFC 7766. */
export const exchangeTcp: Exchange = (query, server, timeoutMs) =>
  new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port })
    let received = Buffer.alloc(0)
    const finish = (result: Exchanged): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => finish('timeout'), timeoutMs)
    socket.on('error', () => finish('unreachable'))
    socket.on('close', () => finish('unreachable'))
    socket.on('connect', () => {
      const bytes = encodeQuery(query)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(bytes.length)
      socket.write(Buffer.concat([length, bytes]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2) return
      const length = received.readUInt16BE(0)
      if (received.length < length + 2) return
      finish(decodeReply(received.subarray(2, length + 2), query) ?? 'unreachable')
    })
  })
