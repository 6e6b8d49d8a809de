/**
 * A daemon in a world that changes between the attempts: lists get and lose members, the configuration becomes another, next hops and
 * mailboxes refuse, hang and drop, messages are frozen, thawed and changed from the shell, and every process may be killed at any
 * moment. In the end all is well again, the queue runs empty, and each message must have gone where some state of the world led it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { processTree } from '../support/processes.ts'
import { freePort, postern, type StartedServer, startServer, temporaryFolder } from '../support/server.ts'
import { connectSmtp } from '../support/smtp-client.ts'
import { type Hops, moods, startHops } from './worlds-hops.ts'
import { judgeWorld } from './worlds-judge.ts'
import {
  aliasFile,
  backDomain,
  configurationText,
  createRandom,
  type Random,
  randomConfiguration,
  randomFiles,
  randomRecipients,
  redirectDomains,
  type World,
} from './worlds-model.ts'

export interface Options {
  readonly steps: number
  /** Processes are killed. */
  readonly kills: boolean
  /** The configuration is replaced, lists change. */
  readonly changes: boolean
  /** Keeps the folder of a world in which something does not hold. */
  readonly keep?: boolean
}

export interface Submitted {
  readonly message: string
  readonly recipients: readonly string[]
  readonly from: number
  acknowledged: boolean
}

/** What somebody did to a message from the shell. */
export interface Act {
  readonly id: string
  readonly words: readonly string[]
  readonly at: number
  /** Undefined: it was killed. */
  readonly status: number | null | undefined
  readonly said: string
}

export interface Timed<T> {
  readonly from: number
  readonly what: T
}

/** All that is known at the end of a play. */
export interface Played {
  readonly folder: string
  readonly hops: Hops
  readonly states: readonly Timed<World>[]
  readonly kills: readonly Timed<string>[]
  readonly submitted: ReadonlyMap<string, Submitted>
  readonly acts: readonly Act[]
  readonly faults: readonly string[]
  readonly log: string
  readonly panic: string
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const sender = `s@${backDomain}`

class Play {
  readonly #random: Random
  readonly #options: Options
  readonly #folder: string
  readonly #hops: Hops
  readonly #port: number
  readonly #seed: number
  readonly #states: Timed<World>[] = []
  readonly #kills: Timed<string>[] = []
  readonly #submitted = new Map<string, Submitted>()
  readonly #acts: Act[] = []
  readonly #faults: string[] = []
  readonly #story: string[] = []
  readonly #pending = new Set<Promise<void>>()
  readonly #commands = new Set<ChildProcess>()
  #server: StartedServer | undefined
  #prefix = ''
  #count = 0

  constructor(seed: number, options: Options, folder: string, hops: Hops, port: number) {
    this.#seed = seed
    this.#random = createRandom(seed)
    this.#options = options
    this.#folder = folder
    this.#hops = hops
    this.#port = port
  }

