/** `postern start`: the real program, from an empty folder to mail in a Maildir, and its end. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, postern, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

interface Started {
  readonly process: ChildProcess
  readonly port: number
  readonly data: string
  output(): string
  log(name?: string): string
  /** Resolves to the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

async function start(data: string, port: number): Promise<Started> {
  const child = spawn(postern, ['start', '--port', String(port), '--data', data], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const ready = await until(
    () => (output.includes('Ctrl-C') || child.exitCode !== null ? true : undefined),
    20_000,
  )
  assert.ok(ready && child.exitCode === null, output)
  return {
    process: child,
    port,
    data,
    output: () => output,
    log(name = 'mainlog') {
      const path = join(data, 'logs', name)
      return existsSync(path) ? readFileSync(path, 'latin1') : ''
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

const folder = temporaryFolder('start')
const data = join(folder.path, 'postern-data')
const login = spawnSync('id', ['-un'], { encoding: 'utf8' }).stdout.trim()
const mailbox = (user: string): string[] => {
  const path = join(data, 'mail', user, 'new')
  return existsSync(path) ? readdirSync(path).map((name) => readFileSync(join(path, name), 'latin1')) : []
}
let server: Started

before(async () => {
  server = await start(data, await freePort())
})
after(() => {
  server.process.kill('SIGKILL')
  folder.remove()
})

test('postern start says where it listens, where mail and logs go, and what to try', () => {
  const output = server.output()
  assert.match(output, new RegExp(`listens on 127\\.0\\.0\\.1:${server.port}`))
  assert.match(output, /Mail for USER is delivered into .*postern-data\/mail\/USER/)
  assert.match(output, /Logs are written to .*postern-data\/logs\/mainlog/)
  assert.match(output, new RegExp(`swaks --server 127\\.0\\.0\\.1:${server.port} --to ${login}@localhost`))
})

test('a message for a user of this machine lands in the Maildir, with its three log lines', async () => {
  const client = await connectSmtp(server.port)
  assert.equal(client.greeting.code, 220)
  assert.equal((await client.say('EHLO client.example')).code, 250)
  const answer = await client.deliver(
    'me@localhost',
    [`${login}@localhost`],
    'Subject: first\r\n\r\nfirst mail\r\n',
  )
  assert.match(answer.raw, /^250 OK id=([0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4})\r\n$/)
  const id = /id=(\S+)/.exec(answer.raw)?.[1] ?? ''
  await until(() => (server.log().includes(`${id} Completed`) ? true : undefined), 10_000)
  const lines = server
    .log()
    .split('\n')
    .filter((line) => line.includes(id))
    .map((line) => line.slice(20))
  assert.match(
    lines[0] ?? '',
    new RegExp(`^${id} <= me@localhost H=\\(client\\.example\\) \\[127\\.0\\.0\\.1\\] P=esmtp S=\\d+$`),
  )
  assert.deepEqual(lines.slice(1), [
    `${id} => ${login} <${login}@localhost> R=local_user T=maildir`,
    `${id} Completed`,
  ])
  const [mail = ''] = mailbox(login)
  assert.match(mail, /^Return-path: <me@localhost>\nEnvelope-to: /)
  assert.match(mail, /\nReceived: from \[127\.0\.0\.1\] \(helo=client\.example\)\n\tby /)
  assert.match(mail, /\nSubject: first\n\nfirst mail\n$/)
  assert.equal((await client.say('QUIT')).code, 221)
})

test('mail for postmaster goes to whoever started it', async () => {
  const client = await connectSmtp(server.port)
  await client.say('HELO client.example')
  const answer = await client.deliver(
    'me@localhost',
    ['postmaster@localhost'],
    'Subject: to postmaster\r\n\r\nx\r\n',
  )
  assert.equal(answer.code, 250)
  const found = await until(() => mailbox(login).find((mail) => mail.includes('to postmaster')), 10_000)
  assert.ok(found, server.log())
  client.end()
})

test('an unknown user gets 550', async () => {
  const client = await connectSmtp(server.port)
  await client.say('HELO client.example')
  await client.say('MAIL FROM:<me@localhost>')
  assert.equal((await client.say('RCPT TO:<no.such.user@localhost>')).raw, '550 unknown user\r\n')
  client.end()
})

test('a whole session may be piped in at once', async () => {
  const client = await connectSmtp(server.port)
  client.send(
    `HELO x\r\nMAIL FROM:<me@localhost>\r\nRCPT TO:<${login}@localhost>\r\nDATA\r\nSubject: piped\r\n\r\nx\r\n.\r\nQUIT\r\n`,
  )
  const codes: number[] = []
  for (let i = 0; i < 6; i++) codes.push((await client.reply()).code)
  assert.deepEqual(codes, [250, 250, 250, 354, 250, 221])
})

test('nothing runs as root, nothing in the data folder is open to others for writing', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8')
  assert.doesNotMatch(status, /^Uid:\s+0\s/m)
})

test('a second server on the same port is told so in one sentence', async () => {
  const other = temporaryFolder('start-second')
  try {
    const done = spawnSync(
      postern,
      ['start', '--port', String(server.port), '--data', join(other.path, 'data')],
      {
        encoding: 'utf8',
        timeout: 30_000,
      },
    )
    assert.equal(done.status, 1)
    assert.match(
      done.stderr,
      /^postern start: cannot listen on 127\.0\.0\.1:\d+: another program does already .*\n$/,
    )
  } finally {
    other.remove()
  }
})

test('a port that an unknown program holds does not hurt the data of a server that cannot start', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => holder.once('listening', resolve))
  const address = holder.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const done = spawnSync(postern, ['start', '--port', String(port), '--data', data], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  holder.close()
  assert.equal(done.status, 1)
  assert.equal((await connectSmtp(server.port)).greeting.code, 220)
})

test('SIGTERM: an idle session gets 421, one in DATA finishes, exit code 0; a restart goes on', async () => {
  const idle = await connectSmtp(server.port)
  await idle.say('HELO idle.example')
  const busy = await connectSmtp(server.port)
  await busy.say('HELO busy.example')
  await busy.say('MAIL FROM:<me@localhost>')
  await busy.say(`RCPT TO:<${login}@localhost>`)
  assert.equal((await busy.say('DATA')).code, 354)
  const ended = server.end('SIGTERM')
  assert.equal((await idle.reply()).code, 421)
  busy.send('Subject: at the end\r\n\r\nx\r\n.\r\n')
  assert.match((await busy.reply()).raw, /^250 OK id=/, server.log())
  assert.equal(await ended, 0)
  assert.equal(existsSync(join(data, 'postern.pid')), false)

  server = await start(data, server.port)
  const found = await until(() => mailbox(login).find((mail) => mail.includes('at the end')), 10_000)
  assert.ok(found, server.log())
})

test('Ctrl-C ends it cleanly', async () => {
  assert.equal(await server.end('SIGINT'), 0)
  assert.doesNotMatch(server.output(), /\n {4}at /)
})
