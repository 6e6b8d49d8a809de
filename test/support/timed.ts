/** How long programs take: a call, and a daemon until it greets. */
import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { connect } from 'node:net'

/** A call whose output nobody keeps: its time, and the processor time of it and of the children that it waited for. */
export function timed(program: string, args: readonly string[]): { ms: number; cpuMs: number } {
  const from = performance.now()
  const { cpuMs } = called('exec >/dev/null 2>&1', program, args)
  return { ms: performance.now() - from, cpuMs }
}

/** A call and the processor time of it and of the children that it waited for: others at work on the machine do not count. */
export function calledFor(
  program: string,
  args: readonly string[],
): SpawnSyncReturns<string> & { readonly cpuMs: number } {
  return called(':', program, args)
}

function called(
  before: string,
  program: string,
  args: readonly string[],
): SpawnSyncReturns<string> & { readonly cpuMs: number } {
  // The shell's second line of `times` is about its children.
  const script = '"$@"; code=$?; times >&3; exit $code'
  const done = spawnSync('sh', ['-c', `${before}; ${script}`, 'sh', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    encoding: 'latin1',
    timeout: 60_000,
    maxBuffer: 200 << 20,
  })
  const [, children = ''] = String(done.output[3]).split('\n')
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s))
  return { ...done, cpuMs: seconds.reduce((sum, each) => sum + each, 0) * 1000 }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Starts a daemon in the foreground; from the call until it greets on this port of 127.0.0.1. */
export async function greeting(
  program: string,
  args: readonly string[],
  port: number,
): Promise<{
  readonly ms: number
  readonly process: ChildProcess
  end(): Promise<void>
  kill(): Promise<void>
}> {
  const from = performance.now()
  const child = spawn(program, args, { stdio: 'ignore', detached: true })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  while (child.exitCode === null && !(await greets(port)))
    await new Promise((resolve) => setTimeout(resolve, 2))
  if (child.exitCode !== null) throw new Error(`${program} ${args.join(' ')} ended`)
  return {
    ms: performance.now() - from,
    process: child,
    async end() {
      child.kill('SIGTERM')
      await ended
    },
    async kill() {
      // All of its processes.
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await ended
    },
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', (bytes) => {
      socket.end('QUIT\r\n')
      resolve(bytes.toString('latin1').startsWith('220'))
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
