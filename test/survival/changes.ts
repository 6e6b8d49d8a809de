/**
 * Random lists that change between the attempts of one message, in one process: whenever a recipient counts as done, all that it led to
 * in that attempt has come or has been told. `worlds.ts` plays the same with real processes.
 */
import { mkdtempSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryHints } from '../../src/store/hints/index.ts'
import { deliveryWorld } from '../support/delivery-world.ts'
import { Death, envelopeOf, MortalClaim } from '../support/memory-claim.ts'
import { startSink } from '../support/smtp-sink.ts'
import {
  createRandom,
  type End,
  itemsOf,
  randomAddress,
  randomConfiguration,
  randomFiles,
  randomRecipients,
  redirectDomains,
  startOf,
  stepOf,
  type World,
} from './worlds-model.ts'

export interface Attempt {
  readonly world: World
  /** Addresses that have to wait; `archive`: all copies for the archive. */
  readonly waits: readonly string[]
  readonly how: { readonly force?: boolean; readonly queueRun?: boolean; readonly localOnly?: boolean }
  /** At which write the process dies, and whether it has been done. */
  readonly death?: { readonly write: number; readonly done: boolean } | undefined
}

export interface Change {
  readonly recipients: readonly string[]
  readonly fails: readonly string[]
  readonly attempts: readonly Attempt[]
}

export function randomChange(seed: number): Change {
  const random = createRandom(seed)
  const { below, pick } = random
  const deaths = below(3) === 0
  let world: World = { files: randomFiles(random), configuration: randomConfiguration(random) }
  const { files } = world
  const attempts = Array.from({ length: 2 + below(5) }, (): Attempt => {
    const now = world
    for (let i = below(3); i > 0; i--) world = { ...world, files: randomFiles(random, world.files) }
    if (below(3) === 0) world = { ...world, configuration: randomConfiguration(random, world.configuration) }
    return {
      world: now,
      waits: Array.from({ length: below(9) }, () => (below(8) === 0 ? 'archive' : randomAddress(random))),
      how: pick([{ force: true }, { force: true }, { queueRun: true }, { force: true, localOnly: true }]),
      death: deaths && below(2) === 0 ? { write: below(4), done: below(2) === 0 } : undefined,
    }
  })
  return {
    recipients: randomRecipients(random, files),
    fails: Array.from({ length: below(3) }, () => randomAddress(random)),
    attempts,
  }
}

const localParts = (addresses: readonly string[], domain: string): string =>
  addresses
    .filter((one) => one.endsWith(`@${domain}`))
    .map((one) => one.slice(0, one.indexOf('@')))
    .join(':')

