/** The daemon's processes: who runs as whom, who may be lost, what a signal does. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { postern, startServer, type StartedServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('daemon')
const root = process.getuid?.() === 0
const needsRoot = { skip: !root && 'needs root' }
const configuration = `
primary_hostname = mail.example
domainlist local_domains = local.example
acl_smtp_rcpt = check_rcpt
smtp_banner = first banner
smtp_accept_max = 5
smtp_accept_max_per_host = 3
process_log_path = ${folder.path}/process.info
begin acl
check_rcpt:
  accept domains = +local_domains
begin routers
users:
  driver = accept
  domains = +local_domains
  check_local_user
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = ${folder.path}/mail/$local_part_data
  maildir_format
begin retry
* * F,1d,1h
`
let server: StartedServer

before(async () => {
  mkdirSync(join(folder.path, 'mail'))
  spawnSync('chmod', ['1777', join(folder.path, 'mail')])
  const pidFile = join(folder.path, 'pid')
  server = await startServer({ configuration, folder: folder.path, arguments: ['-q1m', '-oP', pidFile] })
  if (root) chmodSync(join(folder.path, 'spool'), 0o750)
})
after(async () => {
  await server.stop()
  folder.remove()
})

/** The workers of a daemon, with their real uids. */
function children(of: number): { readonly pid: number; readonly uid: number }[] {
  return readdirSync('/proc').flatMap((name) => {
    const about = /^\d+$/.test(name) ? quietly(() => readFileSync(`/proc/${name}/status`, 'latin1')) : ''
    const parent = /^PPid:\s+(\d+)/m.exec(about)?.[1]
    if (
      parent !== String(of) ||
      quietly(() => readFileSync(`/proc/${name}/cmdline`, 'latin1')).includes('job-child')
    ) {
      return []
    }
    return [{ pid: Number(name), uid: Number(/^Uid:\s+(\d+)/m.exec(about)?.[1]) }]
  })
}

/** Processes may end while they are looked at. */
function quietly(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
async function deliverTo(user: string): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const answer = await client.deliver(
    'sender@client.example',
    [`${user}@local.example`],
    'Subject: x\r\n\r\nx\r\n',
  )
  client.end()
  assert.match(answer.raw, /^250 OK id=/)
  return /id=(\S+)/.exec(answer.raw)?.[1] ?? ''
}
const parent = (): number => server.process.pid ?? 0

test('the pid file holds the daemon, and its line stands in the log', () => {
  assert.equal(readFileSync(join(folder.path, 'pid'), 'utf8'), `${parent()}\n`)
  assert.match(
    server.log(),
    new RegExp(
      ` exim 4\\.99 daemon started: pid=${parent()}, -q1m, listening for SMTP on \\[127\\.0\\.0\\.1\\]:${server.port}\n`,
    ),
  )
})

test('what reads the network does not run as root', needsRoot, () => {
  const workers = children(parent())
  assert.ok(workers.length > 0)
  for (const { uid } of workers) assert.notEqual(uid, 0)
})

test('mail of a user is written with the uid of that user', needsRoot, async () => {
  const id = await deliverTo('daemon')
  await server.logged(new RegExp(`${id} Completed`))
  const mail = join(folder.path, 'mail', 'daemon', 'new')
  const [name = ''] = readdirSync(mail)
  assert.equal(
    statSync(join(mail, name)).uid,
    Number(spawnSync('id', ['-u', 'daemon'], { encoding: 'utf8' }).stdout),
  )
})

test('root gets no delivery under uid 0', needsRoot, async () => {
  const id = await deliverTo('root')
  await server.logged(
    new RegExp(
      `${id} == root@local\\.example R=users T=maildir defer \\(-29\\): User 0 set for maildir transport is on the never_users list`,
    ),
  )
  server.command('-Mrm', id)
})

