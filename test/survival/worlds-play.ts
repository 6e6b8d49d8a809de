/** How a world of `worlds.ts` is played: what happens to it, step by step, and how it comes to its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { processTree } from '../support/processes.ts'
import { postern, type StartedServer, startServer } from '../support/server.ts'
import { type Hops, moods } from './worlds-hops.ts'
import {
  aliasFile,
  backDomain,
  configurationText,
  createRandom,
  type Random,
  randomConfiguration,
  randomFiles,
  redirectDomains,
  type World,
} from './worlds-model.ts'
import type { Act, Options, Played, Timed } from './worlds.ts'
import { type Called, submit, type Submitted } from './worlds-submit.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Play {
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
  async #command(words: readonly string[], input = '', asUser = false): Promise<Called> {
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
    this.#beside(
      submit({
        random: this.#random,
        port: this.#port,
        world: this.#world,
        submitted: this.#submitted,
        nextId: () => `m${this.#seed}.${this.#count++}@source.test`,
        command: (words, input, asUser) => this.#command(words, input, asUser),
        tell: (what) => this.#tell(what),
      }),
    )
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
