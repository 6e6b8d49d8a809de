/** Dialogues in an explanation: a callout's with a second server, and those of the lmtp transport, held under another uid. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('explain-dialogues')
const otherFolder = temporaryFolder('explain-dialogues-other')
const socketPath = join(folder.path, 'lmtp.sock')
const command = join(folder.path, 'lmtpd.cjs')
/** As root, deliveries run under another uid, so the dialogue comes back from another process. */
const user = process.getuid?.() === 0 ? '  user = nobody\n' : ''
let lmtpd: Server
let other: StartedServer
let server: StartedServer

/** An LMTP server as a function: what it answers to each line, for whatever is at the other end. */
const answersOfLmtp = `
module.exports = (say) => {
  let rcpts = [], data = false, rest = ''
  say('220 lmtp here')
  return (text) => {
    rest += text
    for (let end = rest.indexOf('\\r\\n'); end >= 0; end = rest.indexOf('\\r\\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 2)
      if (data) {
        if (line !== '.') continue
        data = false
        for (const rcpt of rcpts) say(rcpt.includes('full') ? '452 4.2.2 over quota' : '250 2.1.5 filed')
      } else if (line.startsWith('LHLO')) say('250-lmtp\\r\\n250 PIPELINING')
      else if (line.startsWith('RCPT') && line.includes('gone')) say('550 5.1.1 nobody here')
      else if (line.startsWith('RCPT')) { rcpts.push(line); say('250 2.1.5 go on') }
      else if (line === 'DATA') { data = true; say('354 go') }
      else say('250 ok')
    }
  }
}
if (require.main === module) {
  const take = module.exports((text) => process.stdout.write(text + '\\r\\n'))
  process.stdin.on('data', (bytes) => take(bytes.toString('latin1')))
}
`

const otherConfiguration = `primary_hostname = second.test
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  deny local_parts = gone
       message = she left in May
  accept
`

const configuration = (port: number): string => `primary_hostname = mx.test
explain_store = 200
received_header_text =
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  require verify = recipient/callout=10s
  accept
begin routers
called:
  driver = manualroute
  domains = far.test
  route_list = * 127.0.0.1::${port}
  self = send
  transport = smtp
socket:
  driver = accept
  domains = socket.test
  transport = socket
command:
  driver = accept
  domains = command.test
  transport = command
nothing:
  driver = accept
  domains = nothing.test
  transport = nothing
begin transports
smtp:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
socket:
  driver = lmtp
  batch_max = 10
  socket = ${socketPath}
${user}command:
  driver = lmtp
  batch_max = 10
  command = ${process.execPath} ${command}
${user}nothing:
  driver = lmtp
  socket = ${folder.path}/nobody-listens.sock
${user}begin retry
* * F,2h,15m
`

before(async () => {
  chmodSync(folder.path, 0o755)
  writeFileSync(command, answersOfLmtp)
  const { default: answers } = (await import(command)) as {
    default: (say: (text: string) => void) => (text: string) => void
  }
  lmtpd = createServer((connection) => {
    const take = answers((text) => connection.write(`${text}\r\n`))
    connection.on('data', (bytes: Buffer) => take(bytes.toString('latin1')))
    connection.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => lmtpd.listen(socketPath, resolve))
  chmodSync(socketPath, 0o777)
  const port = await freePort()
  other = await startServer({ configuration: otherConfiguration, folder: otherFolder.path, port })
  server = await startServer({ configuration: configuration(port), folder: folder.path })
})
after(async () => {
  await server.stop()
  await other.stop()
  await new Promise((resolve) => lmtpd.close(resolve))
  folder.remove()
  otherFolder.remove()
})

async function explained(pattern: RegExp, ...args: readonly string[]): Promise<string> {
  let last = ''
  const found = await until(() => {
    const { stdout, stderr } = spawnSync(postern, ['explain', '-C', server.configurationFile, ...args], {
      encoding: 'utf8',
    })
    last = stdout + stderr
    return pattern.test(stdout) ? stdout : undefined
  }, 30_000)
  assert.ok(found !== undefined, `${pattern}\n${last}`)
  return found
}

/** Hands a message over; gives its id, and the answers to RCPT. */
async function send(...to: readonly string[]): Promise<{ readonly id: string; readonly answers: string }> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  await client.say('MAIL FROM:<ann@client.test>')
  let answers = ''
  for (const each of to) answers += (await client.say(`RCPT TO:<${each}>`)).raw
  const data = await client.say('DATA')
  const raw = data.code === 354 ? (await client.say('Subject: x\r\n\r\nbody\r\n.')).raw : ''
  await client.say('QUIT')
  return { id: /id=(\S+)/.exec(raw)?.[1] ?? '', answers }
}

