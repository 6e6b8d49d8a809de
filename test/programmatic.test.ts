/** Postern as a package: the code of docs/guide/embedding.md runs and prints what stands there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { repository, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('programmatic')
const root = process.getuid?.() === 0
before(() => {
  chmodSync(folder.path, 0o777)
  // `import 'postern'` finds the package as a program that has installed it does.
  mkdirSync(join(folder.path, 'node_modules'))
  symlinkSync(repository, join(folder.path, 'node_modules', 'postern'))
})
after(() => folder.remove())

/** Runs a module in a process of its own; as root it would be refused. */
function run(
  name: string,
  code: string,
  asRoot = false,
): { readonly stdout: string; readonly stderr: string } {
  const file = join(folder.path, `${name}.mjs`)
  writeFileSync(file, code)
  chmodSync(file, 0o644)
  const done = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    cwd: folder.path,
    timeout: 60_000,
    env: { PATH: process.env.PATH, TMPDIR: folder.path },
    ...(root && !asRoot ? { uid: 65534, gid: 65534 } : {}),
  })
  return { stdout: done.stdout, stderr: done.stderr }
}

const page = readFileSync(join(repository, 'docs', 'guide', 'embedding.md'), 'utf8')
const pieces = [...page.matchAll(/## ([^\n]*)\n[^#]*?```js\n(.*?)```\n\n```text\n(.*?)```/gs)]

test('every chapter of the page has code that runs', () => assert.equal(pieces.length, 3))
for (const [, title = '', code = '', output = ''] of pieces) {
  test(`docs/guide/embedding.md: ${title}`, () => {
    assert.deepEqual(run(title.replaceAll(' ', '-'), code), { stdout: output, stderr: '' })
  })
}

const main = `
  primary_hostname = mail.example
  spool_directory = ${folder.path}/spool
  log_file_path = ${folder.path}/log/%slog
  acl_smtp_rcpt = accept
  begin routers
  all:
    driver = redirect
    data = :blackhole:
`

test('a server leaves the process as it found it, and the process ends by itself', () => {
  const { stdout, stderr } = run(
    'effects',
    `
import { connect } from 'node:net'
import { once } from 'node:events'
import { startServer } from 'postern'
const events = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'uncaughtException', 'unhandledRejection', 'disconnect', 'message']
const state = () => JSON.stringify([events.map((name) => process.listenerCount(name)), process.cwd(), process.umask(), process.env, process.title])
const before = state()
const server = await startServer({ configuration: { text: ${JSON.stringify(main)} }, listen: '127.0.0.1.0' })
const during = state()
const socket = connect(server.address.port, '127.0.0.1')
let said = ''
socket.on('data', (bytes) => {
  said += bytes
  if (said.startsWith('220') && !said.includes('221')) socket.write('QUIT\\r\\n')
})
await once(socket, 'close')
await server.stop()
console.log(said.replace(/^220 .*\\r\\n/, '220\\n').trim())
console.log(before === during, before === state())
`,
  )
  assert.equal(stdout, '220\n221 mail.example closing connection\ntrue true\n', stderr)
})

test('two servers stand side by side in one process', () => {
  const { stdout, stderr } = run(
    'two',
    `
import { startServer } from 'postern'
const text = ${JSON.stringify(main)}
const one = await startServer({ configuration: { text: text.replaceAll('/spool', '/spool1') }, listen: '127.0.0.1.0' })
const two = await startServer({ configuration: { text: text.replaceAll('/spool', '/spool2') }, listen: '127.0.0.1.0' })
console.log(one.address.port !== two.address.port)
await one.stop()
await two.stop()
`,
  )
  assert.equal(stdout, 'true\n', stderr)
})

test('a configuration that cannot be used, or an address that cannot be had, is a sentence', () => {
  const { stdout, stderr } = run(
    'refused',
    `
import { createServer } from 'node:net'
import { once } from 'node:events'
import { startServer } from 'postern'
const say = (error) => console.log(error.message.replace(/\\d{4,}/, 'PORT'))
await startServer({ configuration: { text: 'no_such = 1' } }).catch(say)
await startServer({ configuration: { file: '/nowhere/exim.conf' } }).catch(say)
const taken = createServer().listen(0, '127.0.0.1')
await once(taken, 'listening')
const text = ${JSON.stringify(main)}
await startServer({ configuration: { text }, listen: '127.0.0.1.' + taken.address().port }).catch(say)
taken.close()
`,
  )
  assert.match(
    stdout,
    /^main option "no_such" unknown\nnon-existent configuration file\(s\): \/nowhere\/exim\.conf\ncannot listen on 127\.0\.0\.1:PORT: another program does already [^\n]*\n$/,
    stderr,
  )
})

test('a process of root is told so', { skip: !root && 'needs root' }, () => {
  const { stderr } = run(
    'root',
    `
import { startServer } from 'postern'
await startServer({ configuration: { text: ${JSON.stringify(main)} }, listen: '127.0.0.1.0' })
`,
    true,
  )
  assert.match(stderr, /startServer does not run as root; start the process as \S+\n/)
})
