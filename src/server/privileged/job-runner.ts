/**
 * The privileged side: starts children under other uids for local deliveries and for looks at users' files, and does
 * nothing else. It runs as root and reads nothing from the network, the spool or those files: what it passes on stays
 * as it is. A door: it starts processes.
 * Source: Exim manual, "Security considerations"; SECURITY.md, promise 13.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LocalResult } from '../../flow/delivery/local-job.ts'
import { buildValues } from '../build-table.ts'
import type { Channel, FromChild, FromRunner, ToChild, ToRunner, UserJob, UserResult } from './messages.ts'

const childProgram = join(dirname(fileURLToPath(import.meta.url)), 'job-child.js')
/** A child without work is kept so long for the next one of its uid. */
const idleMs = 10_000
/** Children at once; jobs beyond wait. In a small container fewer: a child takes some 12 MiB of its own. */
const mostChildren = childLimit(availableMemory())
/** So many of one user are started at once; a further one only for a job that has waited this long. */
const eagerChildren = 4
const patienceMs = 100
/** What a child keeps in memory is small, and there may be many. */
const childFlags = ['--max-semi-space-size=1', '--v8-pool-size=1']
/** Jobs that wait for a child. */
const mostWaiting = 1000

interface Job {
  readonly number: number
  readonly channel: Channel
  readonly start: Extract<ToRunner, { type: 'job' }>
  child: Child | undefined
}
interface Child {
  readonly process: ChildProcess
  readonly key: string
  job: Job | undefined
  timer: NodeJS.Timeout | undefined
}

export interface JobRunnerOptions {
  /** Uids that get no delivery, besides the fixed ones. */
  readonly neverUids: () => ReadonlySet<number>
  /** Login name of a uid, for its supplementary groups. */
  readonly loginOf: (uid: number) => string | undefined
}

export class JobRunner {
  readonly #options: JobRunnerOptions
  readonly #idle: Child[] = []
  readonly #jobs = new Map<Channel, Map<number, Job>>()
  readonly #waiting: Job[] = []
  readonly #children = new Set<Child>()
  #hurry: NodeJS.Timeout | undefined

  constructor(options: JobRunnerOptions) {
    this.#options = options
  }

  /** Takes jobs that come over a channel. */
  attach(channel: Channel): void {
    const jobs = new Map<number, Job>()
    this.#jobs.set(channel, jobs)
    channel.on('message', (raw) => {
      const message = readMessage(raw)
      if (message === undefined) return
      if (message.type === 'job') this.#take(channel, jobs, message)
      else if (message.type === 'body')
        tell(jobs.get(message.number)?.child, { type: 'body', piece: message.piece })
      else this.#cancel(jobs.get(message.number))
    })
    channel.on('disconnect', () => {
      this.#jobs.delete(channel)
      for (const job of jobs.values()) this.#cancel(job)
    })
  }

  /** Ends all children that have no work. */
  close(): void {
    clearTimeout(this.#hurry)
    for (const child of this.#idle.splice(0)) end(child)
  }

  #take(channel: Channel, jobs: Map<number, Job>, start: Extract<ToRunner, { type: 'job' }>): void {
    const job: Job = { number: start.number, channel, start, child: undefined }
    const refusal = this.#refusal(start)
    if (refusal !== undefined) {
      answer(job, { is: 'deferred', errno: -29, more: 0, message: refusal })
      return
    }
    jobs.set(start.number, job)
    if (this.#waiting.length >= mostWaiting) {
      this.#finish(job, { is: 'deferred', errno: -1, more: 0, message: 'too many local deliveries wait' })
    } else if (!this.#start(job, false)) {
      this.#waiting.push(job)
      this.#hurry ??= setTimeout(() => this.#afterPatience(), patienceMs)
    }
  }

  /** One under way ends itself, so that nothing is left of a message that broke off; a look at a file may hang. */
  #cancel(job: Job | undefined): void {
    if (job === undefined) return
    const { kind } = job.start.job
    job.child?.process.kill(kind === 'read-file' || kind === 'stat-file' ? 'SIGKILL' : 'SIGTERM')
    const at = this.#waiting.indexOf(job)
    if (at === -1) return
    this.#waiting.splice(at, 1)
    this.#jobs.get(job.channel)?.delete(job.number)
  }

  /** Jobs may be long: a command, a lock that another program holds. */
  #afterPatience(): void {
    this.#hurry = undefined
    const job = this.#waiting[0]
    if (job === undefined) return
    if (this.#start(job, true)) this.#waiting.shift()
    this.#hurry = setTimeout(() => this.#afterPatience(), patienceMs)
  }

