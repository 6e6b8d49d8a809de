/**
 * Servers in one process, to be compared in turns: they share their compiled code and their moment, as processes would not.
 * Processor time is told by the system's scheduler, so that others on the machine do not count.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { repository } from '../test/support/server.ts'
import { read } from './process-tree.ts'

export interface Servers {
  readonly process: ChildProcess
  readonly ports: readonly number[]
  readonly logs: readonly string[]
}

const program = `
  const { startServer } = await import(process.argv[1])
  const ports = []
  for (const file of process.argv.slice(2))
    ports.push((await startServer({ configuration: { file }, listen: '127.0.0.1.0' })).address.port)
  console.log(ports.join(' '))
`

/** A server for each configuration, in one process. */
export async function startTogether(folder: string, configurations: readonly string[]): Promise<Servers> {
  chmodSync(folder, 0o777)
  const folders = configurations.map((configuration, number) => {
    const own = join(folder, `server-${number}`)
    for (const each of ['', 'spool', 'log']) mkdirSync(join(own, each))
    for (const each of ['', 'spool', 'log']) chmodSync(join(own, each), 0o777)
    const first = [`spool_directory = ${own}/spool`, `log_file_path = ${own}/log/%slog`]
    writeFileSync(join(own, 'exim.conf'), `${first.join('\n')}\n${configuration}`)
    return own
  })
  // A program that embeds a server is not root's.
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      program,
      join(repository, 'dist/src/index.js'),
      ...folders.map((own) => join(own, 'exim.conf')),
    ],
    { ...asNobody, cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const line = await new Promise<string>((resolve) => {
    child.stdout.once('data', (bytes: Buffer) => resolve(String(bytes)))
    child.once('exit', () => resolve(''))
  })
  if (line === '') throw new Error('the servers did not start')
  return {
    process: child,
    ports: line.trim().split(' ').map(Number),
    logs: folders.map((own) => join(own, 'log/mainlog')),
  }
}

/** Says a line and waits for the whole reply to it. */
export async function answer(socket: Socket, line: string | undefined, code: number): Promise<void> {
  if (line !== undefined) socket.write(`${line}\r\n`, 'latin1')
  const reply = await new Promise<string>((resolve, reject) => {
    let text = ''
    const hear = (bytes: Buffer): void => {
      text += bytes.toString('latin1')
      if (!/^\d{3} .*\r\n/m.test(text)) return
      socket.off('data', hear)
      socket.off('error', reject)
      resolve(text)
    }
    socket.on('data', hear)
    socket.on('error', reject)
  })
  if (!reply.startsWith(String(code))) throw new Error(`${line ?? 'the greeting'}: ${reply}`)
}

/** Of all its threads, as the scheduler counts them: a tick of the clock would be a hundredth of a turn. */
export function cpuMs({ pid }: ChildProcess): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.map((each) => Number(read(`/proc/${pid}/task/${each}/schedstat`).split(' ')[0]))
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
