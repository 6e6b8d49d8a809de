/**
 * The door to Perl: the subroutines of `perl_startup`, run by the system's own Perl in processes beside this one, so that code that
 * never ends, or that kills its process, does no more than make an expansion fail. Source: Exim manual, "Embedded Perl".
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemReason } from '../../../base/system-error.ts'
import { fromBytes, toBytes, type ByteString } from '../../../base/text.ts'
import type { PerlAnswer, PerlCall, PerlResult, PerlStart } from './doors.ts'
import { perlProgram } from './perl-program.ts'

const programs = ['/usr/bin/perl', '/usr/local/bin/perl']
const startLimitMs = 30_000
const callLimitMs = 60_000
/** A state that nobody has asked for so long is given up. */
const idleLimitMs = 60_000
const mostStates = 100
const largestPiece = 16 * 1024 * 1024

/** What is wrong with the code of `perl_startup`, found by obeying it; undefined: nothing. */
export function checkPerl({ startup, taintMode, environment }: PerlStart): ByteString | undefined {
  const program = findPerl()
  if (program === undefined) return noPerl
  const { stdout } = spawnSync(program, wordsOf(taintMode, ''), {
    input: pieceOf('0', startup),
    timeout: startLimitMs,
    cwd: '/',
    env: { ...environment },
  })
  let said: ByteString | undefined = 'perl_startup ended the interpreter'
  new Pieces(
    (letter, bytes) => {
      if (letter === 'O') said = undefined
      else if (letter === 'B') said = brokenCode(bytes)
    },
    () => undefined,
  ).add(stdout)
  return said
}

const findPerl = (): string | undefined => programs.find((path) => existsSync(path))
const noPerl = `there is no Perl on this machine: ${programs.join(' or ')}`
const brokenCode = (why: ByteString): ByteString => `error in perl_startup code: ${why}\n`
const wordsOf = (taintMode: boolean, path: string): string[] => [
  ...(taintMode ? ['-T'] : []),
  '-e',
  perlProgram,
  path,
]

/** Pieces of a stream: a length, a letter, and the rest. */
class Pieces {
  #held: Buffer = Buffer.alloc(0)
  readonly #take: (letter: string, bytes: ByteString) => void
  readonly #tooLarge: () => void

  constructor(take: (letter: string, bytes: ByteString) => void, tooLarge: () => void) {
    this.#take = take
    this.#tooLarge = tooLarge
  }

  add(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    while (this.#held.length >= 4) {
      const length = this.#held.readUInt32BE(0)
      if (length > largestPiece) return this.#tooLarge()
      if (this.#held.length < 4 + length) return
      const piece = this.#held.subarray(4, 4 + length)
      this.#held = this.#held.subarray(4 + length)
      this.#take(String.fromCharCode(piece[0] ?? 0), fromBytes(piece.subarray(1)))
    }
  }
}

function pieceOf(letter: string, text: ByteString): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(text.length + 1)
  head.write(letter, 4, 'latin1')
  return Buffer.concat([head, toBytes(text)])
}

/** A call as Perl reads it. */
function packed({ name, values }: PerlCall): ByteString {
  return [name, ...values]
    .map((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(text.length)
      return fromBytes(length) + text
    })
    .join('')
}

type Started = { readonly path: string } | { readonly failed: string }

/** The process that has obeyed the code, and copies itself. */
class Nursery {
  readonly started: Promise<Started>
  readonly #child: ChildProcess
  readonly #folder: string
  #log: (text: ByteString) => void