test('a callout that the second server refuses: the host, and each command with its answer', async () => {
  const { answers } = await send('gone@far.test')
  assert.match(answers, /^550/)
  const text = await explained(/RCPT TO:<gone@far\.test>/, '--rejected', '--last', '1')
  // The first screen has it already.
  assert.match(
    text,
    /decided by "require verify = recipient\/callout=10s" in \S+exim\.conf:\d+\n[^]*\n +RCPT TO:<gone@far\.test> -> 550 she left in May\n/,
  )
  assert.doesNotMatch(text, / QUIT ->/)
  const steps = await explained(/Every step:/, '--trace', /\(trace (\S+)\)/.exec(text)?.[1] ?? '')
  const host = /\n( +)host 127\.0\.0\.1 \[127\.0\.0\.1\]:\d+ -> (.*)\n/.exec(steps)
  assert.ok(host !== null, steps)
  assert.match(host[2] ?? '', /550.* she left in May/)
  const within = (host[1] ?? '').length + 2
  const dialogue = [...steps.matchAll(/\n( +)sent (.*)(?=\n)/g)]
  assert.ok(dialogue.every(([, indent = '']) => indent.length === within))
  const expected = [
    /^\(connects\) -> 220 second\.test ESMTP/,
    /^EHLO mx\.test -> 250-second\.test Hello/,
    /^MAIL FROM:<> ?.* -> 250 OK/,
    /^RCPT TO:<gone@far\.test> -> 550 she left in May/,
  ]
  for (const [i, line] of expected.entries()) assert.match(dialogue[i]?.[2] ?? '', line)
})

test('a callout that the second server accepts', async () => {
  const { answers, id } = await send('bob@far.test')
  assert.match(answers, /^250/)
  await server.logged(new RegExp(`${id} Completed`))
  const text = await explained(/delivery of/, id)
  const callout = text.slice(0, text.indexOf('delivery of'))
  assert.match(callout, /verify recipient bob@far\.test -> ok/)
  assert.match(callout, /host 127\.0\.0\.1 \[127\.0\.0\.1\]:\d+ -> ok/)
  assert.match(callout, /sent RCPT TO:<bob@far\.test> -> 250 Accepted/)
})

for (const [says, domain, whom] of [
  ['a socket', 'socket.test', `socket ${socketPath}`],
  ['a command', 'command.test', `command ${process.execPath} ${command}`],
] as const)
  test(`lmtp to ${says}: each command with its answer, one for each recipient at the end`, async () => {
    const to = ['ann', 'gone', 'full'].map((name) => `${name}@${domain}`)
    const { id } = await send(...to)
    await server.logged(new RegExp(`${id} == full@${domain}`))
    const text = await explained(/delivery of/, id)
    const delivery = text.slice(text.indexOf('delivery of'))
    const within = delivery.slice(delivery.lastIndexOf('transport '))
    assert.ok(within.includes(`\n  host ${whom} -> took it`), delivery)
    const after = '(?: {2}\\(after \\d+ ms\\))?\\n'
    const lines = [
      `sent \\(connects\\) -> 220 lmtp here${after}`,
      `sent LHLO mx\\.test -> 250-lmtp \\| 250 PIPELINING${after}`,
      `sent MAIL FROM:<ann@client\\.test> -> 250 ok${after}`,
      `sent RCPT TO:<ann@${domain}> -> 250 2\\.1\\.5 go on${after}`,
      `sent RCPT TO:<gone@${domain}> -> 550 5\\.1\\.1 nobody here${after}`,
      `sent RCPT TO:<full@${domain}> -> 250 2\\.1\\.5 go on${after}`,
      `sent DATA -> 354 go${after}`,
      `sent \\(the message\\) -> 250 2\\.1\\.5 filed${after}`,
      `sent \\(the message\\) -> 452 4\\.2\\.2 over quota${after}`,
    ]
    assert.match(within, new RegExp(lines.map((line) => ` {4}${line}`).join('')))
    assert.doesNotMatch(within, /QUIT/)
    // Nobody had to read every step: the refusals stand on the first screen.
    const brief = await explained(/delivery of/, id, '--brief')
    assert.match(
      brief,
      new RegExp(`full@${domain}: deferred: LMTP error after end of data: 452 4\\.2\\.2 over quota`),
    )
  })

test('lmtp to a socket where nobody listens', async () => {
  const { id } = await send('ann@nothing.test')
  await server.logged(new RegExp(`${id} == ann@nothing`))
  const text = await explained(/delivery of/, id)
  assert.match(
    text,
    /host socket \S+nobody-listens\.sock -> Failed to connect to socket \S+ for \w+ transport: No such file or directory.*\n {4}sent \(connects\) -> \(Failed to connect to socket \S+ for \w+ transport: No such file or directory\)/,
  )
})
