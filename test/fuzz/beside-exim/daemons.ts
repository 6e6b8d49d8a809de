/** The daemons of Exim and Postern with one configuration, and dialogues over TCP: each client has an address of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../../support/server.ts'

/** What a client saw, and the log lines about it. */
export interface Heard {
  readonly replies: string
  readonly main: readonly string[]
  readonly reject: readonly string[]
  readonly panic: readonly string[]
}

/** Plays all dialogues to one daemon; a dialogue is what a client sends, a command a line. */
export async function playAll(
  program: string,
  place: string,
  configuration: (place: string) => string,
  dialogues: readonly (readonly string[])[],
): Promise<Heard[]> {
  for (const path of [place, join(place, 'spool'), join(place, 'log')]) {
    mkdirSync(path)
    // Each writes as its own user.
    chmodSync(path, 0o777)
  }
  const file = join(place, 'exim.conf')
  writeFileSync(file, configuration(place), 'latin1')
  const port = await freePort()
  const child = spawn(program, ['-C', file, '-bdf', '-oX', `127.0.0.1.${port}`], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let problems = ''
  child.stdout.on('data', (bytes: Buffer) => (problems += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (problems += bytes.toString('latin1')))
  try {
    if (!(await listens(port, child))) return dialogues.map(() => silent(problems.replaceAll(place, 'PLACE')))
    const replies = await severalAtOnce(dialogues, (lines, i) =>
      play(
        port,
        addressOf(i),
        lines.map((line) => line.replaceAll('[CLIENT]', `[${addressOf(i)}]`)),
      ),
    )
    const log = (name: string): string => contents(join(place, 'log', `${name}log`))
    await quiet(() => log('main').length + log('reject').length)
    const [main, reject, panic] = ['main', 'reject', 'panic'].map((name) => byClient(log(name)))
    return replies.map((text, i) => {
      const address = addressOf(i)
      const here = (lines: ReadonlyMap<string, string[]> | undefined): string[] =>
        (lines?.get(address) ?? []).map((line) => line.replaceAll(address, 'CLIENT'))
      return {
        replies: text.replaceAll(address, 'CLIENT'),
        main: here(main),
        reject: here(reject),
        panic: here(panic),
      }
    })
  } finally {
    await end(child)
    rmSync(place, { recursive: true, force: true, maxRetries: 5 })
  }
}

function silent(problem: string): Heard {
  return { replies: `does not start: ${problem}`, main: [], reject: [], panic: [] }
}

function addressOf(index: number): string {
  return `127.9.${1 + (index >> 7)}.${1 + (index & 127)}`
}

async function listens(port: number, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end('QUIT\r\n'))
      socket.once('data', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (there) return true
    await pause(20)
  }
  return false
}

async function end(child: ChildProcess): Promise<void> {
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
  if (child.exitCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await over
  clearTimeout(timer)
}

function contents(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

async function quiet(size: () => number): Promise<void> {
  let last = -1
  for (let same = 0; same < 4; ) {
    const now = size()
    same = now === last ? same + 1 : 0
    last = now
    await pause(50)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Lines by the address that is in them; else by that of the message they are about. A line of the reject log may have others below it. */
function byClient(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const ofMessage = new Map<string, string>()
  let last = ''
  for (const line of text.split('\n')) {
    const [, rest] = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)/s.exec(line) ?? []
    if (rest === undefined) {
      if (line !== '') found.get(last)?.push(line)
      continue
    }
    const [id = ''] = /^\w{6}-\w{6,11}-\w{2,4}(?= )/.exec(rest) ?? []
    const address = /\b127\.9\.\d+\.\d+\b/.exec(rest)?.[0] ?? ofMessage.get(id) ?? ''
    if (id !== '') ofMessage.set(id, address)
    const lines = found.get(address) ?? []
    found.set(address, lines)
    lines.push(rest)
    last = address
  }
  return found
}

async function severalAtOnce<T, R>(
  all: readonly T[],
  one: (each: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < all.length; i = next++) {
      const each = all[i]
      if (each !== undefined) results[i] = await one(each, i)
    }
  }
  await Promise.all(Array.from({ length: 6 }, work))
  return results
}

const bytesOf = (line: string): string =>
  line.replaceAll('{LF}', '\n').replaceAll('{CR}', '\r').replaceAll('{NUL}', '\0').replaceAll('{IAC}', '\xff')

/**
 * Plays one dialogue. A line that begins with `&` goes in one packet with the line before it, one that ends with `{-}`
 * has no line end. After a 354 all lines up to a dot are sent at once, and so are the bytes of a chunk.
 */
async function play(port: number, address: string, lines: readonly string[]): Promise<string> {
  const client = new Client(port, address)
  let heard = await client.replies(1)
  let at = 0
  const next = (): string => {
    const line = lines[at++] ?? ''
    const plain = line.replace(/^&/, '')
    return bytesOf(plain.endsWith('{-}') ? plain.slice(0, -3) : `${plain}\r\n`)
  }
  while (at < lines.length && !client.over) {
    let wanted = 1
    let sent = ''
    let exact = true
    if (/^354/m.test(heard.slice(heard.lastIndexOf('\n', heard.length - 2) + 1))) {
      do sent += next()
      while (at < lines.length && !/(?:^|\n)\.\r?\n$/.test(sent))
    } else {
      exact = !/\{|^&/.test(lines[at] ?? '')
      sent = next()
      let chunk = chunkSize(sent)
      while (at < lines.length && (chunk > 0 || (lines[at] ?? '').startsWith('&'))) {
        if (chunk > 0) exact = false
        else wanted++
        if (/\{/.test(lines[at] ?? '')) exact = false
        const more = next()
        chunk = chunk > 0 ? chunk - more.length : chunkSize(more)
        sent += more
      }
    }
    if (wanted > 1) exact = false
    client.send(sent)
    const answer = await client.replies(wanted, exact)
    heard = answer === '' ? heard.replace(/^354/gm, '35-') : answer
  }
  if (!client.over) client.finish()
  await client.ended()
  return client.all
}

function chunkSize(line: string): number {
  return Number(/^BDAT[ \t]+(\d+)/i.exec(line)?.[1] ?? 0)
}

class Client {
  readonly #socket: Socket
  #wake: (() => void) | undefined
  #read = 0
  all = ''
  over = false

  constructor(port: number, address: string) {
    this.#socket = connect({ port, host: '127.0.0.1', localAddress: address, allowHalfOpen: true })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (bytes: Buffer) => {
      this.all += bytes.toString('latin1')
      this.#wake?.()
    })
    const over = (): void => {
      this.over = true
      this.#socket.end()
      this.#wake?.()
    }
    for (const event of ['error', 'end', 'close'] as const) this.#socket.on(event, over)
  }

  send(text: string): void {
    this.#socket.write(Buffer.from(text, 'latin1'))
  }

  finish(): void {
    this.#socket.end()
  }

  /** So many replies; when there may be more or fewer, what comes until it is quiet. */
  async replies(count: number, exact: boolean = true): Promise<string> {
    const until = performance.now() + (exact ? 6000 : 400)
    const complete = (): boolean => this.#repliesNow() >= count
    while (!this.over && !complete() && performance.now() < until)
      await this.#change(until - performance.now())
    if (!exact) {
      let before = -1
      while (!this.over && before !== this.all.length) {
        before = this.all.length
        await this.#change(60)
      }
    }
    const text = this.all.slice(this.#read)
    this.#read = this.all.length
    return text
  }

  async ended(): Promise<void> {
    const until = performance.now() + 3000
    while (!this.over && performance.now() < until) await this.#change(until - performance.now())
    this.#socket.destroy()
  }

  #repliesNow(): number {
    return this.all.slice(this.#read).match(/^\d{3}(?: .*)?\r\n/gm)?.length ?? 0
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