  async run(): Promise<Played> {
    const { below } = this.#random
    this.#prepare()
    this.#change({ files: randomFiles(this.#random), configuration: randomConfiguration(this.#random) })
    await this.#start()
    // Where this process has no time its next hops answer late, and a delivery may be made again.
    let last = Date.now()
    const lag = setInterval(() => {
      if (Date.now() - last > 2000) this.#kills.push({ from: Date.now(), what: 'no time' })
      last = Date.now()
    }, 100)
    try {
      for (let step = 0; step < this.#options.steps; step++) {
        await this.#step()
        await sleep(below(3) === 0 ? below(400) : below(60))
      }
      await this.#end()
    } finally {
      clearInterval(lag)
      await this.#server?.kill('SIGKILL').catch(() => undefined)
      for (const child of this.#commands) child.kill('SIGKILL')
    }
    const read = (name: string): string => {
      const path = join(this.#folder, 'log', name)
      return existsSync(path) ? readFileSync(path, 'latin1') : ''
    }
    writeFileSync(join(this.#folder, 'story'), this.#story.join('\n'))
    return {
      folder: this.#folder,
      hops: this.#hops,
      states: this.#states,
      kills: this.#kills,
      submitted: this.#submitted,
      acts: this.#acts,
      faults: this.#faults,
      log: read('mainlog'),
      panic: read('paniclog'),
    }
  }

  #tell(what: string): void {
    this.#story.push(`${new Date().toISOString().slice(11, 23)} ${what}`)
  }

  #prepare(): void {
    for (const name of ['on', 'lists', 'full', 'box', 'box/pipe', 'spool', 'log']) {
      mkdirSync(join(this.#folder, name))
      chmodSync(join(this.#folder, name), 0o777)
    }
    const script = join(this.#folder, 'deliver')
    writeFileSync(
      script,
      `#!/bin/sh
cd ${this.#folder}/box || exit 75
if [ -e ${this.#folder}/full/pipe ]; then cat >/dev/null; exit 75; fi
name=$$.$(date +%N)
{ echo "X-Leaf: $LEAF"; cat; } >pipe.$name || exit 75
mv pipe.$name pipe/$name || exit 75
`,
    )
    chmodSync(script, 0o755)
  }

  get #world(): World {
    const last = this.#states.at(-1)
    if (last === undefined) throw new Error('no state yet')
    return last.what
  }

  /** Puts a file in the place of another at once: nobody reads half of it. */
  #write(name: string, text: string): void {
    const path = join(this.#folder, name)
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }

  #change(world: World): void {
    const { files, configuration } = world
    const before = this.#states.at(-1)?.what.configuration
    // Each of its files is put there by itself: the state is known to begin before the first.
    this.#states.push({ from: Date.now(), what: world })
    for (const domain of redirectDomains) {
      const name = domain.slice(0, 2)
      this.#write(`aliases.${name}`, aliasFile(files, domain, this.#folder))
      if (files.on.includes(domain)) writeFileSync(join(this.#folder, 'on', name), '')
      else rmSync(join(this.#folder, 'on', name), { force: true })
    }
    for (const [name, members] of Object.entries(files.lists)) {
      this.#write(`lists/${name}`, members.map((one) => `${one}\n`).join(''))
    }
    if (before !== undefined && before !== configuration) {
      this.#write('exim.conf', this.#prefix + this.#text())
      this.#server?.process.kill('SIGHUP')
    }
  }

  #text(): string {
    const { smtpPort, lmtpPort } = this.#hops
    return configurationText(this.#world.configuration, { folder: this.#folder, smtpPort, lmtpPort })
  }

  async #start(): Promise<void> {
    const configuration = this.#text()
    this.#server = await startServer({
      configuration,
      folder: this.#folder,
      port: this.#port,
      arguments: ['-q1s'],
    })
    // Ordinary users hand over in the folder beside it.
    chmodSync(join(this.#folder, 'spool'), 0o750)
    const written = readFileSync(this.#server.configurationFile, 'latin1')
    this.#prefix = written.slice(0, written.length - configuration.length)
  }

  async #step(): Promise<void> {
    const { below, pick } = this.#random
    const { changes, kills } = this.#options
    const kind = below(100)
    if (kind < 45) this.#submit()
    else if (kind < 58) this.#moods()
    else if (kind < 70) {
      if (!changes) return
      const { files, configuration } = this.#world
      this.#change({ files: randomFiles(this.#random, files), configuration })
      this.#tell('files change')
    } else if (kind < 75) {
      if (!changes) return
      const { files, configuration } = this.#world
      this.#tell('configuration changes')
      this.#change({ files, configuration: randomConfiguration(this.#random, configuration) })
    } else if (kind < 88) this.#act()
    else if (kills) await this.#kill(pick(['parent', 'worker', 'worker', 'child', 'child', 'command', 'all']))
    else if (kind < 91) await this.#restart()
  }

  #moods(): void {
    const { below, pick } = this.#random
    const { mood, refused, everRefused } = this.#hops
    for (const host of Object.keys(mood)) if (below(2) === 0) mood[host] = pick(moods)
    if (below(4) === 0) {
      refused.clear()
      if (below(2) === 0) {
        const address = `${pick(['one', 'two', 'three'])}@${pick(['s.test', 't.test', 'm.test'])}`
        refused.add(address)
        everRefused.add(address)
      }
    }
    for (const name of ['maildir', 'mbox', 'pipe']) {
      const path = join(this.#folder, 'full', name)
      if (below(4) === 0) writeFileSync(path, '')
      else if (below(2) === 0) rmSync(path, { force: true })
    }
    for (const name of ['mbox', 'batch', 'archive', 'file']) {
      const path = join(this.#folder, 'box', name)
      if (existsSync(path) && below(3) === 0) chmodSync(path, below(2) === 0 ? 0o400 : 0o600)
    }
    if (below(3) === 0) chmodSync(join(this.#folder, 'box'), below(2) === 0 ? 0o755 : 0o777)
    this.#tell(`moods: ${JSON.stringify(mood)}`)
  }

  /** Work that goes on beside the steps. */
  #beside(work: Promise<void>): void {
    const pending = work
      .catch((error: unknown) => {
        this.#tell(`! ${String(error)}`)
      })
      .finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  /** Runs the program; undefined when it was killed. */
  async #command(
    words: readonly string[],
    input = '',
    asUser = false,
  ): Promise<{ readonly status: number | null | undefined; readonly said: string }> {
    const all = [postern, '-C', join(this.#folder, 'exim.conf'), ...words]
    if (asUser) all.unshift('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')
    const [program = '', ...rest] = all
    const child = spawn(program, rest, {
      stdio: 'pipe',
      env: { ...process.env, NODE_EXTRA_CA_CERTS: '' },
    })
    this.#commands.add(child)
    let said = ''
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')))
    child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input, 'latin1')
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('close', (status, name) => resolve([status, name])),
    )
    this.#commands.delete(child)
    return { status: signal === null ? code : undefined, said }
  }

  #submit(): void {
    const { below, pick } = this.#random
    const many = pick([1, 1, 2, 3])
    const messages = Array.from({ length: many }, (): Submitted => {
      const message = `m${this.#seed}.${this.#count++}@source.test`
      const one = {
        message,
        recipients: randomRecipients(this.#random, this.#world.files),
        from: Date.now(),
        acknowledged: false,
      }
      this.#submitted.set(message, one)
      return one
    })
    const long = below(8) === 0
    const textOf = ({ message }: Submitted, headers = ''): string =>
      `Message-Id: <${message}>\n${headers}Subject: x\n\n${'line of text\n'.repeat(long ? 9000 : 3)}end-of-text\n`
    const how = pick(['smtp', 'smtp', 'smtp', 'plain', 'plain', '-t', '-bS', '-bs', 'user'] as const)
    const mode = pick(['-odb', '-odb', '-odi', '-odq', '-odf', '-odqs'])
    this.#tell(
      `submit ${how} ${mode} ${messages.map((one) => `${one.message} to ${one.recipients.join(' ')}`).join('; ')}`,
    )
    if (how === 'smtp') return this.#beside(this.#smtp(messages, textOf))
    const flags = ['-oi', mode, '-f', sender]
    const [first] = messages
    if (first === undefined) return
    const batch = (): string =>
      messages
        .map(
          (one) =>
            `MAIL FROM:<${sender}>\n${one.recipients.map((to) => `RCPT TO:<${to}>\n`).join('')}DATA\n${textOf(one)}.\n`,
        )
        .join('')
    if (how === 'plain' || how === '-t' || how === 'user') {
      const input = how === '-t' ? textOf(first, `To: ${first.recipients.join(', ')}\n`) : textOf(first)
      this.#submittedOnly(messages, first)
      const words = how === '-t' ? [...flags, '-t'] : [...flags, ...first.recipients]
      this.#beside(
        this.#command(words, input, how === 'user').then(({ status, said }) => {
          this.#tell(`${first.message}: ${status} ${said}`)
          first.acknowledged = status === 0
        }),
      )
    } else if (how === '-bS') {
      this.#beside(
        this.#command([mode, '-bS'], `${batch()}QUIT\n`).then(({ status, said }) => {
          this.#tell(`${first.message}: ${status} ${said}`)
          for (const one of messages) one.acknowledged = status === 0
        }),
      )
    } else {
      const input = `EHLO source.test\r\n${batch().replaceAll('\n', '\r\n')}QUIT\r\n`
      this.#beside(
        this.#command([mode, '-bs'], input).then(({ said }) => {
          const taken = [...said.matchAll(/^250 OK id=/gm)].length
          for (const one of messages.slice(0, taken)) one.acknowledged = true
        }),
      )
    }
  }

