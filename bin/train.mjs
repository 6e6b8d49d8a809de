// Runs a program from a bundle in the making, to learn which modules it needs and to have its compiled form: a daemon that
// takes some messages and hands them on, and short calls. Called by itself it has the bundle compiled for the Node that
// runs it: an installed package brings the bundle alone, for V8's compiled form is of one version of Node.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = join(dirname(fileURLToPath(import.meta.url)), 'trained.cjs')
const messages = 30
const limitMs = 60_000

const configuration = (folder, sinkPort) => `exim_user = ${process.getuid()}
exim_group = ${process.getgid()}
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
primary_hostname = train.example
keep_environment =
tls_advertise_hosts =
domainlist there = there.example
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
begin acl
check_rcpt:
  deny domains = refused.example
  accept domains = +there : wait.example
  require verify = recipient
  accept
check_data:
  accept
begin routers
wait:
  driver = redirect
  domains = wait.example
  allow_defer
  data = :defer: later
there:
  driver = manualroute
  domains = +there
  transport = smtp
  route_list = * 127.0.0.1
  self = send
begin transports
smtp:
  driver = smtp
  port = ${sinkPort}
  allow_localhost
  hosts_try_fastopen =
begin retry
* * F,1h,10m
`

/** Runs the program of a bundle; what it needs and its caches are written into `into`. */
export async function train(bundle, into) {
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into)
  await trainDaemon(bundle, into)
  trainCalls(bundle, into)
}

/** Puts the caches of a training beside the bundle, and the version of Node that they are for. */
export function keepCaches(into, bundle) {
  for (const name of readdirSync(into)) {
    if (name.endsWith('.cache')) renameSync(join(into, name), join(bundle, name))
  }
  writeFileSync(join(bundle, 'compiled-for'), process.version)
  rmSync(into, { recursive: true })
}

/** Writes `parent.json`, `worker.json` and caches into `into`. */
async function trainDaemon(bundle, into) {
  const folder = join(into, 'run')
  rmSync(folder, { recursive: true, force: true })
  for (const each of ['spool', 'log']) mkdirSync(join(folder, each), { recursive: true })
  const sink = await listening(takeMessage)
  const port = (await listening(() => undefined, true)).port
  const file = join(folder, 'train.conf')
  writeFileSync(file, configuration(folder, sink.port))
  const daemon = spawn(
    process.execPath,
    [program, bundle, into, 'parent', '-C', file, '-bdf', '-q1m', '-oX', `127.0.0.1.${port}`],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const ended = new Promise((then) => daemon.once('exit', then))
  const limit = setTimeout(() => daemon.kill('SIGKILL'), limitMs)
  try {
    while (daemon.exitCode === null && !(await session(port, []))) await pause(20)
    for (let i = 0; i < messages; i++) {
      await session(port, ['a@there.example'])
      await session(port, ['a@there.example', 'b@there.example', 'a@refused.example'])
    }
    for (let i = 0; i < 3; i++) await session(port, ['a@wait.example'])
    await pause(500)
  } finally {
    daemon.kill('SIGTERM')
    const code = await ended
    clearTimeout(limit)
    sink.server.close()
    if (code !== 0) console.error(`the daemon in training ended with ${code}`)
  }
}

/** Writes `call.json`, `message.json` and caches. */
function trainCalls(bundle, into) {
  const file = ['-C', join(into, 'run', 'train.conf')]
  const calls = (role, input, lists) =>
    spawnSync(
      process.execPath,
      [program, bundle, into, role, ...lists.flatMap((words) => [...file, ...words, ';'])],
      {
        input,
        stdio: ['pipe', 'ignore', 'inherit'],
        timeout: limitMs,
      },
    )
  calls('call', '', [['-be', '${lc:$primary_hostname}'], ['-bpc'], ['-bp']])
  calls('message', 'Subject: training\n\nHello\n', [
    ['-be', '${lc:$primary_hostname}'],
    ['-bpc'],
    ['-bp'],
    ['-q'],
    ['-bt', 'a@there.example'],
    ['-odi', 'a@wait.example'],
  ])
}

const pause = (ms) => new Promise((then) => setTimeout(then, ms))

/** A server on a free port of this host; `justThePort`: it is closed again. */
async function listening(serve, justThePort = false) {
  const server = net.createServer(serve)
  await new Promise((then, fail) => server.once('error', fail).listen(0, '127.0.0.1', then))
  const { port } = server.address()
  if (justThePort) await new Promise((then) => server.close(then))
  return { server, port }
}

/** One SMTP session as a client, pipelining nothing; true when it was greeted. */
function session(port, recipients) {
  const commands = [
    'EHLO client.example',
    ...(recipients.length === 0
      ? []
      : ['MAIL FROM:<from@there.example> SIZE=300', ...recipients.map((to) => `RCPT TO:<${to}>`), 'DATA']),
    ...(recipients.length === 0
      ? []
      : [`From: a@there.example\r\nSubject: training\r\n\r\n${'Hello.\r\n'.repeat(50)}.`]),
    'QUIT',
  ]
  return new Promise((then) => {
    let greeted = false
    const socket = net.connect(port, '127.0.0.1')
    let reply = ''
    socket.setEncoding('latin1')
    socket.on('data', (piece) => {
      reply += piece
      if (!/^\d{3} [^\n]*\n$/m.test(reply)) return
      greeted = true
      reply = ''
      const command = commands.shift()
      if (command !== undefined) socket.write(`${command}\r\n`)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => then(greeted))
  })
}

/** A server that takes all. */
function takeMessage(socket) {
  let inData = false
  let text = ''
  socket.setEncoding('latin1')
  socket.write('220 sink\r\n')
  socket.on('error', () => undefined)
  socket.on('data', (piece) => {
    text += piece
    for (;;) {
      const end = text.indexOf(inData ? '\r\n.\r\n' : '\r\n')
      if (end < 0) return
      const line = text.slice(0, end)
      text = text.slice(end + (inData ? 5 : 2))
      if (inData) {
        inData = false
        socket.write('250 taken\r\n')
      } else if (/^DATA/i.test(line)) {
        inData = true
        socket.write('354 go on\r\n')
      } else if (/^EHLO/i.test(line)) socket.write('250-sink\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n')
      else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n')
      else socket.write('250 well\r\n')
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bundle = join(dirname(program), '../dist/bundle')
  const into = `${bundle}.learned`
  await train(bundle, into)
  keepCaches(into, bundle)
}
