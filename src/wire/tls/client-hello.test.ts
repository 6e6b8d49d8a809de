/** ClientHellos of real clients and broken ones. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { parseClientHello } from './client-hello.ts'

/** The first bytes that Node's own client sends. */
function helloOf(options: ConnectionOptions & { requestOCSP?: boolean }): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        resolve(bytes)
        socket.destroy()
        server.close()
      })
    }).listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }).on('error', () => {})
    })
  })
}

test('what a client wants is read from its first message', async () => {
  const bytes = await helloOf({
    servername: 'mail.example',
    requestOCSP: true,
    ALPNProtocols: ['smtp', 'h2'],
  })
  const parsed = parseClientHello(bytes)
  assert.ok(parsed.is === 'hello')
  const { hello } = parsed
  assert.equal(hello.serverName, 'mail.example')
  assert.deepEqual(hello.protocols, ['smtp', 'h2'])
  assert.equal(hello.asksForOcsp, true)
  assert.equal(hello.knowsTls13, true)
  assert.equal(hello.bringsSession, false)
  assert.ok(hello.ciphers.has(0x1302))
  assert.ok(hello.signatures.has(0x0403))
})

test('a client that wants nothing of all that', async () => {
  const parsed = parseClientHello(await helloOf({ maxVersion: 'TLSv1.2' }))
  assert.ok(parsed.is === 'hello')
  const { serverName, protocols, asksForOcsp, knowsTls13 } = parsed.hello
  assert.deepEqual(
    { serverName, protocols, asksForOcsp, knowsTls13 },
    { serverName: '', protocols: undefined, asksForOcsp: false, knowsTls13: false },
  )
})

test('however it is cut, more is waited for until it is whole', async () => {
  const bytes = await helloOf({ servername: 'mail.example' })
  for (let length = 0; length < bytes.length; length++)
    assert.equal(parseClientHello(bytes.subarray(0, length)).is, 'more', `${length}`)
  assert.equal(parseClientHello(bytes).is, 'hello')
  // One message in many records: RFC 8446 section 5.1.
  const body = bytes.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < body.length; at += 50) {
    const piece = body.subarray(at, at + 50)
    records.push(Buffer.from([22, 3, 1, 0, piece.length]), piece)
  }
  const parsed = parseClientHello(Buffer.concat(records))
  assert.ok(parsed.is === 'hello')
  assert.equal(parsed.hello.serverName, 'mail.example')
})

test('commands in clear and random bytes are no ClientHello, and no exception', async () => {
  assert.equal(parseClientHello(Buffer.from('RSET\r\nMAIL FROM:<a@b>\r\n')).is, 'other')
  assert.equal(parseClientHello(Buffer.from([22, 3, 1, 0, 0])).is, 'other')
  assert.equal(parseClientHello(Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])).is, 'other')
  const bytes = await helloOf({ servername: 'mail.example', ALPNProtocols: ['smtp'] })
  for (let i = 0; i < 5000; i++) {
    const broken = Buffer.from(bytes)
    for (let n = 0; n < 3; n++)
      broken[5 + Math.floor(Math.random() * (broken.length - 5))] = Math.floor(Math.random() * 256)
    assert.ok(['hello', 'more', 'other'].includes(parseClientHello(broken).is))
  }
})