  #submittedOnly(messages: readonly Submitted[], first: Submitted): void {
    for (const one of messages) if (one !== first) this.#submitted.delete(one.message)
  }

  async #smtp(messages: readonly Submitted[], textOf: (one: Submitted) => string): Promise<void> {
    const client = await connectSmtp(this.#port, '127.0.0.1', 20_000)
    try {
      await client.say('EHLO source.test')
      for (const one of messages) {
        const reply = await client.deliver(sender, one.recipients, textOf(one))
        if (reply.code === 250) one.acknowledged = true
        else this.#tell(`${one.message}: ${reply.raw}`)
      }
    } finally {
      client.end()
    }
  }

  /** Ids of messages that came in. */
  #ids(): string[] {
    const log = readFileSync(join(this.#folder, 'log', 'mainlog'), 'latin1')
    return [...log.matchAll(/ (\S{16,23}) <= (?:s@back\.test|nobody@mta\.example)/g)].flatMap(
      ([, id]) => id ?? [],
    )
  }

  #act(): void {
    const { below, pick } = this.#random
    const ids = this.#ids().slice(-6)
    if (ids.length === 0) return
    const id = pick(ids)
    const extra = `${pick(['one', 'four'])}@${pick(['s.test', 'l.test', 'r0.test', 'p.test'])}`
    const words = pick([
      ['-M', id],
      ['-M', id],
      ['-Mf', id],
      ['-Mf', id],
      ['-Mt', id],
      ['-Mt', id],
      ['-Mar', id, extra],
      ['-Mmd', id, extra],
      ['-Mes', id, `other@${backDomain}`],
      ...(below(3) === 0
        ? [
            ['-Mmad', id],
            ['-Mrm', id],
            ['-Mg', id],
          ]
        : []),
      ['-q'],
      ['-qff'],
      ['-qqf'],
      ['-R', 'test'],
      ['-bp'],
    ])
    const at = Date.now()
    this.#beside(
      this.#command(words).then(({ status, said }) => {
        this.#tell(`${words.join(' ')}: ${status} ${said.trim()}`)
        this.#acts.push({ id: words[1] ?? '', words, at, status, said })
      }),
    )
  }

  async #restart(): Promise<void> {
    this.#tell('restart')
    await this.#server?.stop()
    if (this.#server?.process.exitCode !== 0)
      this.#faults.push(`the daemon ended with ${this.#server?.process.exitCode}`)
    await this.#start()
  }

  async #kill(kind: string): Promise<void> {
    const { below } = this.#random
    const parent = this.#server?.process.pid ?? 0
    const isChild = (command: string): boolean => command.includes('job-child')
    const tree = processTree(parent)
    const killed = (pid: number, what: string): void => {
      try {
        process.kill(pid, 'SIGKILL')
        this.#kills.push({ from: Date.now(), what })
        this.#tell(`killed ${what} ${pid}`)
      } catch {
        // It has ended.
      }
    }
    if (kind === 'command') {
      for (const child of this.#commands) {
        const below_ = child.pid === undefined ? [] : processTree(child.pid)
        for (const { pid, command } of below_) if (below(2) === 0) killed(pid, `command ${command}`)
      }
      return
    }
    if (kind === 'worker' || kind === 'child') {
      const some = tree.filter(
        ({ pid, command }) => pid !== parent && isChild(command) === (kind === 'child'),
      )
      const victim = some[below(some.length)]
      if (victim !== undefined) killed(victim.pid, kind)
      return
    }
    this.#kills.push({ from: Date.now(), what: kind })
    this.#tell(`kill ${kind}`)
    if (kind === 'parent') process.kill(parent, 'SIGKILL')
    else {
      for (const { pid } of tree) killed(pid, 'one of all')
      await this.#server?.kill('SIGKILL')
      // What can be made anew, or may be lost.
      const spool = join(this.#folder, 'spool')
      if (this.#commands.size === 0 && below(3) === 0)
        rmSync(join(spool, 'index'), { recursive: true, force: true })
      if (this.#commands.size === 0 && below(4) === 0)
        rmSync(join(spool, 'hints'), { recursive: true, force: true })
    }
    await this.#start()
    this.#kills.push({ from: Date.now(), what: 'started again' })
  }

  /** All is well: what waits goes out. */
  async #end(): Promise<void> {
    this.#tell('all is well')
    const { mood, refused } = this.#hops
    for (const host of Object.keys(mood)) mood[host] = 'well'
    refused.clear()
    for (const name of ['maildir', 'mbox', 'pipe']) rmSync(join(this.#folder, 'full', name), { force: true })
    chmodSync(join(this.#folder, 'box'), 0o777)
    for (const name of ['mbox', 'batch', 'archive', 'file'])
      if (existsSync(join(this.#folder, 'box', name))) chmodSync(join(this.#folder, 'box', name), 0o600)
    const { files, configuration } = this.#world
    const aliases = Object.entries(files.aliases).filter(([, items]) => !items.includes(':defer: later'))
    if (aliases.length < Object.keys(files.aliases).length)
      this.#change({ files: { ...files, aliases: Object.fromEntries(aliases) }, configuration })
    await Promise.all(this.#pending)
    const until = Date.now() + 90_000
    for (;;) {
      await this.#command(['-qff'])
      const { said } = await this.#command(['-bpc'])
      if (said === '0\n') break
      if (Date.now() > until) {
        this.#faults.push(`the queue is not empty: ${(await this.#command(['-bp'])).said}`)
        break
      }
      await sleep(300)
    }
    this.#tell('the queue is empty')
    await this.#server?.stop()
    if (this.#server?.process.exitCode !== 0)
      this.#faults.push(`the daemon ended with ${this.#server?.process.exitCode}`)
    this.#faults.push(...this.#leftovers())
  }

  #leftovers(): string[] {
    const found: string[] = []
    const spool = join(this.#folder, 'spool')
    for (const name of ['bodies', 'msglog', 'damaged'])
      for (const file of readdirSync(join(spool, name))) found.push(`left in the spool: ${name}/${file}`)
    for (const file of readdirSync(join(this.#folder, 'box')))
      if (/\.lock|hitch/.test(file) && this.#kills.length === 0) found.push(`left: ${file}`)
    return found
  }
}

/** Plays a world; what does not hold of it. */
export async function playWorld(seed: number, options: Options): Promise<readonly string[]> {
  const folder = temporaryFolder(`world-${seed}`)
  chmodSync(folder.path, 0o777)
  const hops = await startHops()
  let wrong: readonly string[] = ['it did not end']
  try {
    const port = await freePort()
    const played = await new Play(seed, options, folder.path, hops, port).run()
    wrong = judgeWorld(played)
    if (wrong.length > 0 && options.keep === true) {
      writeFileSync(join(folder.path, 'wrong'), wrong.join('\n'))
      writeFileSync(
        join(folder.path, 'states'),
        played.states
          .map(({ from, what }) => `${new Date(from).toISOString()} ${JSON.stringify(what)}`)
          .join('\n'),
      )
    }
  } finally {
    await hops.close()
    if (wrong.length === 0 || options.keep !== true) folder.remove()
  }
  return wrong.length > 0 && options.keep === true ? [folder.path, ...wrong] : wrong
}
