/**
 * Random graphs of redirections, and what must hold of a message that goes through one: however often its deliveries have to wait,
 * and wherever its process dies, in the end everything has been delivered (or reported) that one attempt without trouble delivers; without
 * a death exactly as often.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom, type Random } from '../fuzz/random.ts'
import { deliveryWorld } from '../support/delivery-world.ts'
import { Death, envelopeOf, MortalClaim } from '../support/memory-claim.ts'
import { startSink } from '../support/smtp-sink.ts'

/** The domain of an address says which router takes it; one without an entry there goes to a transport. */
const redirections = {
  'a.test': '',
  'once.test': 'one_time',
  'unseen.test': 'unseen',
  'norepeat.test': 'repeat_use = false',
  'check.test': 'check_ancestor',
  'skip.test': 'redirect_router = local',
  'errors.test': 'errors_to = owner@x.test',
  'data.test': 'address_data = $local_part\n  headers_add = X-Of: $local_part',
  'pre.test': 'local_part_prefix = p-\n  local_part_prefix_optional',
  'hide.test': 'hide_child_in_errmsg',
} as const
const finals = ['s.test', 't.test', 'l.test', 'b.test'] as const
const localParts = ['one', 'two', 'three', 'four', 'five']
const spelled = ['One', '"two"', 'p-three', 'TWO']

export interface Graph {
  readonly aliases: Readonly<Record<string, readonly string[]>>
  readonly recipients: readonly string[]
  /** Addresses whose first deliveries, so many, are put off: an address, or an alias as a whole (`:defer:`). */
  readonly waits: Readonly<Record<string, number>>
  readonly fails: readonly string[]
  /** At which attempts the process dies: at which write, and whether the write has been done. */
  readonly deaths: readonly { readonly attempt: number; readonly write: number; readonly done: boolean }[]
  readonly smtp: string
  readonly batch: number
  readonly hosts: string
}

export function randomGraph(seed: number): Graph {
  const random = createRandom(seed)
  const { below, pick } = random
  const domains = Object.keys(redirections).filter(() => below(3) === 0)
  if (domains.length === 0) domains.push('a.test')
  const inner = domains.includes('once.test') ? [] : domains
  const odd = below(3) === 0
  const address = (): string => {
    const local = odd && below(4) === 0 ? pick(spelled) : pick(localParts)
    // Nothing behind `one_time`: where a loop ends depends on which of its addresses waits.
    const domain = below(5) < 3 && inner.length > 0 ? pick(inner) : pick(finals)
    return `${local}@${odd && below(8) === 0 ? domain.toUpperCase() : domain}`
  }
  const aliases: Record<string, string[]> = {}
  for (let i = below(7); i >= 0; i--) {
    const items = Array.from({ length: 1 + below(4) }, () => item(random, address))
    aliases[`${pick(localParts)}@${pick(domains)}`] = items
  }
  const names = Object.keys(aliases)
  const anyOf = (): string => (below(3) > 0 ? pick(names) : address())
  const waits: Record<string, number> = {}
  for (let i = below(5); i > 0; i--)
    waits[(below(4) === 0 ? pick(names) : address()).toLowerCase()] = 1 + below(3)
  return {
    aliases,
    recipients: [...new Set(Array.from({ length: 1 + below(4) }, anyOf))],
    waits,
    fails: Array.from({ length: below(3) }, () => address().toLowerCase()),
    deaths:
      below(3) > 0
        ? []
        : Array.from({ length: 1 + below(2) }, () => ({
            attempt: below(3),
            write: below(4),
            done: below(2) === 0,
          })),
    smtp: pick(['', 'max_rcpt = 1', 'max_rcpt = 2', 'connection_max_messages = 1', 'multi_domain = false']),
    batch: 1 + below(3),
    hosts: pick(['127.0.0.1', '127.0.0.1', '127.0.0.2:127.0.0.1']),
  }
}

function item({ below, pick }: Random, address: () => string): string {
  switch (below(14)) {
    case 0:
      return pick([':blackhole:', ':fail: gone', '/FOLDER/file1', '/FOLDER/file2', '"|/bin/true"'])
    default:
      return address()
  }
}