function textOf({ world, waits }: Attempt, folder: string, port: number): string {
  const { files, configuration: c } = world
  const data = (domain: string): string =>
    Object.keys(files.aliases)
      .filter((name) => name.endsWith(`@${domain}`))
      .reduce((otherwise, name) => {
        const items = (itemsOf(files, name) ?? [])
          .map((item) => item.replace(/^\||^FOLDER\/box\//, 'FOLDER/'))
          .join(', ')
        return `\${if eqi{$local_part}{${name.slice(0, name.indexOf('@'))}}{${items.replaceAll('FOLDER', folder)}}{${otherwise}}}`
      }, '')
  const redirections = redirectDomains.map((domain) => {
    const on = files.on.includes(domain)
    const options = (c.options[domain] ?? '').replace('SWITCH', on ? 'true' : 'false')
    return `${c.renamed}${domain.slice(0, 2)}:
  driver = redirect
  domains = ${domain}
  allow_fail
  allow_defer
  file_transport = t_file
  data = ${data(domain)}
  ${options.replace('= local', `= ${c.renamed}local`)}
`
  })
  const isLocal = (domain: string): boolean => !/smtp|lmtp/.test(c.transports[domain] ?? '')
  const route = (name: string, domain: string, batch: boolean, condition = ''): string =>
    isLocal(domain)
      ? `${c.renamed}${name}:
  driver = accept
  domains = ${domain}
  ${condition}
  transport = ${batch ? 't_batch' : `t_${name}`}
`
      : ''
  const box = (name: string, domain: string, more: string): string => `${name}:
  driver = appendfile
  file = \${if inlist{$local_part}{${localParts(waits, domain)}}{\${if eq{1}{2}{x}fail}}{${folder}/box}}
  message_prefix = "\\nFrom here\\n"
  ${more}
`
  const leaf = 'headers_add = X-Leaf: $local_part@$domain'
  return `primary_hostname = mta.example
qualify_domain = mta.example
delay_warning =
remote_max_parallel = ${c.parallel}
begin routers
${redirections.join('')}${
  c.archive
    ? `archive:
  driver = accept
  domains = l.test
  unseen
  transport = t_archive
`
    : ''
}${c.renamed}local:
  driver = ${isLocal('l.test') ? 'accept' : 'manualroute'}
  domains = l.test
  ${c.except === '' ? '' : `local_parts = !${c.except}`}
  ${isLocal('l.test') ? 'transport = t_local' : 'route_list = * 127.0.0.1\n  self = send\n  transport = t_smtp'}
${route('batch', 'b.test', true)}${route('tees', 't.test', false)}smtp:
  driver = manualroute
  domains = ! gone.test
  route_list = s.test 127.0.0.1 ; * ${c.hosts.replaceAll('127.0.0.2', '127.0.0.1')}
  self = send
  transport = t_smtp
begin transports
t_smtp:
  driver = smtp
  port = ${port}
  allow_localhost
  hosts_avoid_tls = *
  ${c.smtp}
${box('t_local', 'l.test', leaf)}${box('t_tees', 't.test', leaf)}t_archive:
  driver = appendfile
  file = ${waits.includes('archive') ? '${if eq{1}{2}{x}fail}' : `${folder}/box`}
  message_prefix = "\\nFrom here\\n"
  headers_add = X-Leaf: archive $local_part@$domain
t_batch:
  driver = appendfile
  file = ${localParts(waits, 'b.test') === '' ? `${folder}/batch` : '${if eq{1}{2}{x}fail}'}
  use_bsmtp
  batch_max = ${c.batch}
t_file:
  driver = appendfile
  headers_add = X-Leaf: $address_file
  message_prefix = "\\nFrom here\\n"
begin retry
* * F,2h,15m
`
}

/** Attempts without trouble in the last world. */
const attemptsAfter = 4

/** What does not hold; empty: all does. */
export async function judgeChange(change: Change): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-changes-'))
  const hints = createMemoryHints()
  let waits: readonly string[] = []
  const accepted: string[] = []
  const sink = await startSink({
    rcpt: (line) => {
      const address = /<(.*)>/.exec(line)?.[1] ?? ''
      if (change.fails.includes(address)) return '550 no'
      return waits.includes(address) ? '450 later' : '250 ok'
    },
    end: ({ rcpts }) => {
      accepted.push(...rcpts.map((line) => /<(.*)>/.exec(line)?.[1] ?? ''))
      return '250 taken'
    },
  })
  const arrived = (): End[] => [...accepted, ...leavesIn(folder)]
  const log: string[] = []
  const wrong: string[] = []
  const told = new Set<string>()
  const judged = new Set<string>()
  let died = false
  const last = change.attempts.at(-1)
  if (last === undefined) return ['no attempt']
  const end = calm(last.world)
  const plan: readonly Attempt[] = [
    ...change.attempts,
    ...Array.from({ length: attemptsAfter }, () => ({ world: end, waits: [], how: { force: true } })),
  ]
  let claim = new MortalClaim(
    envelopeOf({ recipients: change.recipients.map((address) => ({ address })) }),
    'text\n',
  )
  let completed = false
  const played: World[] = []
  try {
    for (const [number, attempt] of plan.entries()) {
      if (completed) break
      ;({ waits } = attempt)
      played.push(attempt.world)
      const world = deliveryWorld(textOf(attempt, folder, sink.port), { hints })
      claim = new MortalClaim(claim.envelope, 'text\n')
      claim.left = attempt.death?.write ?? Number.POSITIVE_INFINITY
      claim.written = attempt.death?.done ?? true
      log.push(
        `-- ${number} ${JSON.stringify(attempt.how)} waits ${waits.join(' ')}`,
        describe(attempt.world),
      )
      try {
        const { is } = await world.deliver(claim, { thaw: true, ...attempt.how })
        completed = is === 'completed'
        if (is === 'frozen') wrong.push('frozen')
      } catch (error) {
        if (!(error instanceof Death)) throw error
        died = true
        log.push('-- dies')
      } finally {
        world.close()
      }
      log.push(...world.log)
      const { submitted } = world
      for (const { text } of submitted) {
        const named = /^X-Failed-Recipients: (.*(?:\n\s.*)*)/m.exec(text)?.[1] ?? ''
        for (const address of named.split(/[\s,]+/)) told.add(address)
      }
      const ends = new Set(arrived())
      // What has come to an address before it fails is enough.
      const isAt = (one: End): boolean => {
        const address = one.replace(/^fail /, '')
        return ends.has(address) || told.has(address)
      }
      const done = new Set(completed ? change.recipients : claim.envelope.done)
      for (const address of change.recipients) {
        if (!done.has(address) || judged.has(address)) continue
        judged.add(address)
        if (isLed(startOf(address), attempt.world, played, isAt, 0)) continue
        // What a list of `one_time` has put in its place goes on.
        const put = played.some(({ configuration }) =>
          Object.values(configuration.options).includes('one_time'),
        )
        if (put && !completed) judged.delete(address)
        else if (!put || !played.some((one) => isLed(startOf(address), one, played, isAt, 0)))
          wrong.push(`${address} counts as done in attempt ${number}, and is not`)
      }
    }
  } finally {
    await sink.close()
    rmSync(folder, { recursive: true, force: true })
  }
  if (!completed) wrong.push('not completed')
  const all = arrived()
  if (!died) {
    const most = (one: End): number => (one.startsWith('FOLDER') ? 4 : 1)
    for (const one of new Set(all)) {
      const times = all.filter((other) => other === one).length
      if (times > most(one)) wrong.push(`${times} times: ${one}`)
    }
  }
  return wrong.length === 0 ? [] : [...wrong, ...log.map((line) => line.replaceAll(folder, 'FOLDER'))]
}

function describe({ files, configuration }: World): string {
  return `${JSON.stringify(files)} ${JSON.stringify(configuration)}`
}

/** Nothing in it is put off. */
function calm({ files, configuration }: World): World {
  const aliases = Object.entries(files.aliases).filter(([, items]) => !items.includes(':defer: later'))
  return { files: { ...files, aliases: Object.fromEntries(aliases) }, configuration }
}

const deepest = 12

/** All that it leads to has come. Behind `one_time` an address goes on by itself, in whatever world. */
function isLed(
  way: ReturnType<typeof startOf>,
  world: World,
  before: readonly World[],
  isAt: (end: End) => boolean,
  depth: number,
): boolean {
  if (depth > deepest) return true
  const step = stepOf(world, way)
  if (
    step?.ends.every(isAt) === true &&
    step.below.every((child) => isLed(child, world, before, isAt, depth + 1))
  )
    return true
  return before.some((earlier) => {
    const then = stepOf(earlier, way)
    if (then?.oneTime !== true || !then.ends.every(isAt)) return false
    return then.below.every((child) =>
      before.some((any) =>
        [child, startOf(child.address)].some((each) => isLed(each, any, before, isAt, depth + 1)),
      ),
    )
  })
}

function leavesIn(folder: string): End[] {
  const read = (name: string): string => {
    const path = join(folder, name)
    return existsSync(path) ? readFileSync(path, 'latin1') : ''
  }
  const boxes = ['box', 'file', 'pipe'].map(read)
  const leaves = [...boxes.join('').matchAll(/^X-Leaf: (.*)$/gm)].map(([, leaf = '']) => leaf)
  const batched = [...read('batch').matchAll(/^RCPT TO:<(.*)>/gm)].map(([, leaf = '']) => leaf)
  return [...leaves, ...batched].map((leaf) =>
    leaf.replace(`${folder}/pipe`, '|pipe').replace(folder, 'FOLDER/box'),
  )
}

/** A smaller one in which something does not hold either. */
export async function shrinkChange(change: Change): Promise<Change> {
  for (const smaller of smallerOnes(change))
    if ((await judgeChange(smaller)).length > 0) return shrinkChange(smaller)
  return change
}

function* smallerOnes(change: Change): Generator<Change> {
  const { recipients, fails, attempts } = change
  const without = <T>(all: readonly T[], i: number): T[] => all.filter((_, j) => j !== i)
  if (attempts.length > 1)
    for (let i = 0; i < attempts.length; i++) yield { ...change, attempts: without(attempts, i) }
  if (recipients.length > 1)
    for (let i = 0; i < recipients.length; i++) yield { ...change, recipients: without(recipients, i) }
  for (let i = 0; i < fails.length; i++) yield { ...change, fails: without(fails, i) }
  for (const [i, attempt] of attempts.entries()) {
    const withAttempt = (other: Attempt): Change => ({
      ...change,
      attempts: attempts.map((one, j) => (i === j ? other : one)),
    })
    const { death: _, ...alive } = attempt
    if (attempt.death !== undefined) yield withAttempt(alive)
    for (let j = 0; j < attempt.waits.length; j++)
      yield withAttempt({ ...attempt, waits: without(attempt.waits, j) })
    const { files, configuration } = attempt.world
    const withFiles = (other: World['files']): Change =>
      withAttempt({ ...attempt, world: { files: other, configuration } })
    for (const [name, items] of Object.entries(files.aliases)) {
      const { [name]: _items, ...rest } = files.aliases
      yield withFiles({ ...files, aliases: rest })
      if (items.length > 1)
        for (let j = 0; j < items.length; j++)
          yield withFiles({ ...files, aliases: { ...files.aliases, [name]: without(items, j) } })
    }
    if (configuration.archive)
      yield withAttempt({ ...attempt, world: { files, configuration: { ...configuration, archive: false } } })
    for (const [domain, option] of Object.entries(configuration.options))
      if (option !== '')
        yield withAttempt({
          ...attempt,
          world: {
            files,
            configuration: { ...configuration, options: { ...configuration.options, [domain]: '' } },
          },
        })
    if (configuration.smtp !== '')
      yield withAttempt({ ...attempt, world: { files, configuration: { ...configuration, smtp: '' } } })
  }
}
