/**
 * Growth: queues of 1,000 to 1,000,000, lists of 1,000 to 1,000,000 items, one worker beside two, and 20,000 frozen messages
 * beside a real Exim. Prints rows for README.md. `node dist/bench/run.js growth 100000`: nothing larger than that.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchDebian } from '../test/support/debian.ts'
import { fillQueue, give } from '../test/support/long-queue.ts'
import { treeKib } from '../test/support/processes.ts'
import { freePort, postern, temporaryFolder } from '../test/support/server.ts'
import { greeting, median, timed } from '../test/support/timed.ts'
import { frozenRows } from './growth-frozen.ts'
import { measureLists } from './lists.ts'
import { memoryKiB, read } from './process-tree.ts'
import { cpuSeconds, pour, type Poured } from './relay.ts'
import { milliseconds, row, table } from './table.ts'
import type { Figure } from './run.ts'

const largest = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 1_000_000)
const sizes = [1000, 10_000, 100_000, 1_000_000].filter((size) => size <= largest)
const laterMs = 4 * 3_600_000

const configuration = (workers: number): string => `primary_hostname = bench.example
tls_advertise_hosts =
smtp_accept_max = 0
smtp_accept_max_per_host = 0
daemon_workers = ${workers}
acl_smtp_rcpt = accept
begin routers
hole:
  driver = redirect
  data = :blackhole:
`

export async function run(): Promise<Figure[]> {
  const postfix = fetchDebian(['postfix'])
  const source = 'missing' in postfix ? undefined : postfix.root
  if ('missing' in postfix) console.log(`  no rates: ${postfix.missing}`)
  const node = median(Array.from({ length: 5 }, () => timed(process.execPath, ['-e', '0']).ms))
  console.log(`\n\`node -e 0\` at the same time: ${node.toFixed(0)} ms\n`)
  await queues(source)
  if (source !== undefined) await workers(source)
  lists()
  await frozenRows(Math.min(20_000, largest))
  return []
}

/** Deferred messages, none of them due. */
async function queues(source: string | undefined): Promise<void> {
  table([
    'queued',
    'start',
    'after SIGKILL',
    '`-bpc` (CPU)',
    '`-bp` (CPU)',
    'a run, nothing due (CPU)',
    'PSS at rest (without files)',
    '`-bp` at most',
    'messages/s, 10 sessions',
    'PSS then (without files)',
  ])
  const folder = temporaryFolder('growth')
  try {
    chmodSync(folder.path, 0o755)
    for (const each of ['spool', 'log']) mkdirSync(join(folder.path, each))
    chmodSync(join(folder.path, 'log'), 0o777)
    let queued = 0
    for (const size of sizes) {
      const directory = join(folder.path, 'spool')
      await fillQueue({ directory, messages: size - queued, nextAttemptAt: Date.now() + laterMs })
      queued = size
      give(directory)
      await queueRow(folder.path, size, source)
    }
  } finally {
    folder.remove()
  }
}

async function queueRow(folder: string, size: number, source: string | undefined): Promise<void> {
  const first = await startBeside(folder, 1)
  await quiet(first)
  await first.kill()
  const daemon = await startBeside(folder, 1)
  const { file } = daemon
  const killed = daemon.ms
  try {
    await quiet(daemon)
    const rest = memory(daemon)
    const call = (...args: string[]): string => {
      const calls = [1, 2, 3].map(() => timed(postern, ['-C', file, ...args]))
      return `${milliseconds(median(calls.map(({ ms }) => ms)))} (${milliseconds(median(calls.map(({ cpuMs }) => cpuMs)))})`
    }
    const count = call('-bpc')
    const list = call('-bp')
    const queueRun = call('-q')
    const listMost = await mostResident(['-C', file, '-bp'])
    const counted = spawnSync(postern, ['-C', file, '-bpc'], { encoding: 'latin1' }).stdout
    if (counted !== `${size}\n`) throw new Error(`${counted.trim()} of ${size} are counted`)
    const poured = source === undefined ? undefined : await pour(daemon, source, 10, messagesPoured)
    row([
      size.toLocaleString('en'),
      milliseconds(first.ms),
      milliseconds(killed),
      count,
      list,
      queueRun,
      rest,
      `${(listMost / 1024).toFixed(0)} MiB`,
      poured === undefined ? '' : ((messagesPoured * 1000) / poured.doneMs).toFixed(0),
      memory(daemon),
    ])
  } finally {
    await daemon.end()
  }
}

