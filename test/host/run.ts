/**
 * A host's whole life with Postern, in a fresh Debian root: install an older commit, mail in and out, upgrade with
 * mail in the queue, leave; then every file of before is as before. As root, on Debian, with network:
 *
 *     npm run test:host [-- COMMIT]     COMMIT is upgraded from; by default the one before HEAD
 */
import { type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { repository, until } from '../support/server.ts'
import { followInstallPage } from './install-page.ts'
import { listFiles, Machine, makeRoot, must, removeRoot } from './root.ts'

/** What may be otherwise at the end, and why. */
const allowed: readonly (readonly [RegExp, string])[] = [
  [
    /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$/,
    'the copy useradd and userdel keep of the file of before',
  ],
  [/^\/var\/lib\/dpkg\/diversions-old$/, 'the copy dpkg-divert keeps of the file of before'],
  [/^\/var\/log\/(faillog|lastlog)$/, 'useradd clears the entry of the new user'],
  [/^\/var\/mail\/alice$/, 'the mail of alice is hers'],
  [
    /^\/usr\/local\/(lib\/node_modules(\/\.package-lock\.json)?|share\/man\/man[58])$/,
    'npm leaves its empty folders',
  ],
]

let passed = 0
let failed = 0
const began = Date.now()
const say = (text: string): void =>
  console.log(`[${((Date.now() - began) / 1000).toFixed(0).padStart(3)} s] ${text}`)

function fact(what: string, holds: boolean, seen: string): void {
  if (holds) passed++
  else failed++
  say(`${holds ? 'ok' : 'NOT OK'}: ${what}`)
  if (!holds) console.log(seen.replace(/^/gm, '    '))
}

/** The package of a commit, or of the working tree, built and packed. */
function pack(commit: string | undefined, folder: string): string {
  mkdirSync(folder)
  let source = repository
  if (commit !== undefined) {
    source = join(folder, 'source')
    mkdirSync(source)
    must('git', ['archive', '-o', join(folder, 'source.tar'), commit], { cwd: repository })
    must('tar', ['-xmf', join(folder, 'source.tar'), '-C', source])
    symlinkSync(join(repository, 'node_modules'), join(source, 'node_modules'))
    must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: source, ms: 300_000 })
    if (existsSync(join(source, 'bin/bundle.mjs')))
      must(process.execPath, ['bin/bundle.mjs'], { cwd: source })
  }
  must('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: source })
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string }
  return join(folder, `postern-${version}.tgz`)
}

function npm(root: string, ...words: string[]): void {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  must('npm', [...words, '-g', '--prefix', join(root, 'usr/local'), ...quiet], { ms: 300_000 })
}

