/** What does not hold at the end of a world: mail lost, twice, without a reason, or left behind. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageIdOf } from './worlds-hops.ts'
import { type End, startOf, stepOf, type World } from './worlds-model.ts'
import type { Submitted } from './worlds-submit.ts'
import type { Act, Played, Timed } from './worlds.ts'

/** A copy of a message that came somewhere. */
interface Arrival {
  readonly message: string
  readonly leaf: End
  /** False: nobody was told that it came, so it may come again. */
  readonly sure: boolean
}

export function judgeWorld(played: Played): readonly string[] {
  const wrong = [...played.faults]
  const arrivals = arrivalsOf(played)
  const told = bouncesOf(played)
  const ids = new Map(
    [...played.log.matchAll(/ (\S{16,23}) <= (?:s@back\.test|nobody@mta\.example) .* id=(\S+)/g)].map(
      ([, id = '', message = '']) => [message, id],
    ),
  )
  for (const one of played.submitted.values()) {
    const id = ids.get(one.message)
    if (!one.acknowledged && id === undefined) continue
    const acts = played.acts.filter((act) => act.id === id)
    const got = arrivals.filter(({ message }) => message === one.message)
    const failed = told.get(one.message) ?? new Set()
    const about = `${id} ${one.message}`
    for (const what of judgeMessage(played, one, { acts, got, failed })) wrong.push(`${about}: ${what}`)
  }
  wrong.push(...judgeLog(played))
  return wrong
}

interface Found {
  readonly acts: readonly Act[]
  readonly got: readonly Arrival[]
  readonly failed: ReadonlySet<string>
}

function* judgeMessage(played: Played, one: Submitted, { acts, got, failed }: Found): Generator<string> {
  const did = (flag: string): readonly Act[] => acts.filter(({ words }) => words[0] === flag)
  // Done, or perhaps done by somebody who was killed.
  const may = (act: Act): boolean => act.status === 0 || act.status === undefined
  const ended = ['-Mrm', '-Mmad', '-Mg'].some((flag) => did(flag).some(may))
  const marked = new Set(
    did('-Mmd')
      .filter(may)
      .map(({ words }) => words[2] ?? ''),
  )
  const added = did('-Mar')
  const sure = added.filter(({ status }) => status === 0)
  const ends = new Set(got.map(({ leaf }) => leaf))
  // What has come to an address before it fails is enough.
  const isAt = (end: End): boolean => {
    const address = end.replace(/^fail /, '')
    return ends.has(address) || failed.has(address)
  }
  if (!ended) {
    for (const address of one.recipients)
      if (!marked.has(address) && !explained(played, address, one.from, isAt)) yield `lost: ${address}`
    for (const { words, at } of sure) {
      const address = words[2] ?? ''
      if (!marked.has(address) && !explained(played, address, at, isAt)) yield `lost: ${address} of -Mar`
    }
    for (const address of failed) if (!mayFail(played, address)) yield `bounce without reason: ${address}`
  }
  // From the shell an address may be added that has got its copy.
  if (added.length > 0) return
  for (const leaf of ends) {
    const copies = got.filter((arrival) => arrival.leaf === leaf)
    const lastSure = copies.filter((copy) => copy.sure).length
    const kills = played.kills.filter(({ from }) => from >= one.from).length
    const most = /^[|]|^FOLDER/.test(leaf) ? 4 : 1
    if (lastSure > most + kills) yield `${copies.length} copies: ${leaf}`
  }
}

/** Before and after a change an attempt may see the one or the other; a worker keeps its configuration until it has ended. */
const readBeforeMs = 1500
const keptMs = 15_000

function explained({ states }: Played, address: string, from: number, isAt: (end: End) => boolean): boolean {
  const windows = states
    .map((_, i) => seenAt(states, i))
    .filter((window, i) => {
      const next = states[i + 1]
      return window.length > 0 && (next === undefined || next.from + readBeforeMs >= from)
    })
  return windows.some((worlds) => isExplained(startOf(address), worlds, windows, isAt, 0))
}

/** The worlds that an attempt may see that begins while this one holds. */
function seenAt(states: readonly Timed<World>[], i: number): readonly World[] {
  const from = states[i]?.from ?? 0
  const until = (states[i + 1]?.from ?? Number.POSITIVE_INFINITY) + readBeforeMs
  const within = (ms: number): World[] =>
    states
      .filter(
        (state, j) => state.from <= until && (states[j + 1]?.from ?? Number.POSITIVE_INFINITY) >= from - ms,
      )
      .map(({ what }) => what)
  // A configuration of before, and the files of now.
  const configurations = [...new Set(within(keptMs).map(({ configuration }) => configuration))]
  const files = [...new Set(within(readBeforeMs).map((world) => world.files))]
  return files.flatMap((each) => configurations.map((configuration) => ({ files: each, configuration })))
}