  constructor(program: string, { startup, taintMode, atStart, environment, log }: PerlCall) {
    this.#log = log
    this.#folder = mkdtempSync(join(tmpdir(), 'postern-perl-'))
    const path = join(this.#folder, 'socket')
    const child = spawn(program, wordsOf(taintMode, path), {
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
      env: { ...environment },
    })
    this.#child = child
    this.started = new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ failed: 'perl_startup takes too long' })
        this.close()
      }, startLimitMs)
      const settle = (started: Started): void => {
        clearTimeout(timer)
        resolve(started)
        // What runs on does not keep a call from the shell from ending.
        child.unref()
        for (const stream of [child.stdin, child.stdout])
          if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
      }
      const pieces = new Pieces(
        (letter, bytes) => {
          if (letter === 'L') this.#log(bytes)
          else if (letter === 'O') settle({ path })
          else if (letter === 'B') settle({ failed: brokenCode(bytes) })
        },
        () => this.close(),
      )
      child.stdout?.on('data', (bytes: Buffer) => pieces.add(bytes))
      child.on('error', (error) => settle({ failed: `cannot run ${program}: ${error.message}` }))
      child.on('exit', () => {
        settle({ failed: 'perl_startup ended the interpreter' })
        this.#forget()
      })
      child.stdin?.on('error', () => undefined)
      child.stdin?.write(pieceOf(atStart ? '0' : '1', startup))
    })
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Lines that come from now on go there. */
  logTo(log: (text: ByteString) => void): void {
    this.#log = log
  }

  close(): void {
    this.#child.stdin?.destroy()
    this.#child.kill('SIGKILL')
    this.#forget()
  }

  #forget(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

interface UnderWay {
  readonly call: PerlCall
  readonly settle: (result: PerlResult) => void
  readonly timer: NodeJS.Timeout
}

/** One copy, with the state of one session or message. */
class State {
  readonly #socket: Socket
  readonly #limitMs: number
  /** Calls within calls: the innermost one last. */
  readonly #underWay: UnderWay[] = []
  #queue: Promise<unknown> = Promise.resolve()
  #process = 0
  #idle: NodeJS.Timeout | undefined
  readonly ready: Promise<'ready' | 'changed' | 'failed'>
  closed = false

  constructor(path: string, limitMs: number) {
    this.#limitMs = limitMs
    const socket = connect({ path })
    this.#socket = socket
    this.ready = new Promise((resolve) => {
      const pieces = new Pieces(
        (letter, bytes) => {
          if (letter === 'P') {
            this.#process = Number(bytes)
            resolve('ready')
          } else if (letter === 'S') resolve('changed')
          else this.#take(letter, bytes)
        },
        () => this.#stop(),
      )
      socket.on('data', (bytes) => pieces.add(bytes))
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.closed = true
        clearTimeout(this.#idle)
        resolve('failed')
        this.#endAll('Perl has ended')
      })
    })
  }

  get busy(): boolean {
    return this.#underWay.length > 0
  }

  /** Undefined: it has ended before it was asked. */
  call(call: PerlCall): Promise<PerlResult | undefined> {
    // Perl waits for this one.
    if (call.within === this) return this.#ask(call)
    const result = this.#queue.then(() => (this.closed ? undefined : this.#ask(call)))
    this.#queue = result
    return result
  }

  close(): void {
    this.closed = true
    clearTimeout(this.#idle)
    this.#socket.end()
  }

  #ask(call: PerlCall): Promise<PerlResult> {
    if (this.closed) return Promise.resolve({ is: 'failed', message: 'Perl has ended' })
    clearTimeout(this.#idle)
    this.#socket.ref()
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#overdue(call), this.#limitMs)
      this.#underWay.push({ call, settle, timer })
      this.#socket.write(pieceOf('C', packed(call)))
    })
  }

  #take(letter: string, bytes: ByteString): void {
    const innermost = this.#underWay.at(-1)
    if (innermost === undefined) return
    const { call } = innermost
    switch (letter) {
      case 'R':
        // As in Exim a binary zero ends it.
        return this.#finish({ is: 'value', text: bytes.replace(/\0[^]*$/, '') })
      case 'U':
        return this.#finish({ is: 'nothing' })
      case 'D':
        return this.#finish({ is: 'failed', message: bytes })
      case 'L':
        return call.log(bytes)
      case 'G':
        return call.debug(bytes)
      case 'X':
        return void call.expand(bytes, this).then((answer) => this.#answer(answer))
    }
  }

  #answer(answer: PerlAnswer): void {
    if (this.closed) return
    if (answer.is === 'value') this.#socket.write(pieceOf('V', answer.text))
    else
      this.#socket.write(
        pieceOf(answer.is === 'forced' ? 'F' : 'E', answer.is === 'forced' ? '' : answer.message),
      )
  }

  #finish(result: PerlResult): void {
    const ended = this.#underWay.pop()
    if (ended === undefined) return
    clearTimeout(ended.timer)
    ended.settle(result)
    if (this.busy) return
    this.#socket.unref()
    this.#idle = setTimeout(() => this.close(), idleLimitMs)
    this.#idle.unref()
  }

  #overdue({ name }: PerlCall): void {
    this.#stop()
    this.#endAll(`Perl subroutine "${name}" took more than ${this.#limitMs / 1000} seconds`)
  }

  #stop(): void {
    this.closed = true
    if (this.#process > 0) {
      try {
        process.kill(this.#process, 'SIGKILL')
      } catch {
        // It ended in the meantime.
      }
    }
    this.#socket.destroy()
  }

  #endAll(message: string): void {
    while (this.busy) this.#finish({ is: 'failed', message })
  }
}

