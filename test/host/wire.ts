/**
 * The far ends, started beside the machine in its network.
 *
 *     wire.js sink PORT FILE          takes every message, appends it to FILE
 *     wire.js send PORT FROM TO TEXT  gives one message to 127.0.0.1, ends with 0 when it was taken
 */
import { appendFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'

const [what, port, ...words] = process.argv.slice(2)
if (what === 'sink') sink(words[0] ?? '')
else send(words[0] ?? '', words[1] ?? '', words[2] ?? '')

function sink(file: string): void {
  createServer((socket) => {
    let data = false
    let rest = ''
    socket.on('error', () => socket.destroy())
    socket.write('220 sink.example ESMTP\r\n')
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (data) {
          appendFileSync(file, `${line}\n`)
          if (line !== '.') continue
          data = false
          socket.write('250 taken\r\n')
        } else if (/^data/i.test(line)) {
          data = true
          socket.write('354 go on\r\n')
        } else if (/^quit/i.test(line)) socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  }).listen(Number(port), '127.0.0.1')
  setTimeout(() => process.exit(0), 900_000)
}

function send(from: string, to: string, text: string): void {
  const steps = [
    'EHLO client.example',
    `MAIL FROM:<${from}>`,
    `RCPT TO:<${to}>`,
    'DATA',
    `Subject: ${text}\r\n\r\n${text}\r\n.`,
    'QUIT',
  ]
  const socket = connect(Number(port), '127.0.0.1')
  let rest = ''
  socket.setTimeout(30_000, () => fail('no answer'))
  socket.on('error', (error) => fail(error.message))
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (/^\d{3}-/.test(line)) continue
      if (!/^[23]/.test(line)) fail(line)
      const next = steps.shift()
      if (next === undefined) process.exit(0)
      socket.write(`${next}\r\n`)
    }
  })
}

function fail(why: string): never {
  console.error(`send: ${why}`)
  process.exit(1)
}
