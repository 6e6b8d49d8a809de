/**
 * Asks a real Exim and Postern about DNS lists with `-bh`, and prints what each answered as JSON. Runs by itself in a
 * network of its own, where port 53 is free and /etc/resolv.conf names 127.0.0.1: `unshare -mn`.
 */
import { spawn } from 'node:child_process'
import { startDnsServer, type Zone } from './dns-server.ts'
import { dnslistsRows } from './dnslists-rows.ts'
import { postern } from './server.ts'

const a = (...addresses: string[]): Zone[string] => addresses.map((data) => ({ type: 'A', data }))
const txt = (data: string): Zone[string] => [{ type: 'TXT', data }]
const zone: Zone = {
  '4.2.0.192.one.test A': a('127.0.0.2'),
  '4.2.0.192.one.test TXT': txt('listed in one'),
  '4.2.0.192.two.test A': a('127.0.0.3', '127.0.0.5'),
  '4.2.0.192.two.test TXT': txt('listed in two'),
  '4.2.0.192.text.test TXT': txt('text elsewhere'),
  '4.2.0.192.bits.test A': a('127.0.0.6'),
  '4.2.0.192.strange.test A': a('192.0.2.1'),
  '4.2.0.192.late.test A': 'servfail',
  'b.example.names.test A': a('127.0.0.2'),
  'b.example.names.test TXT': txt('a bad name'),
  '9.2.0.192.one.test A': a('127.0.0.9'),
  'key.names.test A': a('127.0.0.4'),
  '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.one.test A': a('127.0.0.6'),
}

const [program = '', theirs = '', ours = ''] = process.argv.slice(2)
const server = await startDnsServer(zone, { port: 53 })
const input = [
  'HELO c.example',
  'MAIL FROM:<a@b.example>',
  ...dnslistsRows.map((_, i) => `RCPT TO:<r${i}@test.example>`),
  'QUIT',
].join('\r\n')

async function ask(command: string, configuration: string, server53: string): Promise<string[]> {
  const child = spawn(command, ['-C', configuration, '-bh', '192.0.2.4'], {
    env: { ...process.env, POSTERN_DNS: server53 },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('latin1')))
  child.stderr.resume()
  child.stdin.end(`${input}\r\n`)
  await new Promise((resolve) => child.once('close', resolve))
  const replies = output.split('\r\n').filter((line) => /^\d{3} /.test(line))
  // The banner, HELO, MAIL come before.
  return replies.slice(3, 3 + dnslistsRows.length)
}

const said = {
  theirs: await ask(program, theirs, '127.0.0.1:53'),
  ours: await ask(postern, ours, '127.0.0.1:53'),
}
await server.close()
process.stdout.write(JSON.stringify(said))
