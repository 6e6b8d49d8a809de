/**
 * Many processes at once on one spool, at random: they receive, claim each other's messages, mark, complete, end and are killed; the index
 * is lost now and then. What was acknowledged is there with all its marks, or complete for good; nothing else is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openSpool } from '../../src/store/spool/index.ts'
import { createRandom } from '../fuzz/random.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), '..', 'support', 'spool-worker.js')

/** What processes told of a message. */
interface Told {
  readonly marks: string[]
  completes: boolean
  completed: boolean
}

/** @returns what does not hold, and the lines that processes logged */
export async function playSpool(
  seed: number,
  { rounds, kills }: { readonly rounds: number; readonly kills: boolean },
): Promise<readonly string[]> {
  const { below } = createRandom(seed)
  const directory = mkdtempSync(join(tmpdir(), 'postern-spools-'))
  const told = new Map<string, Told>()
  const logged: string[] = []
  const wrong: string[] = []
  const running = new Set<ChildProcess>()
  const ends: Promise<void>[] = []
  const start = (): ChildProcess => {
    // A call leaves a message or two, and ends; daemons go on.
    const brief = below(3) > 0
    const how = [
      directory,
      String(below(1e9)),
      String(brief ? below(30) : 200 + below(1500)),
      brief ? 'brief' : '',
    ]
    const child = spawn(process.execPath, [program, ...how], { stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    let text = ''
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) note(line)
    })
    child.stderr.on('data', (bytes: Buffer) => logged.push(...bytes.toString('latin1').split('\n')))
    ends.push(
      new Promise((resolve) =>
        child.once('close', (code, signal) => {
          running.delete(child)
          if (code !== 0 && signal !== 'SIGKILL') wrong.push(`a process ended with ${code} ${signal}`)
          resolve()
        }),
      ),
    )
    return child
  }
  function note(line: string): void {
    const [what, id = '', mark = ''] = line.split(' ')
    const known: Told = told.get(id) ?? { marks: [], completes: false, completed: false }
    told.set(id, known)
    if (what === 'M') known.marks.push(mark)
    if (what === 'D') {
      if (known.completed) wrong.push(`${id} is completed again`)
      known.completes = true
    }
    if (what === 'C') known.completed = true
  }
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  try {
    for (let round = 0; round < rounds; round++) {
      while (running.size < 5) start()
      await pause(below(100))
      const victims = [...running]
      if (kills && below(3) === 0) victims[below(victims.length)]?.kill('SIGKILL')
      if (!kills || below(8) > 0) continue
      for (const child of running) child.kill('SIGKILL')
      await Promise.all(ends)
      if (below(2) === 0) rmSync(`${directory}/index`, { recursive: true, force: true })
    }
    await Promise.all(ends)
    for (const lost of [false, true]) {
      if (lost) rmSync(`${directory}/index`, { recursive: true })
      wrong.push(
        ...(await judge(directory, told, logged)).map((one) => `${one}${lost ? ' without the index' : ''}`),
      )
    }
  } finally {
    for (const child of running) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  const strange = logged.filter((line) => line !== '' && !expected.test(line))
  return [...wrong, ...strange.map((line) => `logged: ${line}`)]
}

const expected =
  /^spool: took over \d+ segments of process|^spool index rebuilt: |^spool: a record at the end of segment \w+ was never finished/

async function judge(
  directory: string,
  told: ReadonlyMap<string, Told>,
  logged: string[],
): Promise<readonly string[]> {
  const wrong: string[] = []
  const spool = await openSpool({ directory, now: Date.now, log: (line) => void logged.push(line) })
  try {
    await spool.takeOver()
    const listed = new Set([...spool.list()].map(({ id }) => id))
    for (const [id, { marks, completes, completed }] of told) {
      if (completed && listed.has(id)) wrong.push(`${id} was completed and is there`)
      if (completes) continue
      const message = await spool.read(id)
      const done = new Set(message?.envelope.done)
      if (message === undefined) wrong.push(`${id} is lost`)
      else if (marks.some((mark) => !done.has(mark))) wrong.push(`${id} has lost marks`)
    }
    const files = readdirSync(`${directory}/bodies`).filter(
      (name) => !listed.has(name.slice(0, name.indexOf('.'))),
    )
    for (const name of files) wrong.push(`bodies/${name} is left`)
    for (const name of readdirSync(`${directory}/msglog`))
      if (!listed.has(name)) wrong.push(`msglog/${name} is left`)
    for (const name of readdirSync(`${directory}/damaged`)) wrong.push(`damaged/${name}`)
  } finally {
    await spool.close()
  }
  return wrong
}
