/** exiqgrep: messages of the queue that match. Source: Exim manual, "Selective queue listing"; forms as that of Exim 4.96. */
import { compileRegex } from '../../../base/regex.ts'
import type { QueueEntry } from '../../../store/spool/api.ts'
import { age, sizeOf } from '../queue-listing.ts'
import type { Terminal } from '../terminal.ts'
import { openForTool } from './open.ts'

export const usage = `Exim message queue display utility.

\t-h\t\tThis help message.
\t-C\t\tSpecify which exim.conf to use.
\t-E\t\tAccepted: the queue is read directly.

Selection criteria:
\t-f <regexp>\tMatch sender address sender (field is "< >" wrapped)
\t-r <regexp>\tMatch recipient address
\t-s <regexp>\tMatch against the size field from long output
\t-y <seconds>\tMessage younger than
\t-o <seconds>\tMessage older than
\t-z\t\tFrozen messages only (exclude non-frozen)
\t-x\t\tNon-frozen messages only (exclude frozen)
\t-G <queuename>\tMatch in given queue only

[ NB: for regexps, provided string sits in /<string>/ ]

Display options:
\t-c\t\tDisplay match count
\t-l\t\tLong Format [Default]
\t-i\t\tMessage IDs only
\t-b\t\tBrief Format
\t-R\t\tReverse order
\t-a\t\tAll recipients (including delivered)
`

/** Flags with a value, and flags without. */
const valued = ['-f', '-r', '-s', '-y', '-o', '-G', '-C', '-E']
const plain = ['-z', '-x', '-c', '-l', '-i', '-b', '-R', '-a', '-h']
const selecting = ['-f', '-r', '-s', '-y', '-o', '-z', '-x', '-c', '-G']

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const flags = readFlags(words)
  if (flags === undefined || flags.has('-h') || !selecting.some((flag) => flags.has(flag))) {
    terminal.out(usage)
    return flags?.has('-h') === true ? 0 : 1
  }
  const select = selection(flags)
  if ('wrong' in select) {
    terminal.err(`exiqgrep: ${select.wrong}\n`)
    return 1
  }
  const config = flags.get('-C')
  const server = await openForTool(config === undefined ? [] : ['-C', config], terminal)
  if (server === undefined) return 1
  try {
    const spool = await server.spool('read')
    const now = Date.now()
    const found: QueueEntry[] = []
    let all = 0
    for (const entry of spool.list({ order: 'arrival', queueName: flags.get('-G') ?? '' })) {
      all++
      if (select.matches(entry, now)) found.push(entry)
    }
    if (flags.has('-R')) found.reverse()
    if (flags.has('-c')) terminal.out(`${found.length} matches out of ${all} messages\n`)
    else for (const entry of found) terminal.out(shown(entry, flags, now))
  } finally {
    await server.close()
  }
  return 0
}

function readFlags(words: readonly string[]): ReadonlyMap<string, string> | undefined {
  const flags = new Map<string, string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    const name = word.slice(0, 2)
    if (valued.includes(name)) {
      const value = word.length > 2 ? word.slice(2) : words[++i]
      if (value === undefined) return undefined
      flags.set(name, value)
    } else if (/^-[a-zA-Z]+$/.test(word) && Array.from(word.slice(1)).every((c) => plain.includes(`-${c}`))) {
      for (const c of word.slice(1)) flags.set(`-${c}`, '')
    } else return undefined
  }
  return flags
}

type Selection =
  | { readonly matches: (entry: QueueEntry, now: number) => boolean }
  | { readonly wrong: string }

function selection(flags: ReadonlyMap<string, string>): Selection {
  const tests: ((entry: QueueEntry, now: number) => boolean)[] = []
  for (const [flag, caseless] of [
    ['-f', true],
    ['-r', true],
    ['-s', false],
  ] as const) {
    const text = flags.get(flag)
    if (text === undefined) continue
    const pattern = compileRegex(text, { caseless })
    if ('error' in pattern) return { wrong: `"${text}" is not a regular expression` }
    const holds = (subject: string): boolean => {
      const match = pattern.match(subject)
      return match !== undefined && !('error' in match)
    }
    if (flag === '-f') tests.push((entry) => holds(`<${entry.sender}>`))
    else if (flag === '-s') tests.push((entry) => holds(sizeOf(entry.size).trim()))
    else
      tests.push((entry) =>
        entry.recipients.some(({ address, done }) => (!done || flags.has('-a')) && holds(address)),
      )
  }
  const seconds = (entry: QueueEntry, now: number): number => (now - entry.receivedAt) / 1000
  const younger = flags.get('-y')
  if (younger !== undefined) tests.push((entry, now) => seconds(entry, now) < Number(younger))
  const older = flags.get('-o')
  if (older !== undefined) tests.push((entry, now) => seconds(entry, now) > Number(older))
  if (flags.has('-z')) tests.push((entry) => entry.frozen)
  if (flags.has('-x')) tests.push((entry) => !entry.frozen)
  return { matches: (entry, now) => tests.every((holds) => holds(entry, now)) }
}

function shown(entry: QueueEntry, flags: ReadonlyMap<string, string>, now: number): string {
  if (flags.has('-i')) return `${entry.id}\n`
  const recipients = entry.recipients.filter(({ done }) => !done || flags.has('-a'))
  if (flags.has('-b'))
    return `${entry.id} From: <${entry.sender}> To: ${recipients.map(({ address }) => address).join(';')}\n`
  const head = `${age(now - entry.receivedAt)} ${sizeOf(entry.size)} ${entry.id} <${entry.sender}>`
  const lines = recipients.map(({ address, done }) => `\t${done ? 'D' : ' '} ${address}\n`).join('')
  return `${head}${entry.frozen ? ' *** frozen ***' : ''}\n${lines}\n`
}
