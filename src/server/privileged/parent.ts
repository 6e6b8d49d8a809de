/**
 * The parent of a daemon: hands listening handles to its workers, counts their connections, replaces a worker that
 * dies, and obeys signals. When root started it, it keeps root's power and starts local deliveries under other uids
 * for them. It reads nothing from the network.
 * Source: Exim manual, "Security considerations"; SECURITY.md, promise 13.
 */
import type { ChildProcess, SendHandle } from 'node:child_process'
import type { ListenAddress } from '../listen-addresses.ts'
import { removePidFile, writePidFile } from '../pid-file.ts'
import type { ProcessState } from '../process-state.ts'
import type { Server } from '../server.ts'
import { eximVersion } from '../version.ts'
import { MetricsKeeper } from '../metrics/keeper.ts'
import { CountKeeper } from '../shared-counts.ts'
import { type EarlyWorker, forkWorker } from './fork-worker.ts'
import { JobRunner } from './job-runner.ts'
import type { Channel } from './messages.ts'
import { newTicketSecret } from '../ticket-keys.ts'
import { neverUids } from './never-users.ts'
import { prepareFolders } from './prepare-folders.ts'
import { SocketKeeper } from './sockets.ts'

/** What a worker tells its parent beside jobs. */
export type FromWorker =
  | { readonly type: 'started'; readonly addresses: readonly ListenAddress[]; readonly line: string }
  | { readonly type: 'failed'; readonly message: string }

export interface ParentOptions {
  readonly workers: number
  readonly pidFile: string | undefined
  /** The first worker, when it runs already; it waits for a word. */
  readonly early?: EarlyWorker | undefined
  readonly state: ProcessState
  /** First line of the log, without what the workers tell. */
  startedLine(line: string): string
  /** Told before it. */
  readonly warning?: string | undefined
  onStarted(): void
}

interface Worker {
  readonly child: ChildProcess
  readonly channel: Channel
}

export type ParentResult = { readonly is: 'ended' } | { readonly is: 'failed'; readonly message: string }

/** A worker that dies is started again after so long at first, twice as long each time it dies young. */
const firstRestartMs = 500
const longestRestartMs = 5000
const youngMs = 10_000
/** New workers that do not serve within this time are given up. */
const startLimitMs = 60_000