function configurationOf(
  graph: Graph,
  attempt: number,
  port: number,
  folder: string,
  trouble: boolean,
): string {
  const later = trouble ? Object.keys(graph.waits).filter((name) => (graph.waits[name] ?? 0) > attempt) : []
  const entries = Object.entries(graph.aliases)
  const data = (domain: string): string =>
    entries
      .filter(([name]) => name.endsWith(`@${domain}`))
      .reduce((otherwise, [name, items]) => {
        const value = later.includes(name) ? ':defer: later' : items.join(', ').replaceAll('/FOLDER', folder)
        return `\${if eqi{$local_part}{${name.slice(0, name.indexOf('@'))}}{${value}}{${otherwise}}}`
      }, '')
  const routers = Object.entries(redirections)
    .map(
      ([domain, options]) => `${domain.slice(0, domain.indexOf('.'))}:
  driver = redirect
  domains = ${domain}
  allow_fail
  allow_defer
  file_transport = t_file
  pipe_transport = t_pipe
  data = ${data(domain)}
  ${options}
`,
    )
    .join('')
  const localWaits = (domain: string): string =>
    later
      .filter((name) => name.endsWith(`@${domain}`))
      .map((name) => name.slice(0, name.indexOf('@')))
      .join(':')
  return `primary_hostname = mta.example
qualify_domain = mta.example
delay_warning = 0s
begin routers
${routers}local:
  driver = accept
  domains = l.test
  transport = t_local
batch:
  driver = accept
  domains = b.test
  transport = t_batch
smtp:
  driver = manualroute
  route_list = s.test 127.0.0.1 ; * ${graph.hosts}
  self = send
  transport = t_smtp
begin transports
t_smtp:
  driver = smtp
  port = ${port}
  allow_localhost
  hosts_avoid_tls = *
  ${graph.smtp}
t_local:
  driver = appendfile
  file = \${if inlisti{$local_part}{${localWaits('l.test')}}{\${if eq{1}{2}{x}fail}}{${folder}/box}}
t_batch:
  driver = appendfile
  file = ${localWaits('b.test') === '' ? `${folder}/batch` : '${if eq{1}{2}{x}fail}'}
  batch_max = ${graph.batch}
t_file:
  driver = appendfile
t_pipe:
  driver = pipe
  return_output = false
begin retry
* * F,2h,15m
`
}

export interface Outcome {
  /** `=> address R=router T=transport`, `** address`, sorted. */
  readonly ends: readonly string[]
  readonly completed: boolean
  /** What was found wrong on the way. */
  readonly wrong: readonly string[]
  readonly log: readonly string[]
}

/** Attempts enough for all waits and deaths. */
const attempts = 8

export async function run(graph: Graph, trouble: boolean): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-graphs-'))
  let attempt = 0
  const accepted: string[] = []
  const sink = await startSink({
    rcpt: (line) => {
      const address = (/<(.*)>/.exec(line)?.[1] ?? '').toLowerCase()
      if (graph.fails.includes(address)) return '550 no'
      return trouble && (graph.waits[address] ?? 0) > attempt ? '450 later' : '250 ok'
    },
    end: ({ rcpts }) => {
      accepted.push(...rcpts.map((line) => /<(.*)>/.exec(line)?.[1] ?? ''))
      return '250 taken'
    },
  })
  const log: string[] = []
  const wrong: string[] = []
  const hides = JSON.stringify(graph).toLowerCase().includes('hide.test')
  let claim = new MortalClaim(
    envelopeOf({ recipients: graph.recipients.map((address) => ({ address })) }),
    'text\n',
  )
  let completed = false
  try {
    for (; attempt < attempts && !completed; attempt++) {
      const world = deliveryWorld(configurationOf(graph, attempt, sink.port, folder, trouble))
      const death = trouble ? graph.deaths.find((one) => one.attempt === attempt) : undefined
      claim = new MortalClaim(claim.envelope, 'text\n')
      claim.left = death?.write ?? Number.POSITIVE_INFINITY
      claim.written = death?.done ?? true
      log.push(`-- ${attempt}`)
      try {
        const { is } = await world.deliver(claim, { force: true, thaw: true })
        completed = is === 'completed'
        if (is === 'frozen') wrong.push('frozen')
      } catch (error) {
        if (!(error instanceof Death)) throw error
        log.push('-- dies')
      } finally {
        world.close()
      }
      log.push(...world.log)
      const told = world.submitted
        .map(({ text }) => text.replaceAll('"', ''))
        .join('')
        .toLowerCase()
      for (const line of world.log) {
        const failed = /^\*\* (\S+)/.exec(line)?.[1]
        if (failed !== undefined && death === undefined && !told.includes(failed.toLowerCase()) && !hides)
          wrong.push(`nobody is told of ${failed}`)
      }
      if (completed !== (claim.state === 'completed')) wrong.push('Completed, but not removed')
    }
  } finally {
    await sink.close()
    rmSync(folder, { recursive: true, force: true })
  }
  const ends = log.flatMap((line) => endOf(line, folder))
  const logged = ends.filter((end) => end.includes('T=t_smtp') && !end.startsWith('**')).length
  if (logged !== accepted.length) wrong.push(`${logged} logged, ${accepted.length} accepted`)
  return {
    ends: ends.toSorted(),
    completed,
    wrong,
    log: log.map((line) => line.replaceAll(folder, '/FOLDER')),
  }
}