  #refusal({ uid, gid, job }: Extract<ToRunner, { type: 'job' }>): string | undefined {
    const plausible = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < 2 ** 32 - 1
    if (!plausible(uid) || !plausible(gid)) return 'uid or gid is no number'
    if (buildValues.fixedNeverUsers.includes(uid) || this.#options.neverUids().has(uid)) {
      const what = job.kind === 'read-file' || job.kind === 'stat-file' ? '' : ' set for local delivery'
      return `User ${uid}${what} is on the never_users list`
    }
    return undefined
  }

  /** False: no child for it now. `hurry`: it has waited long enough. */
  #start(job: Job, hurry: boolean): boolean {
    const { uid, gid, job: work } = job.start
    const key = `${uid}:${gid}:${work.initgroups ? 'groups' : ''}`
    const at = this.#idle.findIndex((child) => child.key === key)
    let child = at === -1 ? undefined : this.#idle.splice(at, 1)[0]
    if (child === undefined) {
      if (!hurry && this.#busy(key) >= eagerChildren) return false
      if (this.#children.size >= mostChildren) {
        const oldest = this.#idle.shift()
        if (oldest === undefined) return false
        end(oldest)
      }
      try {
        child = this.#fork(key, uid, gid, work.initgroups)
      } catch (error) {
        this.#finish(job, unstarted(error))
        return true
      }
    }
    clearTimeout(child.timer)
    child.job = job
    job.child = child
    const user = work.initgroups ? this.#options.loginOf(uid) : undefined
    tell(child, { type: 'job', job: work, ...(user === undefined ? {} : { identity: { uid, gid, user } }) })
    return true
  }

  #fork(key: string, uid: number, gid: number, initgroups: boolean): Child {
    // A child that sets supplementary groups gives root up itself, first of all.
    const asRoot = initgroups && this.#options.loginOf(uid) !== undefined
    const process_ = fork(childProgram, [], {
      ...(asRoot ? {} : { uid, gid }),
      cwd: '/',
      env: {},
      execArgv: childFlags,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const child: Child = { process: process_, key, job: undefined, timer: undefined }
    this.#children.add(child)
    process_.on('message', (raw) => this.#fromChild(child, raw))
    const gone = (result: LocalResult): void => {
      if (!this.#children.delete(child)) return
      const at = this.#idle.indexOf(child)
      if (at !== -1) this.#idle.splice(at, 1)
      if (child.job !== undefined) this.#finish(child.job, result)
      this.#next()
    }
    process_.on('error', (error) => {
      // Of one that runs its exit tells.
      if (process_.pid === undefined) gone(unstarted(error))
    })
    process_.once('exit', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      gone({ is: 'deferred', errno: -1, more: 0, message: `local delivery process ended: ${how}` })
    })
    return child
  }

  #fromChild(child: Child, raw: unknown): void {
    const { job } = child
    if (job === undefined) return
    // The child runs our own program, under the uid of the recipient.
    const message = raw as FromChild
    if (message.type === 'more') send(job.channel, { type: 'more', number: job.number })
    else if (message.type === 'result') {
      child.job = undefined
      child.timer = setTimeout(() => {
        const at = this.#idle.indexOf(child)
        if (at !== -1) this.#idle.splice(at, 1)
        end(child)
      }, idleMs)
      child.timer.unref()
      this.#idle.push(child)
      this.#finish(job, message.result)
      this.#next()
    }
  }

  #finish(job: Job, result: UserResult): void {
    this.#jobs.get(job.channel)?.delete(job.number)
    answer(job, result)
  }

  /** The first that can be started: those of one user do not hold up those of others. */
  #next(): void {
    const at = this.#waiting.findIndex((job) => this.#start(job, false))
    if (at !== -1) this.#waiting.splice(at, 1)
  }

  #busy(key: string): number {
    let count = 0
    for (const child of this.#children) if (child.key === key && child.job !== undefined) count++
    return count
  }
}

/** A quarter of the memory, and not more than are of use. */
export function childLimit(memoryBytes: number): number {
  return Math.min(40, Math.max(4, Math.floor(memoryBytes / 4 / (12 << 20))))
}

/** Of this host, or of the container. */
function availableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0
  return limit > 0 && limit < totalmem() ? limit : totalmem()
}

function unstarted(error: unknown): LocalResult {
  const why = error instanceof Error ? error.message : String(error)
  return { is: 'deferred', errno: -1, more: 0, message: `local delivery process cannot be started: ${why}` }
}

function answer(job: Job, result: UserResult): void {
  send(job.channel, { type: 'result', number: job.number, result })
}

function send(channel: Channel, message: FromRunner): void {
  try {
    channel.send(message)
  } catch {
    // The other side ended: nobody waits for it any more.
  }
}

function tell(child: Child | undefined, message: ToChild): void {
  if (child?.process.connected === true) child.process.send(message)
}

function end(child: Child): void {
  clearTimeout(child.timer)
  if (child.process.connected) child.process.disconnect()
}

/** The process at the other end reads the network: what it says is looked at before it is believed. */
function readMessage(raw: unknown): ToRunner | undefined {
  if (typeof raw !== 'object' || raw === null || !('type' in raw) || !('number' in raw)) return undefined
  if (typeof raw.number !== 'number') return undefined
  if (raw.type === 'cancel') return { type: 'cancel', number: raw.number }
  if (raw.type === 'body' && 'piece' in raw) {
    const { piece } = raw
    if (piece === undefined || piece instanceof Uint8Array) return { type: 'body', number: raw.number, piece }
    return undefined
  }
  if (raw.type !== 'job' || !('uid' in raw) || !('gid' in raw) || !('job' in raw)) return undefined
  if (typeof raw.uid !== 'number' || typeof raw.gid !== 'number') return undefined
  if (typeof raw.job !== 'object' || raw.job === null) return undefined
  // The job itself is only passed on: the child does it with the rights of that uid alone.
  return { type: 'job', number: raw.number, uid: raw.uid, gid: raw.gid, job: raw.job as UserJob }
}
