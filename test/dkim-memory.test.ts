/** DKIM of a large message through the real program: the body is never held as a whole. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BodyHashes } from '../src/policy/msgauth/dkim/body-hash.ts'
import { HeaderSet } from '../src/policy/msgauth/dkim/headers.ts'
import { beginSigning, finishSigning } from '../src/policy/msgauth/dkim/sign.ts'
import { rsaKey } from './support/dkim-world.ts'
import { startDnsServer } from './support/dns-server.ts'
import { processTree } from './support/processes.ts'
import { startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const megabytes = 150
const key = rsaKey(2048)
const piece = Buffer.alloc(1_048_576, 'Some words of a message, as long as lines are when people write.\r\n')
piece.write('\r\n', piece.length - 2)
const headers = ['From: A <a@example.test>\n', 'To: b@here.test\n', 'Subject: large\n']

/** The signature of the message of so many pieces. */
function signature(): string {
  const hashes = new BodyHashes()
  const signing = beginSigning(
    {
      domain: 'example.test',
      selector: 'sel',
      key: key.privateKey,
      hash: 'sha256',
      canonicalisation: 'relaxed',
      identity: undefined,
      times: undefined,
      headers: ['From', 'To', 'Subject'],
    },
    hashes,
  )
  // Line ends are LF inside.
  const inside = Buffer.from(piece.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
  for (let i = 0; i < megabytes; i++) hashes.push(inside)
  hashes.finish()
  return finishSigning(signing, new HeaderSet(headers))
}

/** The most that any one process of the tree ever had, in MB. */
function peak(root: number): number {
  const found = processTree(root).map(({ pid }) => {
    const path = `/proc/${pid}/status`
    return existsSync(path) ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(path, 'latin1'))?.[1] ?? 0) : 0
  })
  return Math.max(...found) / 1024
}

test('DKIM: memory stays flat while a signed message of 150 MB comes in, and it verifies', {
  skip: existsSync('/proc/self/status') ? false : 'needs /proc',
}, async () => {
  const folder = temporaryFolder('dkim-memory')
  chmodSync(folder.path, 0o777)
  const dns = await startDnsServer({
    'sel._domainkey.example.test TXT': [
      { type: 'TXT', data: `v=DKIM1; p=${key.data}`.match(/.{1,200}/g) ?? [] },
    ],
  })
  const server = await startServer({
    configuration:
      'primary_hostname = mx.test\nmessage_size_limit = 200M\nacl_smtp_rcpt = accept\nhost_lookup =\n' +
      'log_selector = +dkim_verbose\nnever_users =\nbegin routers\nkeep:\n driver = accept\n transport = t\n' +
      `begin transports\nt:\n driver = appendfile\n file = ${join(folder.path, 'mail')}\n`,
    folder: folder.path,
    arguments: ['-odq'],
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
  try {
    const client = await connectSmtp(server.port, '127.0.0.1', 120_000)
    await client.say('EHLO client.test')
    await client.deliver('a@example.test', ['b@here.test'], `${headers.join('')}\r\nsmall\r\n`)
    const before = peak(server.process.pid ?? 0)
    await client.say('MAIL FROM:<a@example.test>')
    await client.say('RCPT TO:<b@here.test>')
    await client.say('DATA')
    client.send(`${(signature() + headers.join('')).replaceAll('\n', '\r\n')}\r\n`)
    for (let i = 0; i < megabytes; i++) {
      if (!client.socket.write(piece)) await once(client.socket, 'drain')
    }
    client.send('.\r\n')
    assert.equal((await client.reply()).code, 250)
    client.end()
    assert.match(server.log(), /DKIM: d=example\.test s=sel .*\[verification succeeded\]/)
    const grown = peak(server.process.pid ?? 0) - before
    assert.ok(grown < megabytes / 2, `grown by ${grown.toFixed(0)} MB`)
  } finally {
    await server.stop()
    await dns.close()
    folder.remove()
  }
})