const deepest = 12

function isExplained(
  way: ReturnType<typeof startOf>,
  worlds: readonly World[],
  windows: readonly (readonly World[])[],
  isAt: (end: End) => boolean,
  depth: number,
): boolean {
  if (depth > deepest) return true
  return worlds.some((world) => {
    const step = stepOf(world, way)
    if (step === undefined || !step.ends.every(isAt)) return false
    return step.below.every((child) => {
      if (isExplained(child, worlds, windows, isAt, depth + 1)) return true
      if (!step.oneTime) return false
      return windows.some((later) =>
        [child, startOf(child.address)].some((each) => isExplained(each, later, windows, isAt, depth + 1)),
      )
    })
  })
}

function mayFail({ states, hops }: Played, address: string): boolean {
  if (hops.everRefused.has(address) || address.endsWith('@gone.test')) return true
  // Its hosts are those of others, too.
  if (states.some(({ what }) => what.configuration.short)) return true
  return states.some(({ what: { files } }) => {
    const domain = address.slice(address.indexOf('@') + 1)
    // What is not allowed in a list of `one_time` is told in words, under the name of the list.
    const once = states.some(({ what }) => what.configuration.options[domain] === 'one_time')
    return files.aliases[address]?.some((item) => item.startsWith(':fail:') || (once && !item.includes('@')))
  })
}

function judgeLog({ log, kills, acts, panic }: Played): string[] {
  const wrong: string[] = []
  const count = new Map<string, number>()
  for (const [, id = ''] of log.matchAll(/ (\S{16,23}) Completed/g)) count.set(id, (count.get(id) ?? 0) + 1)
  let missing = 0
  for (const [line, id = ''] of log.matchAll(/^.* (\S{16,23}) <= .*$/gm)) {
    const completed = count.get(id) ?? 0
    if (completed > 1) wrong.push(`Completed ${completed} times: ${line}`)
    const removed = acts.some((act) => act.id === id && act.words[0] === '-Mrm')
    if (completed === 0 && !removed && ++missing > kills.length) wrong.push(`never Completed: ${line}`)
  }
  const panics = panic.split('\n').map((line) => line.replaceAll(/^.*?\] |\w{6}-\w{9,}-\w{4} /g, ''))
  for (const line of new Set(panics)) {
    const expected = line === '' || (kills.length > 0 && ofKills.test(line))
    if (!expected) wrong.push(`panic log: ${line}`)
  }
  return wrong
}

const ofKills = /^(?:worker \d+ ended: SIGKILL|the configuration in force is kept: the new worker ended)/

/** By message: the addresses that bounces name. */
function bouncesOf({ folder }: Played): ReadonlyMap<string, Set<string>> {
  const told = new Map<string, Set<string>>()
  for (const text of maildir(join(folder, 'box', 'back'))) {
    const message = /<(m\d+\.\d+@source\.test)>/.exec(text)?.[1] ?? ''
    const failed = told.get(message) ?? new Set()
    told.set(message, failed)
    const named = /^X-Failed-Recipients: (.*(?:\n\s.*)*)/m.exec(text)?.[1] ?? ''
    for (const address of named.split(/[\s,]+/)) if (address !== '') failed.add(address)
  }
  return told
}

function arrivalsOf({ folder, hops }: Played): readonly Arrival[] {
  const box = join(folder, 'box')
  const mail = (name: string): string[] => {
    const path = join(box, name)
    return existsSync(path) ? readFileSync(path, 'latin1').split('\nFrom here\n') : []
  }
  const texts = [
    ...maildir(join(box, 'maildir')),
    ...readdirSync(join(box, 'pipe')).map((name) => readFileSync(join(box, 'pipe', name), 'latin1')),
    ...['mbox', 'archive', 'file'].flatMap(mail),
  ].filter((text) => text.includes('end-of-text'))
  const batch = existsSync(join(box, 'batch')) ? readFileSync(join(box, 'batch'), 'latin1') : ''
  return [
    ...hops.taken,
    ...texts.map((text) => ({
      message: messageIdOf(text),
      leaf: (/^X-Leaf: (.*)$/m.exec(text)?.[1] ?? '').replace(folder, 'FOLDER'),
      sure: true,
    })),
    ...batch
      .split('MAIL FROM:')
      .filter((text) => text.includes('end-of-text'))
      .flatMap((text) =>
        [...text.matchAll(/^RCPT TO:<(.*)>/gm)].map(([, leaf = '']) => ({
          message: messageIdOf(text),
          leaf,
          sure: true,
        })),
      ),
  ]
}

function maildir(path: string): string[] {
  const folder = join(path, 'new')
  return existsSync(folder)
    ? readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
    : []
}