async function life(folder: string, from: string): Promise<void> {
  const root = join(folder, 'root')
  say('debootstrap --variant=minbase bookworm')
  makeRoot(root)
  must('chroot', [root, 'useradd', '--uid', '1500', '--user-group', '--no-create-home', 'alice'])
  // The programs of another mail system, to be given back.
  for (const name of ['usr/sbin/sendmail', 'usr/bin/mailq']) {
    writeFileSync(join(root, name), '#!/bin/sh\necho the other mail system\n')
    chmodSync(join(root, name), 0o755)
  }
  // Its network is the loopback interface alone.
  writeFileSync(join(root, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n')
  const before = listFiles(root)
  say(`${before.size} files and folders listed`)

  say(`build and pack ${from} and this tree`)
  const older = pack(from, join(folder, 'older'))
  const newer = pack(undefined, join(folder, 'newer'))

  say('npm install -g the older package')
  npm(root, 'install', older)
  const machine = await Machine.start(root)
  machineOf = machine
  const log = (): string => readIfThere(join(root, 'var/log/postern/mainlog'))
  const logged = async (what: string, pattern: RegExp): Promise<void> => {
    const seen = await soon(() => pattern.test(log()))
    fact(what, seen, `${log()}${readIfThere(join(root, 'var/log/postern/paniclog'))}`)
  }
  const install = (): void => {
    const done = machine.run(['postern', 'install', '--as-sendmail'])
    fact('postern install --as-sendmail', done.status === 0, `exit code ${done.status}\n${done.err}`)
    console.log(done.out.trimEnd().replace(/^/gm, '    '))
  }
  install()
  const configuration = join(root, 'etc/postern/postern.conf')
  writeFileSync(configuration, withNextHop(readFileSync(configuration, 'utf8')))
  const checked = machine.run(['postern', 'check'])
  fact('postern check takes the configuration', checked.status === 0, checked.out + checked.err)

  const start = async (): Promise<void> => {
    const status = machine.feed(['postern', '-bd', '-q1m'], '')
    const healthy = await soon(() => machine.run(['postern', 'health']).status === 0)
    const { out, err } = machine.run(['postern', 'health'])
    fact(
      `postern -bd -q1m: ${out.trim()}`,
      status === 0 && healthy,
      `exit code ${status}\n${out}${err}${log()}`,
    )
  }
  const stop = async (): Promise<void> => {
    const pid = readIfThere(join(root, 'run/postern/postern.pid')).trim()
    const killed = machine.run(['sh', '-c', `kill ${pid}`])
    const ended = await soon(() => machine.run(['test', '-e', `/proc/${pid}`]).status !== 0)
    fact('SIGTERM ends the daemon', pid !== '' && killed.status === 0 && ended, `pid ${pid}: ${killed.err}`)
  }
  const send = async (to: string, text: string): Promise<void> => {
    const client = machine.beside(wire, 'send', '25', 'someone@away.example', to, text)
    const code = await new Promise((resolve) => client.once('exit', resolve))
    fact(`SMTP takes "${text}" for ${to}`, code === 0, `exit code ${String(code)}\n${log()}`)
  }
  const sunk = join(folder, 'sunk')
  const sink = (): ChildProcess => machine.beside(wire, 'sink', '2526', sunk)
  const taken = async (text: string): Promise<void> =>
    fact(`the next hop has "${text}"`, await soon(() => readIfThere(sunk).includes(`\n${text}\n`)), log())
  const mailbox = async (text: string): Promise<void> => {
    const there = await soon(() => readIfThere(join(root, 'var/mail/alice')).includes(`\n${text}\n`))
    fact(`the mailbox of alice has "${text}"`, there, log())
  }

  await start()
  const hop = sink()
  await send('alice@localhost', 'first in')
  await mailbox('first in')
  await send('far@elsewhere.example', 'first out')
  await taken('first out')
  hop.kill()
  await send('far@elsewhere.example', 'left waiting')
  await logged('it waits: the next hop refuses', /== far@elsewhere\.example .*refused/)
  fact('postern -bp shows it', /far@elsewhere\.example/.test(machine.run(['postern', '-bp']).out), '')
  await stop()

  say('npm install -g the newer package over it')
  npm(root, 'install', newer)
  install()
  const hopAgain = sink()
  await start()
  machine.run(['postern', '-qf'])
  await taken('left waiting')
  await logged('and the log says Completed', /=> far@elsewhere\.example .*\n(.*\n)*.*Completed/)
  const queue = machine.run(['postern', '-bp'])
  fact('the queue is empty', queue.status === 0 && queue.out.trim() === '', queue.out + queue.err)

  const given = machine.feed(['sendmail', '-t'], 'To: alice@localhost\nSubject: x\n\nby sendmail\n', 1500)
  fact('an ordinary user: sendmail -t', given === 0, `exit code ${given}`)
  await mailbox('by sendmail')
  const mailq = machine.run(['mailq'], 1500)
  // queue_list_requires_admin is true unless set, in Exim too.
  fact(
    `an ordinary user: mailq (exit code ${mailq.status}: ${(mailq.out + mailq.err).trim()})`,
    mailq.status === 1 && /permission denied/i.test(mailq.err),
    '',
  )
  fact('root: mailq', machine.run(['mailq']).status === 0, machine.run(['mailq']).err)
  hopAgain.kill()

  const running = readIfThere(join(root, 'run/postern/postern.pid')).trim()
  const uninstalled = machine.run(['postern', 'uninstall', '--purge'])
  fact('postern uninstall --purge', uninstalled.status === 0, uninstalled.err)
  fact(
    'it stops the daemon that systemd did not start, and says so',
    running !== '' &&
      uninstalled.out.includes(`stop the daemon, process ${running}, which systemd did not start: done`) &&
      machine.run(['test', '-e', `/proc/${running}`]).status !== 0,
    uninstalled.out + log(),
  )
  console.log(uninstalled.out.trimEnd().replace(/^/gm, '    '))
  await machine.end()
  say('npm uninstall -g postern')
  npm(root, 'uninstall', 'postern')
  compare(before, listFiles(root))

  say('docs/guide/install.md with the newer package')
  npm(root, 'install', newer)
  const another = await Machine.start(root)
  machineOf = another
  await followInstallPage({ root, machine: another, npmInstall: () => npm(root, 'install', newer), fact })
  await another.end()
  npm(root, 'uninstall', 'postern')
  compare(before, listFiles(root), [/^\/root\/meaning\.json$/])
}

function compare(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  made: readonly RegExp[] = [],
): void {
  const wrong: string[] = []
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [was, is] = [before.get(path) ?? 'nothing', after.get(path) ?? 'nothing']
    if (was === is || made.some((pattern) => pattern.test(path))) continue
    const why = allowed.find(([pattern]) => pattern.test(path))?.[1]
    if (why === undefined) wrong.push(`${path}: was ${was}, is ${is}`)
    else say(`otherwise, and may be: ${path} (${why})`)
  }
  fact(
    `${before.size} files and folders of before are as before, and none is new`,
    wrong.length === 0,
    wrong.join('\n'),
  )
}

/** The first configuration, with another host as next hop, retried at once. */
function withNextHop(text: string): string {
  return text
    .replace(
      /^ {2}driver = dnslookup$/m,
      '  driver = manualroute\n  route_list = * 127.0.0.1 byname\n  self = send',
    )
    .replace(/^ {2}ignore_target_hosts = .*\n/m, '')
    .replace(/^ {2}driver = smtp$/m, '  driver = smtp\n  port = 2526')
    .replace('F,2h,15m;', 'F,2h,1s;')
}

async function soon(holds: () => boolean): Promise<boolean> {
  return (await until(() => holds() || undefined, 60_000)) ?? false
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const wire = join(dirname(fileURLToPath(import.meta.url)), 'wire.js')
let machineOf: Machine | undefined
const folder = mkdtempSync(join(tmpdir(), 'postern-host-'))
chmodSync(folder, 0o755)

async function finish(problem: Error | string | undefined): Promise<never> {
  if (problem !== undefined) {
    failed++
    say(`NOT OK: ${problem instanceof Error ? problem.message : problem}`)
  }
  try {
    await machineOf?.end()
    removeRoot(folder)
  } catch (error) {
    failed++
    say(`NOT OK: ${String(error)}`)
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}

if (process.getuid?.() !== 0) {
  console.error('test:host: needs root, for debootstrap and chroot')
  process.exit(1)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => void finish(`ended by ${signal}`))
setTimeout(() => void finish('twenty minutes are over'), 1_200_000).unref()
const from = process.argv[2] ?? 'HEAD~1'
try {
  await life(folder, from)
  await finish(undefined)
} catch (error) {
  await finish(error instanceof Error ? error : String(error))
}