const messagesPoured = 2000

/** Accepted and delivered, the queue empty. */
async function workers(source: string): Promise<void> {
  table(['workers', 'sessions', 'messages/s', 'CPU a message', 'PSS then (without files)'])
  for (const number of [1, 2]) {
    const folder = temporaryFolder('growth-workers')
    try {
      for (const each of ['spool', 'log']) mkdirSync(join(folder.path, each))
      chmodSync(join(folder.path, 'log'), 0o777)
      const daemon = await startBeside(folder.path, number)
      try {
        await pour(daemon, source, 10, 1000)
        for (const sessions of [10, 50]) {
          const { doneMs, cpuSeconds } = await pour(daemon, source, sessions, messagesPoured)
          row([
            String(number),
            String(sessions),
            ((messagesPoured * 1000) / doneMs).toFixed(0),
            `${((cpuSeconds * 1000) / messagesPoured).toFixed(2)} ms`,
            memory(daemon),
          ])
        }
      } finally {
        await daemon.end()
      }
    } finally {
      folder.remove()
    }
  }
}

/** Each length in a process of its own, for its memory. */
function lists(): void {
  table(['items of a list', 'compile domains / networks', 'one question', 'memory kept, the text with it'])
  for (const size of sizes) {
    const done = spawnSync(
      process.execPath,
      ['--expose-gc', fileURLToPath(import.meta.url), 'list', String(size)],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    process.stdout.write(done.stdout)
  }
}

async function listRow(size: number): Promise<void> {
  const rows = await measureLists(size)
  const value = (what: string): number => rows.find(({ name }) => name.startsWith(what))?.value ?? Number.NaN
  row([
    size.toLocaleString('en'),
    `${milliseconds(value('domains: compile'))} / ${milliseconds(value('networks: compile'))}`,
    `${value('domains: one').toFixed(1)} / ${value('networks: one').toFixed(1)} µs`,
    `${value('domains: memory').toFixed(1)} / ${value('networks: memory').toFixed(1)} MiB`,
  ])
}

interface Daemon extends Poured {
  readonly ms: number
  readonly file: string
  end(): Promise<void>
  kill(): Promise<void>
}

async function startBeside(folder: string, number: number): Promise<Daemon> {
  const port = await freePort()
  const file = join(folder, 'growth.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\n${configuration(number)}`,
  )
  const daemon = await greeting(postern, ['-C', file, '-bdf', '-oX', `127.0.0.1.${port}`], port)
  const mainLog = join(folder, 'log', 'mainlog')
  return { ...daemon, port, file, log: () => (existsSync(mainLog) ? readFileSync(mainLog, 'latin1') : '') }
}

/** Until its processes have used no processor time for a second; half a minute at most. */
async function quiet(daemon: Daemon): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const before = cpuSeconds(daemon)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    if (cpuSeconds(daemon) - before < 0.02) return
  }
}

/** Of all processes, and of it what is no page of a file (the queue's index, the program), which the system may take away. */
function memory(daemon: Daemon): string {
  const own = treeKib(daemon.process.pid ?? 0)
  return `${(memoryKiB(daemon) / 1024).toFixed(0)} (${(own / 1024).toFixed(0)}) MiB`
}

/** The most memory that a call had, KiB. */
async function mostResident(args: readonly string[]): Promise<number> {
  const child = spawn(postern, args, { stdio: 'ignore' })
  let most = 0
  while (child.exitCode === null) {
    most = Math.max(most, Number(/^VmHWM:\s+(\d+)/m.exec(read(`/proc/${child.pid}/status`))?.[1] ?? 0))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return most
}

if (process.argv[2] === 'list') await listRow(Number(process.argv[3]))
