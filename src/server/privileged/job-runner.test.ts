import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, chownSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bareJob, type LocalJob } from '../../flow/delivery/local-job.ts'
import { pipeTo } from '../../../test/support/local-jobs.ts'
import { JobRunner } from './job-runner.ts'
import type { FromRunner, ToRunner } from './messages.ts'
import { createAsUser } from './run-as.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-jobs-'))
chmodSync(folder, 0o777)
after(() => rmSync(folder, { recursive: true }))

// It refuses to deliver as root.
const ids =
  process.getuid?.() === 0
    ? { uid: 65_534, gid: 65_534 }
    : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

/** A process that has jobs done, as the runner sees it. */
class Asker extends EventEmitter {
  readonly said: FromRunner[] = []
  connected = true

  send(message: unknown): boolean {
    if (this.connected) this.said.push(message as FromRunner)
    return this.connected
  }

  say(message: ToRunner): void {
    this.emit('message', message)
  }

  gone(): void {
    this.connected = false
    this.emit('disconnect')
  }

  /** Until it was told so many things. */
  async heard(count: number): Promise<void> {
    await until(() => this.said.length >= count)
  }
}

async function until(holds: () => boolean): Promise<void> {
  const limit = Date.now() + 10_000
  while (!holds()) {
    assert.ok(Date.now() < limit, 'in time')
    await sleep(20)
  }
}

function mboxAt(file: string): LocalJob {
  return {
    ...bareJob,
    kind: 'mbox',
    file,
    mode: 0o600,
    modeFailNarrower: false,
    createFile: true,
    mayCreate: true,
    createDirectory: false,
    directoryMode: 0o700,
    allowSymlink: false,
    allowFifo: false,
    owner: undefined,
    group: undefined,
    locks: {
      lockFile: true,
      fcntl: false,
      flock: false,
      retries: 0,
      intervalMs: 100,
      waitMs: 0,
      staleMs: 0,
      lockFileMode: 0o600,
      uniqueName: 'unique',
    },
    quota: 0,
    quotaUnchecked: false,
    knownBytes: undefined,
    quotaInclusive: true,
    messageSize: 0,
  }
}

function runnerFor(asker: Asker): JobRunner {
  const runner = new JobRunner({ neverUids: () => new Set(), loginOf: () => undefined })
  runner.attach(asker)
  return runner
}

test('what waits for a process that is gone is not begun any more', { timeout: 30_000 }, async () => {
  const asker = new Asker()
  const runner = runnerFor(asker)
  const job = (number: number): string => join(folder, `begun-${number}`)
  for (let number = 1; number <= 5; number++)
    asker.say({ type: 'job', number, ...ids, job: pipeTo(`touch ${job(number)}; cat`) })
  asker.gone()
  await sleep(1500)
  assert.equal(existsSync(job(5)), false)
  runner.close()
})

for (const how of ['gone', 'cancel'] as const) {
  test(`a message that breaks off (${how}) is no message: nothing is left of it`, {
    timeout: 30_000,
  }, async () => {
    const asker = new Asker()
    const runner = runnerFor(asker)
    const mailbox = join(folder, `mailbox-${how}`)
    const whole = join(folder, `whole-${how}`)
    writeFileSync(mailbox, 'From before\n')
    chmodSync(mailbox, 0o600)
    if (process.getuid?.() === 0) chownSync(mailbox, ids.uid, ids.gid)
    asker.say({ type: 'job', number: 1, ...ids, job: mboxAt(mailbox) })
    asker.say({ type: 'job', number: 2, ...ids, job: pipeTo(`cat > ${whole}.part; touch ${whole}`) })
    await asker.heard(2)
    for (const number of [1, 2]) asker.say({ type: 'body', number, piece: Buffer.alloc(100_000, 'x\n') })
    await asker.heard(4)
    assert.ok(readFileSync(mailbox).length > 1000)
    assert.ok(existsSync(`${mailbox}.lock`))
    if (how === 'gone') asker.gone()
    else for (const number of [1, 2]) asker.say({ type: 'cancel', number })
    await until(() => !existsSync(`${mailbox}.lock`))
    assert.equal(readFileSync(mailbox, 'latin1'), 'From before\n')
    await sleep(500)
    assert.equal(existsSync(whole), false)
    runner.close()
  })
}