test(
  'sendmail of an ordinary user goes through the drop folder, under the name of that user',
  needsRoot,
  async () => {
    const done = spawnSync(
      'setpriv',
      // Uid 1 is daemon; -f is not for untrusted callers.
      [
        ...'--reuid=1 --regid=1 --clear-groups'.split(' '),
        postern,
        '-C',
        server.configurationFile,
        '-f',
        'root',
        'bin@local.example',
      ],
      { input: 'Subject: dropped\n\nx\n', encoding: 'latin1' },
    )
    assert.deepEqual([done.status, done.stderr], [0, ''])
    const [, id = ''] = await server.logged(/(\S+) <= daemon@mail\.example U=daemon P=local S=\d+\n/)
    await server.logged(new RegExp(`${id} Completed`))
    const folders = readdirSync(join(folder.path, 'spool-drop'))
    assert.deepEqual(folders, [])
  },
)

test('one host has at most so many connections, and is told so', async () => {
  const open = await Promise.all([1, 2, 3].map(() => connectSmtp(server.port)))
  const refused = await connectSmtp(server.port)
  assert.equal(
    refused.greeting.raw,
    '421 Too many concurrent SMTP connections from this IP address; please try again later.\r\n',
  )
  await server.logged(/Connection from \[127\.0\.0\.1\] refused: too many connections from that IP address\n/)
  for (const client of open) {
    await client.say('QUIT')
    await client.closed()
  }
  const again = await until(async () => {
    const client = await connectSmtp(server.port)
    client.end()
    return client.greeting.code === 220 ? true : undefined
  }, 5000)
  assert.ok(again)
})

test('SIGUSR1 is answered in the process log, and opens no debugger', async () => {
  process.kill(parent(), 'SIGUSR1')
  const text = await until(() => {
    try {
      const line = readFileSync(join(folder.path, 'process.info'), 'utf8')
      return line.endsWith('\n') ? line : undefined
    } catch {
      return undefined
    }
  }, 5000)
  assert.match(text ?? '', new RegExp(`^ *${parent()} daemon\\(4\\.99\\): -q1m, listening for SMTP`))
  assert.doesNotMatch(server.output(), /Debugger/)
})

test('SIGHUP puts a changed configuration into force as a whole', async () => {
  const file = server.configurationFile
  writeFileSync(file, readFileSync(file, 'utf8').replace('first banner', 'second banner'))
  const before = server.log().length
  process.kill(parent(), 'SIGHUP')
  await until(
    () =>
      /SIGHUP received.*\n(?:.*\n)*.*daemon started/.test(server.log().slice(before)) ? true : undefined,
    60_000,
  )
  const client = await connectSmtp(server.port)
  assert.equal(client.greeting.raw, '220 second banner\r\n', server.log())
  client.end()
})

test('SIGHUP with a broken configuration keeps the one in force and says why', async () => {
  const file = server.configurationFile
  const good = readFileSync(file, 'utf8')
  writeFileSync(file, `no_such_option = 1\n${good.replace('second banner', 'third banner')}`)
  process.kill(parent(), 'SIGHUP')
  await server.logged(/the configuration in force is kept: main option "no_such_option" unknown/, 60_000)
  const client = await connectSmtp(server.port)
  assert.equal(client.greeting.raw, '220 second banner\r\n')
  client.end()
  writeFileSync(file, good)
})

test(
  'a worker that is killed is replaced, clients wait for the new one, and mail goes on',
  needsRoot,
  async () => {
    // Workers of before a reload may still be ending; queue runs are the affair of the one that serves.
    const serving = Number(
      server
        .log()
        .match(/Start queue run: pid=\d+/g)
        ?.at(-1)
        ?.replace(/\D/g, ''),
    )
    process.kill(serving, 'SIGKILL')
    await server.logged(new RegExp(`worker ${serving} ended: SIGKILL`), 60_000)
    // The parent keeps the socket: who comes meanwhile waits, and is not refused.
    const client = await connectSmtp(server.port, '127.0.0.1', 30_000)
    assert.equal(client.greeting.code, 220, server.log())
    client.end()
    const id = await deliverTo('daemon')
    await server.logged(new RegExp(`${id} Completed`))
  },
)

test('when the parent is killed its workers end', needsRoot, async () => {
  const workers = children(parent())
  process.kill(parent(), 'SIGKILL')
  const gone = await until(() => (workers.every(({ pid }) => !alive(pid)) ? true : undefined), 15_000)
  assert.ok(gone)
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