export async function runParent(server: Server, options: ParentOptions): Promise<ParentResult> {
  const { log, user, facts, accounts } = server
  let runner: JobRunner | undefined
  if (process.geteuid?.() === 0 && user.uid !== 0) {
    const wrong = prepareFolders({ spoolDirectory: facts.spoolDirectory, logPaths: server.logPaths, user })
    if (wrong !== undefined) return { is: 'failed', message: wrong }
    const never = await neverUids(server)
    runner = new JobRunner({ neverUids: () => never, loginOf: (uid) => accounts.byUid(uid)?.name })
  }
  const keeper = new CountKeeper()
  const metrics = new MetricsKeeper()
  const sockets = new SocketKeeper()

  const ticketSecret = options.early?.ticketSecret ?? newTicketSecret()

  return new Promise((resolve) => {
    let ending = false
    let started = false
    let restartMs = firstRestartMs
    const all = new Set<Worker>()
    let generation: Worker[] = []
    let lastFailure = ''
    let reloading: 'no' | 'once' | 'once more' = 'no'

    const start = (number: number, waiting?: ChildProcess): Worker => {
      const child = waiting ?? forkWorker(number, ticketSecret)
      const since = Date.now()
      const channel: Channel = {
        send: (message, socket) => child.connected && child.send(message as object, socket as SendHandle),
        on: (event: 'message' | 'disconnect', listener: (message: unknown, socket?: unknown) => void) =>
          child.on(event, listener as () => void),
      }
      // A message to one that is just dying; its exit is what counts.
      child.on('error', () => undefined)
      const worker: Worker = { child, channel }
      all.add(worker)
      runner?.attach(channel)
      keeper.attach(channel)
      metrics.attach(channel, number)
      sockets.attach(channel)
      child.on('message', (raw: unknown) => heard(worker, raw))
      child.on('exit', (code, signal) =>
        gone(worker, number, Date.now() - since, signal ?? `exit code ${code}`),
      )
      if (waiting !== undefined) channel.send({ type: 'go' })
      return worker
    }
    const startAll = (early?: ChildProcess): Worker[] =>
      Array.from({ length: options.workers }, (_, number) => start(number, number === 0 ? early : undefined))

    function heard(worker: Worker, raw: unknown): void {
      // Jobs are the runner's business; it looks at them itself.
      if (typeof raw !== 'object' || raw === null || !('type' in raw)) return
      const message = raw as FromWorker
      if (message.type === 'failed') {
        lastFailure = message.message
        if (started && generation.includes(worker))
          log.panic(undefined, `worker ${worker.child.pid}: ${lastFailure}`)
      }
      if (message.type !== 'started' || !generation.includes(worker)) return
      if (started) return
      started = true
      restartMs = firstRestartMs
      if (options.pidFile !== undefined) {
        const problem = writePidFile(options.pidFile, process.pid)
        if (problem !== undefined) log.panic(undefined, problem)
      }
      if (options.warning !== undefined) log.main(undefined, options.warning)
      log.main(undefined, options.startedLine(message.line))
      options.state.describe(`daemon(${eximVersion}): ${message.line}`)
      options.onStarted()
    }

    function gone(worker: Worker, number: number, lived: number, how: string): void {
      const ours = generation.includes(worker)
      all.delete(worker)
      if (ours) generation.splice(generation.indexOf(worker), 1)
      const others = generation
      if (ending) {
        if (all.size === 0) finish({ is: 'ended' })
        return
      }
      if (!started)
        return finish({ is: 'failed', message: lastFailure === '' ? `worker ended: ${how}` : lastFailure })
      if (!ours) return
      log.panic(undefined, `worker ${worker.child.pid} ended: ${how}; another one takes its place`)
      // What it was delivering the others take up at once.
      for (const { channel } of generation) channel.send({ type: 'died' })
      restartMs = lived < youngMs ? Math.min(restartMs * 2, longestRestartMs) : firstRestartMs
      setTimeout(() => {
        // Those of a new configuration may have taken over meanwhile: they are all there.
        if (!ending && generation === others) generation.push(start(number))
      }, restartMs)
    }

    /** New workers read the program and the configuration; only when all of them serve do the old ones retire. */
    function reload(): void {
      if (!started || ending) return
      // Two at once would leave the new workers of one of them beside those of the other.
      if (reloading !== 'no') {
        reloading = 'once more'
        return
      }
      reloading = 'once'
      log.main(undefined, `pid ${process.pid}: SIGHUP received: re-exec daemon`)
      log.reopen()
      const old = generation
      const fresh = startAll()
      const waiting = new Set(fresh)
      let decided = false
      const decide = (): boolean => {
        if (decided) return false
        decided = true
        clearTimeout(limit)
        const again = reloading === 'once more'
        reloading = 'no'
        if (again) setImmediate(reload)
        return true
      }
      const keepOld = (why: string): void => {
        // At the end of the daemon they are told to go, and their sockets are gone.
        if (ending || !decide()) return
        log.panic(undefined, `the configuration in force is kept: ${why}`)
        for (const { channel } of fresh) channel.send({ type: 'stop' })
        sockets.keepOnly(generation.map(({ channel }) => channel))
      }
      const limit = setTimeout(() => {
        keepOld(`the new workers did not begin to serve within ${startLimitMs / 1000} seconds`)
        setTimeout(() => {
          for (const each of fresh) each.child.kill('SIGKILL')
        }, firstRestartMs)
      }, startLimitMs)
      for (const worker of fresh) {
        worker.child.on('exit', () => keepOld('the new worker ended'))
        worker.child.on('message', (raw: unknown) => {
          const message = raw as FromWorker
          if (message.type === 'failed') keepOld(message.message)
          // It heard nothing of the end while it was beginning.
          if (message.type === 'started' && ending) worker.channel.send({ type: 'stop' })
          if (message.type !== 'started' || decided || ending) return
          waiting.delete(worker)
          if (waiting.size > 0 || !decide()) return
          generation = fresh
          // Their sessions go on; whoever connects from now on meets the new ones.
          for (const { channel } of old) channel.send({ type: 'retire' })
          sockets.keepOnly(fresh.map(({ channel }) => channel))
          log.main(undefined, options.startedLine(message.line))
        })
      }
    }

    function end(): void {
      const again = ending
      ending = true
      sockets.keepOnly([])
      for (const { child, channel } of all) {
        if (again) child.kill('SIGTERM')
        else channel.send({ type: 'stop' })
      }
      if (all.size === 0) finish({ is: 'ended' })
    }

    function finish(result: ParentResult): void {
      ending = true
      runner?.close()
      if (options.pidFile !== undefined) removePidFile(options.pidFile, process.pid)
      resolve(result)
    }

    process.on('SIGTERM', end)
    process.on('SIGINT', end)
    process.on('SIGHUP', reload)
    // One that has ended already tells nothing more: another one says why.
    generation = startAll(options.early?.child.exitCode === null ? options.early.child : undefined)
  })
}