test('a process that cannot be started puts the delivery off', { timeout: 60_000 }, () => {
  const [runner, locals] = ['./job-runner.js', '../../flow/delivery/local-job.js'].map(
    (path) => new URL(path, import.meta.url).href,
  )
  const program = `
    import { execFileSync } from 'node:child_process'
    import { EventEmitter } from 'node:events'
    const { JobRunner } = await import('${runner}')
    const { bareJob } = await import('${locals}')
    const asker = new EventEmitter()
    const told = []
    asker.send = (message) => {
      console.log(message.number, message.result.is, message.result.message)
      if (message.number === 2) process.exit()
      return true
    }
    new JobRunner({ neverUids: () => new Set(), loginOf: () => undefined }).attach(asker)
    const job = { ...bareJob, kind: 'note', file: '/dev/null', mode: 0o600, text: '' }
    const ids = { uid: process.getuid(), gid: process.getgid() }
    asker.emit('message', { type: 'job', number: 1, uid: ids.uid + 1, gid: ids.gid, job })
    execFileSync('prlimit', ['--nproc=0', '--pid', String(process.pid)])
    asker.emit('message', { type: 'job', number: 2, ...ids, job })
    setTimeout(() => process.exit(), 5000)
  `
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    ...ids,
    cwd: '/',
    encoding: 'utf8',
  })
  assert.equal(ran.stderr, '')
  assert.equal(
    ran.stdout,
    '1 deferred local delivery process cannot be started: spawn EPERM\n' +
      '2 deferred local delivery process cannot be started: spawn ' +
      process.execPath +
      ' EAGAIN\n',
  )
})

test('a command that the system cannot start now is put off, not failed', { timeout: 60_000 }, () => {
  const jobs = new URL('../../flow/delivery/local-job.js', import.meta.url).href
  const program = `
    import { execFileSync } from 'node:child_process'
    import { access } from 'node:fs/promises'
    const { bareJob, runLocalJob } = await import('${jobs}')
    await access('/')
    execFileSync('prlimit', ['--nproc=0', '--pid', String(process.pid)])
    async function* body() {}
    const job = { ...bareJob, ...JSON.parse(process.argv[1]) }
    console.log((await runLocalJob(job, body())).is)
  `
  const ran = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program, JSON.stringify(pipeTo('cat'))],
    { ...ids, cwd: '/', encoding: 'utf8', timeout: 20_000, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
  )
  assert.equal(ran.stderr, '')
  assert.equal(ran.stdout, 'deferred\n')
})

test('once the privileged process is gone each delivery is put off', async () => {
  const asker = new Asker()
  const { run } = createAsUser(asker)
  async function* body(): AsyncGenerator<Uint8Array> {}
  asker.gone()
  const result = await Promise.race([run(ids.uid, ids.gid, pipeTo('cat'), body()), sleep(1000)])
  assert.equal(result?.is, 'deferred')
})

test('the message of a delivery that ends early is let go of', async () => {
  const asker = new Asker()
  const { run } = createAsUser(asker)
  let open = false
  async function* body(): AsyncGenerator<Uint8Array> {
    open = true
    try {
      for (;;) yield Buffer.from('a piece\n')
    } finally {
      open = false
    }
  }
  const running = run(ids.uid, ids.gid, pipeTo('true'), body())
  asker.emit('message', { type: 'more', number: 1 })
  await asker.heard(2)
  assert.equal(open, true)
  const result = { is: 'deferred', errno: 122, more: 0, message: 'Disk quota exceeded' }
  asker.emit('message', { type: 'result', number: 1, result })
  assert.equal((await running).is, 'deferred')
  await until(() => !open)
})