/** The end of an address as a line of the log has it. */
function endOf(line: string, folder: string): string[] {
  const [, arrow, address] = /^(=>|->|>>|\*\*) (\S+)/.exec(line) ?? []
  if (arrow === undefined || address === undefined) return []
  const how = (/ R=\S+/.exec(line)?.[0] ?? '') + (/ T=\w+/.exec(line)?.[0] ?? '')
  return [`${arrow === '**' ? '**' : '=>'} ${address.replace(folder, '/FOLDER')}${how}`]
}

/** What does not hold; empty: all does. */
export async function judge(graph: Graph): Promise<readonly string[]> {
  const calm = await run(graph, false)
  const rough = await run(graph, true)
  const wrong = [...calm.wrong.map((one) => `calm: ${one}`), ...rough.wrong]
  if (!calm.completed) wrong.push('calm: not completed')
  if (!rough.completed) wrong.push('not completed')
  const died = rough.log.includes('-- dies')
  const count = (all: readonly string[], one: string): number => all.filter((other) => other === one).length
  for (const end of new Set([...calm.ends, ...rough.ends])) {
    const [once, now] = [count(calm.ends, end), count(rough.ends, end)]
    // What has failed is told once, however many led to it.
    if (now < once && !((died || end.startsWith('**')) && now > 0)) wrong.push(`${now} of ${once}: ${end}`)
    if (now > once && !(died && once > 0)) wrong.push(`${now} in place of ${once}: ${end}`)
  }
  return wrong.length === 0 ? [] : [...wrong, 'calm:', ...calm.log, 'rough:', ...rough.log]
}

/** A smaller graph of which something does not hold either. */
export async function shrink(graph: Graph): Promise<Graph> {
  for (const smaller of smallerOnes(graph)) if ((await judge(smaller)).length > 0) return shrink(smaller)
  return graph
}

function* smallerOnes(graph: Graph): Generator<Graph> {
  const { aliases, recipients, waits, fails, deaths } = graph
  const without = <T>(all: readonly T[], i: number): T[] => all.filter((_, j) => j !== i)
  for (let i = 0; i < deaths.length; i++) yield { ...graph, deaths: without(deaths, i) }
  if (recipients.length > 1)
    for (let i = 0; i < recipients.length; i++) yield { ...graph, recipients: without(recipients, i) }
  for (const name of Object.keys(waits)) {
    const { [name]: many = 0, ...rest } = waits
    yield { ...graph, waits: rest }
    if (many > 1) yield { ...graph, waits: { ...rest, [name]: 1 } }
  }
  for (let i = 0; i < fails.length; i++) yield { ...graph, fails: without(fails, i) }
  for (const [name, items] of Object.entries(aliases)) {
    const { [name]: _, ...rest } = aliases
    yield { ...graph, aliases: rest }
    if (items.length > 1)
      for (let i = 0; i < items.length; i++)
        yield { ...graph, aliases: { ...aliases, [name]: without(items, i) } }
  }
  if (graph.smtp !== '') yield { ...graph, smtp: '' }
  if (graph.batch > 1) yield { ...graph, batch: 1 }
}