/** @param limitMs how long a call may take */
export function createPerl(limitMs: number = callLimitMs): (call: PerlCall) => Promise<PerlResult> {
  const nurseries = new Map<string, Nursery>()
  const states = new WeakMap<object, { readonly key: string; readonly state: Promise<State | string> }>()
  const living = new Set<State>()
  /** Nobody can ask any more. */
  const gone = new FinalizationRegistry<State>((state) => state.close())
  process.once('exit', () => {
    for (const nursery of nurseries.values()) nursery.close()
  })

  function nurseryOf(key: string, call: PerlCall): Nursery | string {
    const known = nurseries.get(key)
    if (known !== undefined && !known.ended) {
      known.logTo(call.log)
      return known
    }
    const program = findPerl()
    if (program === undefined) return noPerl
    // Of an earlier configuration.
    for (const [other, nursery] of nurseries) if (other !== key) nursery.close()
    nurseries.clear()
    try {
      const made = new Nursery(program, call)
      nurseries.set(key, made)
      return made
    } catch (error) {
      // No room or no right for the folder of its socket.
      return `cannot start Perl: ${systemReason(error)}`
    }
  }

  async function newState(key: string, call: PerlCall): Promise<State | string> {
    for (let tries = 0; tries < 3; tries++) {
      const nursery = nurseryOf(key, call)
      if (typeof nursery === 'string') return nursery
      const started = await nursery.started
      if ('failed' in started) {
        if (nurseries.get(key) === nursery) nurseries.delete(key)
        nursery.close()
        return started.failed
      }
      makeRoom()
      const state = new State(started.path, limitMs)
      const ready = await state.ready
      if (ready === 'ready') {
        living.add(state)
        return state
      }
      state.close()
      if (nurseries.get(key) === nursery) nurseries.delete(key)
      nursery.close()
    }
    return 'Perl cannot be started'
  }

  function makeRoom(): void {
    for (const state of living) {
      if (state.closed) living.delete(state)
      else if (living.size >= mostStates && !state.busy) {
        state.close()
        living.delete(state)
      }
    }
  }

  /** The state that a call sees, which may be a new one. */
  async function stateOf(key: string, call: PerlCall): Promise<State | string> {
    const known = states.get(call.of)
    const state = known?.key === key ? await known.state : undefined
    if (state instanceof State && !state.closed) return state
    const made = newState(key, call)
    states.set(call.of, { key, state: made })
    const fresh = await made
    if (fresh instanceof State) gone.register(call.of, fresh)
    return fresh
  }

  return async (call) => {
    const key = `${call.taintMode} ${call.atStart} ${call.startup}`
    for (let tries = 0; tries < 3; tries++) {
      const state = await stateOf(key, call)
      if (typeof state === 'string') return { is: 'failed', message: state }
      // Those that were asked last stand last.
      living.delete(state)
      living.add(state)
      const result = await state.call(call)
      if (result !== undefined) return result
    }
    return { is: 'failed', message: 'Perl has ended' }
  }
}
