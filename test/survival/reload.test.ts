/** A new version of the program, or a changed configuration, is taken up while sessions are open: none is cut. */
import assert from 'node:assert/strict'
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { processTree } from '../support/processes.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp, type SmtpClient } from '../support/smtp-client.ts'

const openSessions = 1000

function reload(server: StartedServer, ...words: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(postern, ['reload', '-C', server.configurationFile, ...words], {
    encoding: 'latin1',
    timeout: 90_000,
  })
}

const folder = temporaryFolder('reload')
after(() => folder.remove())
const mail = join(folder.path, 'mail')
const configuration = `primary_hostname = mx.example
smtp_banner = first
smtp_accept_max = 0
smtp_accept_max_per_host = 0
acl_smtp_rcpt = accept
begin routers
all:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = ${mail}
  create_file = anywhere
  user = ${process.getuid?.() === 0 ? 65534 : process.getuid?.()}
  group = ${process.getuid?.() === 0 ? 65534 : process.getgid?.()}
`

test(`${openSessions} open sessions survive postern reload --binary, and their mail arrives`, async () => {
  chmodSync(folder.path, 0o777)
  const pidFile = join(folder.path, 'pid')
  const server = await startServer({
    configuration,
    folder: folder.path,
    arguments: ['-q1m', '-oP', pidFile],
  })
  const clients: SmtpClient[] = []
  const workers = (): number[] =>
    processTree(server.process.pid ?? 0)
      .filter(({ parent, command }) => parent === server.process.pid && !command.includes('job-child'))
      .map(({ pid }) => pid)
  try {
    while (clients.length < openSessions) {
      clients.push(...(await Promise.all(Array.from({ length: 50 }, () => connectSmtp(server.port)))))
    }
    const [inData, ...others] = clients
    assert.ok(inData)
    await inData.say('EHLO client.example')
    await inData.say('MAIL FROM:<a@b.example>')
    await inData.say('RCPT TO:<c@d.example>')
    await inData.say('DATA')
    inData.send('Subject: begun before\r\n\r\nfirst half, ')

    const old = workers()
    const file = server.configurationFile
    writeFileSync(file, readFileSync(file, 'latin1').replace('smtp_banner = first', 'smtp_banner = second'))
    const asked = reload(server, '--binary', '--pid-file', pidFile)
    assert.equal(asked.status, 0, asked.stderr + server.log())
    assert.match(asked.stdout, /^workers of version [\d.]+ serve; open sessions go on/)

    const fresh = await connectSmtp(server.port)
    assert.equal(fresh.greeting.lines[0], 'second')
    fresh.end()
    assert.ok(workers().every((pid) => !old.includes(pid)) === false, 'the old worker goes on')

    inData.send('second half\r\n.\r\n')
    assert.equal((await inData.reply()).code, 250)
    const answers = await Promise.all(others.map((client) => client.say('NOOP').catch(() => undefined)))
    assert.equal(answers.filter((answer) => answer?.code === 250).length, openSessions - 1)
    await until(() => (server.log().includes('Completed') ? true : undefined), 20_000)
    assert.match(readFileSync(mail, 'latin1'), /first half, second half/)

    for (const client of clients) client.end()
    const ended = await until(() => (workers().some((pid) => old.includes(pid)) ? undefined : true), 20_000)
    assert.ok(ended, 'the old worker ends with its last session')
    assert.doesNotMatch(server.log('panic'), /worker/)
  } finally {
    for (const client of clients) client.end()
    await server.stop()
  }
})

test('reload with a mistake in the configuration asks the daemon nothing; by SIGHUP the daemon says why it keeps the old one', async () => {
  const pidFile = join(folder.path, 'pid')
  const server = await startServer({ configuration, folder: folder.path, arguments: ['-oP', pidFile] })
  try {
    const file = server.configurationFile
    writeFileSync(file, `no_such_option = 1\n${readFileSync(file, 'latin1')}`)
    const before = server.log().length
    const asked = reload(server, '--pid-file', pidFile)
    assert.equal(asked.status, 1)
    assert.match(asked.stderr, /main option "no_such_option" unknown/)
    assert.match(asked.stderr, /the daemon was asked nothing, it goes on as it was/)
    assert.doesNotMatch(server.log().slice(before), /SIGHUP/)
    server.process.kill('SIGHUP')
    await server.logged(/the configuration in force is kept: main option "no_such_option" unknown/, 20_000)
    const client = await connectSmtp(server.port)
    assert.equal(client.greeting.lines[0], 'first')
    client.end()
  } finally {
    await server.stop()
  }
})

test('SIGTERM ends the daemon at whatever moment of a reload it comes', async () => {
  for (const afterMs of [0, 60, 150, 250, 350, 450, 600, 800]) {
    const server = await startServer({ configuration, folder: folder.path, arguments: ['-q1h'] })
    try {
      server.process.kill('SIGHUP')
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      server.process.kill('SIGTERM')
      const code = await until(() => server.process.exitCode ?? undefined, 40_000)
      assert.equal(code, 0, `${afterMs} ms after SIGHUP\n${server.log()}`)
      assert.doesNotMatch(server.log('panic'), /the new worker ended|cannot listen/)
    } finally {
      await server.stop()
    }
  }
})

test('reload without a daemon says so', async () => {
  const server = await startServer({ configuration, folder: folder.path })
  await server.stop()
  const asked = reload(server, '--pid-file', join(folder.path, 'nothing'))
  assert.equal(asked.status, 1)
  assert.match(asked.stderr, /postern reload: .*nothing tells of no daemon/)
})
