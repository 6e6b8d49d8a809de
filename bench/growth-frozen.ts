/** Frozen messages, the same ones in Postern and in a real Exim: listing, counting, starting, a queue run. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { headerFileOf } from '../src/store/spool/index.ts'
import { fetchExim } from '../test/support/debian.ts'
import { fillQueue, give } from '../test/support/long-queue.ts'
import { freePort, postern, temporaryFolder } from '../test/support/server.ts'
import { greeting, median, timed } from '../test/support/timed.ts'
import { cpuSeconds } from './relay.ts'
import { milliseconds, row, table } from './table.ts'

const rounds = 3
/** Of the wrapper that starts an unpacked Exim. */
const eximUser = 64_001

export async function frozenRows(messages: number): Promise<void> {
  const exim = process.getuid?.() === 0 ? fetchExim() : { missing: 'only root may run an Exim beside it' }
  const folder = temporaryFolder('growth-frozen')
  try {
    const programs = new Map([['Postern', { program: postern, file: configure(folder.path, 'postern', '') }]])
    if ('missing' in exim) console.log(`  without Exim: ${exim.missing}`)
    else {
      const { path } = exim
      programs.set('Exim', { program: path, file: configure(folder.path, 'exim', `exim_path = ${path}\n`) })
    }
    await fill(folder.path, messages, programs.has('Exim'))
    table([`${messages} frozen`, 'list (CPU)', 'count (CPU)', 'start (CPU)', 'a queue run (CPU)'])
    const times = new Map([...programs.keys()].map((name) => [name, new Times()]))
    for (let round = 0; round < rounds; round++) {
      for (const [name, { program, file }] of programs) {
        const of = times.get(name)
        of?.list.push(timed(program, ['-C', file, '-bp']))
        of?.count.push(timed(program, ['-C', file, '-bpc']))
        const port = await freePort()
        const daemon = await greeting(program, ['-C', file, '-bdf', '-oX', `127.0.0.1.${port}`], port)
        of?.start.push({ ms: daemon.ms, cpuMs: cpuSeconds(daemon) * 1000 })
        await daemon.end()
        // Exim's takes a minute.
        if (name === 'Postern' || round === 0) of?.run.push(timed(program, ['-C', file, '-q']))
      }
    }
    for (const [name, of] of times)
      row([name, ...of.medians().map(({ ms, cpuMs }) => `${milliseconds(ms)} (${milliseconds(cpuMs)})`)])
    const [ours, theirs] = [times.get('Postern')?.medians(), times.get('Exim')?.medians()]
    if (ours === undefined || theirs === undefined) return
    const share = (a: number, b = Number.NaN): string => (a / b).toFixed(3)
    row([
      'Postern of Exim',
      ...ours.map(({ ms, cpuMs }, i) => `${share(ms, theirs[i]?.ms)} (${share(cpuMs, theirs[i]?.cpuMs)})`),
    ])
  } finally {
    folder.remove()
  }
}

interface Time {
  readonly ms: number
  /** Of all processes. */
  readonly cpuMs: number
}

class Times {
  readonly list: Time[] = []
  readonly count: Time[] = []
  readonly start: Time[] = []
  readonly run: Time[] = []

  medians(): Time[] {
    return [this.list, this.count, this.start, this.run].map((times) => ({
      ms: median(times.map(({ ms }) => ms)),
      cpuMs: median(times.map(({ cpuMs }) => cpuMs)),
    }))
  }
}

function configure(folder: string, name: string, more: string): string {
  for (const each of ['spool', 'log']) {
    mkdirSync(join(folder, name, each), { recursive: true })
    if (name === 'exim') chownSync(join(folder, name, each), eximUser, eximUser)
  }
  const file = join(folder, `${name}.conf`)
  writeFileSync(
    file,
    `${more}spool_directory = ${folder}/${name}/spool
log_file_path = ${folder}/${name}/log/%slog
pid_file_path = ${folder}/${name}/pid
primary_hostname = bench.example
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = accept
begin routers
hole:
  driver = redirect
  data = :blackhole:
`,
  )
  return file
}

/** Both spools with the same messages of 4 KB. */
async function fill(folder: string, messages: number, exim: boolean): Promise<void> {
  const body = Buffer.alloc(4096, 'The quick brown fox jumps over the lazy dog.\n')
  const input = join(folder, 'exim', 'spool', 'input')
  if (exim) mkdirSync(input)
  const directory = join(folder, 'postern', 'spool')
  const now = Date.now()
  await fillQueue({
    directory,
    messages,
    body,
    shortIds: true,
    fields: { frozenAt: now, receivedAt: now - 3_600_000, firstDelivery: false },
    onMessage({ id, envelope }) {
      if (!exim) return
      writeFileSync(join(input, `${id}-D`), `${id}-D\n${body.toString('latin1')}`, { mode: 0o640 })
      writeFileSync(join(input, `${id}-H`), headerFileOf(envelope), { mode: 0o640, encoding: 'latin1' })
      for (const kind of ['D', 'H']) chownSync(join(input, `${id}-${kind}`), eximUser, eximUser)
    },
  })
  if (exim) chownSync(input, eximUser, eximUser)
  give(directory)
}
