/** exipick: messages of the queue by criteria on their variables. Forms as that of Exim 4.96. */
import type { QueueEntry } from '../../../store/spool/api.ts'
import { type ListingStyle, listingOf, age, sizeOf } from '../queue-listing.ts'
import type { Terminal } from '../terminal.ts'
import { type Criterion, readCriterion, variables } from './exipick-criteria.ts'
import { openForTool } from './open.ts'

export const usage = `Usage:
      exipick [<options>] [<criterion> [<criterion> ...]]
      exipick --help

Options: --and --or --not; -bp -bpa -bpu -bpc -bpr -bpra -bpru -l -b -i -c --flatq --size --show-vars NAME,...;
      -f REGEXP -r REGEXP -s STRING -y SECONDS -o SECONDS -x -z; --sort NAME,... --reverse -R --unsorted --random;
      --caseful; --queue NAME; -C FILE
Criteria: $variable, !$variable, $variable OPERATOR value, with the operators == != < <= > >= (numbers; K, M, G and
      s, m, h, d, w may follow), eq ne (strings), = (contains), =~ !~ (regular expressions).
Variables: ${Object.keys(variables).join(' ')}
`

interface Options {
  readonly words: ReadonlySet<string>
  readonly values: ReadonlyMap<string, string>
  readonly criteria: readonly Criterion[]
}

const valued = ['-f', '-r', '-s', '-y', '-o', '-C', '--config', '--queue', '--sort', '--show-vars']
const plain =
  '--and --or --not -bp -bpa -bpu -bpc -bpr -bpra -bpru -l -b -i -c -x -z -R --reverse --unsorted --random --caseful --flatq --size --help'.split(
    ' ',
  )

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if ('wrong' in options) {
    terminal.err(`${options.wrong}\n${usage}`)
    return 1
  }
  if (options.words.has('--help')) {
    terminal.out(usage)
    return 0
  }
  const config = options.values.get('-C') ?? options.values.get('--config')
  const server = await openForTool(config === undefined ? [] : ['-C', config], terminal)
  if (server === undefined) return 1
  try {
    const spool = await server.spool('read')
    const now = Date.now()
    const all: QueueEntry[] = []
    for (const entry of spool.list({ order: 'arrival', queueName: options.values.get('--queue') ?? '' }))
      all.push(entry)
    const found = sorted(
      all.filter((entry) => chosen(entry, options, now)),
      options,
      now,
    )
    print(found, all.length, options, terminal, now)
  } finally {
    await server.close()
  }
  return 0
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  const given = new Set<string>()
  const values = new Map<string, string>()
  const texts: string[] = []
  for (let i = 0; i < words.length; i++) {
    const [name, inline] = splitFlag(words[i] ?? '')
    if (valued.includes(name)) values.set(name, inline ?? words[++i] ?? '')
    else if (plain.includes(name)) given.add(name)
    else if (name.startsWith('-')) return { wrong: `Unknown option: ${name.replace(/^-+/, '')}` }
    else texts.push(words[i] ?? '')
  }
  const short: readonly [string, (value: string) => string][] = [
    ['-f', (value) => `$sender_address_bracketed =~ ${value}`],
    ['-r', (value) => `$recipients_undel =~ ${value}`],
    ['-s', (value) => `$shown_message_size eq ${value}`],
    ['-y', (value) => `$message_age < ${value}`],
    ['-o', (value) => `$message_age > ${value}`],
  ]
  for (const [flag, criterion] of short) {
    const value = values.get(flag)
    if (value !== undefined) texts.push(criterion(value))
  }
  if (given.has('-x')) texts.push('!$deliver_freeze')
  if (given.has('-z')) texts.push('$deliver_freeze')
  const criteria: Criterion[] = []
  for (const text of texts) {
    const criterion = readCriterion(text, given.has('--caseful'))
    if ('wrong' in criterion) return criterion
    criteria.push(criterion)
  }
  return { words: given, values, criteria }
}

function splitFlag(word: string): readonly [string, string | undefined] {
  const long = /^(--[a-z-]+)=(.*)$/s.exec(word)
  return long === null ? [word, undefined] : [long[1] ?? '', long[2] ?? '']
}

function chosen(entry: QueueEntry, { words, criteria }: Options, now: number): boolean {
  const holds = (criterion: Criterion): boolean => criterion.holds(entry, now)
  const found = words.has('--or') ? criteria.some(holds) : criteria.every(holds)
  return words.has('--not') ? !found : found
}

function sorted(entries: QueueEntry[], { words, values }: Options, now: number): QueueEntry[] {
  const names =
    values
      .get('--sort')
      ?.split(',')
      .map((name) => name.trim().replace(/^\$/, '')) ?? []
  if (names.length > 0) {
    entries.sort((a, b) => {
      for (const name of names) {
        const [x, y] = [variables[name]?.(a, now) ?? '', variables[name]?.(b, now) ?? '']
        const order =
          typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y))
        if (order !== 0) return order
      }
      return 0
    })
  }
  if (words.has('--random')) entries.sort(() => Math.random() - 0.5)
  if (words.has('--reverse') || words.has('-R')) entries.reverse()
  return entries
}

function print(
  found: readonly QueueEntry[],
  all: number,
  options: Options,
  terminal: Terminal,
  now: number,
): void {
  const { words, values } = options
  if (words.has('-bpc')) return terminal.out(`${found.length}\n`)
  if (words.has('-c')) return terminal.out(`${found.length} matches out of ${all} messages\n`)
  if (words.has('--size')) return terminal.out(`${found.reduce((sum, { size }) => sum + size, 0)}\n`)
  const style: ListingStyle = {
    generated: words.has('-bpa') || words.has('-bpra'),
    undeliveredOnly: words.has('-bpu') || words.has('-bpru'),
    idsOnly: false,
  }
  const shown = values
    .get('--show-vars')
    ?.split(',')
    .map((name) => name.trim().replace(/^\$/, ''))
  for (const entry of found) {
    const extra = (shown ?? []).map((name) => ` ${name}='${variables[name]?.(entry, now) ?? ''}'`).join('')
    if (words.has('-i')) terminal.out(`${entry.id}${extra}\n`)
    else if (words.has('-b')) terminal.out(`${brief(entry)}${extra}\n`)
    else if (words.has('--flatq')) terminal.out(`${flat(entry, now)}${extra}\n`)
    else terminal.out(listingOf(entry, style, now).replace('\n', `${extra}\n`))
  }
}

function pending(entry: QueueEntry): string[] {
  return entry.recipients.filter(({ done }) => !done).map(({ address }) => address)
}

function brief(entry: QueueEntry): string {
  return `${entry.id} From: <${entry.sender}> To: ${pending(entry).join(';')}`
}

function flat(entry: QueueEntry, now: number): string {
  const frozen = entry.frozen ? ' *** frozen ***' : ''
  const head = `${age(now - entry.receivedAt)} ${sizeOf(entry.size)} ${entry.id} <${entry.sender}>${frozen}`
  return `${head} ${pending(entry).join(' ')}`
}
