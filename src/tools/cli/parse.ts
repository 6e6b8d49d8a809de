/** From the words of a command line to what was asked for. Source: Exim manual, "The Exim command line". */
import type { FlagRow, ModeName } from './flag.ts'
import { type FlagName, flagTable } from './flag-table.ts'

export interface GivenFlag {
  readonly flag: FlagName
  /** Undefined for a flag that takes nothing. */
  readonly value: string | undefined
  /** What follows a flag that takes all. */
  readonly rest: readonly string[]
}

/** What one call asks for. */
export interface Invocation {
  /** The name it was called with, without folder: `exim`, `sendmail`, `postern`. */
  readonly calledAs: string
  readonly mode: ModeName
  readonly flags: readonly GivenFlag[]
  /** Arguments that are no flags. */
  readonly args: readonly string[]
}

export type ParseResult =
  | { readonly is: 'invocation'; readonly invocation: Invocation }
  | { readonly is: 'refused'; readonly message: string }

const names = Object.keys(flagTable) as FlagName[] // keys of the table itself
const longestFirst = names.toSorted((a, b) => b.length - a.length)

/** Flags that a name stands for. Source: Exim manual, "Setting options by program name". */
export const flagsByName: Readonly<Record<string, readonly string[]>> = {
  mailq: ['-bp'],
  rsmtp: ['-bS'],
  rmail: ['-i', '-oee'],
  runq: ['-q'],
  newaliases: ['-bi'],
}

/** Modes that may be given together, and which of them wins. */
const winners: readonly (readonly [ModeName, ModeName])[] = [['daemon', 'queue-run']]

export function parseCommandLine(calledAs: string, words: readonly string[]): ParseResult {
  const flags: GivenFlag[] = []
  const args: string[] = []
  const line = [...(flagsByName[calledAs] ?? []), ...words]
  for (let at = 0; at < line.length; at++) {
    const word = line[at] ?? ''
    if (!word.startsWith('-') || word === '-') {
      args.push(...line.slice(at))
      break
    }
    const found = recognise(word)
    if (found === undefined) {
      return refused(`${calledAs} abandoned: unknown, malformed, or incomplete option ${word}`)
    }
    const row: FlagRow = flagTable[found.flag]
    if (row.refused !== undefined) return refused(`${calledAs}: ${found.flag}: ${row.refused}`)
    if (found.flag === '--') {
      args.push(...line.slice(at + 1))
      break
    }
    let value = found.value
    if (row.takes === 'next' || (row.takes === 'attached or next' && value === undefined)) {
      value = line[++at]
      if (value === undefined && found.flag.startsWith('-oM')) {
        return refused(`${calledAs}: data expected after ${found.flag}`)
      }
      if (value === undefined) {
        return refused(`${calledAs} abandoned: unknown, malformed, or incomplete option ${word}`)
      }
    }
    if (row.takes === 'all that follow') {
      flags.push({ flag: found.flag, value, rest: line.slice(at + 1) })
      return finish(calledAs, splitRest(flags), args)
    }
    const rest: string[] = []
    for (
      let next = line[at + 1];
      next !== undefined && row.words?.(next, rest, value) === true;
      next = line[at + 1]
    ) {
      rest.push(next)
      at++
    }
    flags.push({ flag: found.flag, value, rest })
  }
  return finish(calledAs, flags, args)
}

/**
 * The row a word belongs to: the word itself, else the longest flag it begins with whose value may be attached.
 */
function recognise(word: string): { flag: FlagName; value: string | undefined } | undefined {
  for (const flag of longestFirst) {
    if (!word.startsWith(flag)) continue
    const row: FlagRow = flagTable[flag]
    const rest = word.slice(flag.length)
    const attached =
      row.takes === 'attached' || row.takes === 'attached or next' || row.takes === 'optional attached'
    if (rest === '') {
      if (row.takes === 'attached' && row.form === undefined) return undefined
      return { flag, value: row.takes === 'optional attached' ? '' : undefined }
    }
    if (attached && (row.form === undefined || row.form.test(rest))) return { flag, value: rest }
  }
  return undefined
}

/** `-bP -n routers`: flags may stand between a flag that takes all and its arguments. */
function splitRest(flags: GivenFlag[]): GivenFlag[] {
  const last = flags.at(-1)
  if (last === undefined || last.flag !== '-bP') return flags
  const rest = last.rest.filter((word) => word !== '-n')
  const before = flags.slice(0, -1)
  if (rest.length < last.rest.length) before.push({ flag: '-n', value: undefined, rest: [] })
  // A configuration or macro given after -bP counts as well, as it does for Exim.
  const words: string[] = []
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ''
    if (word.startsWith('-C') || word.startsWith('-D')) {
      const flag: FlagName = word.startsWith('-C') ? '-C' : '-D'
      const value = word.length > 2 ? word.slice(2) : rest[++at]
      before.push({ flag, value, rest: [] })
    } else words.push(word)
  }
  return [...before, { ...last, rest: words }]
}

function finish(calledAs: string, flags: readonly GivenFlag[], args: readonly string[]): ParseResult {
  const mode = chooseMode(flags, args)
  const looksAtMessage = flags.some(({ flag }) => flag === '-Mset')
  // In a dialogue the sender is what MAIL says, the recipients what RCPT says. Observed of Exim 4.96.
  const saysEnvelope = flags.some(({ flag }) => envelopeFlags.has(flag))
  if (
    mode === undefined ||
    (looksAtMessage && mode !== 'expand') ||
    (saysEnvelope && dialogueModes.has(mode))
  )
    return refused(`${calledAs}: incompatible command-line options or arguments`)
  return { is: 'invocation', invocation: { calledAs, mode, flags, args } }
}

const envelopeFlags: ReadonlySet<FlagName> = new Set(['-f', '-r', '-t', '-ti'])
const dialogueModes: ReadonlySet<ModeName> = new Set(['smtp-on-stdin', 'batch-smtp', 'daemon'])

function chooseMode(flags: readonly GivenFlag[], args: readonly string[]): ModeName | undefined {
  let mode: ModeName | undefined
  const acting = flags.filter(({ flag }) => rowOf(flag).mode !== undefined)
  for (const given of acting) {
    const row: FlagRow = flagTable[given.flag]
    if (row.mode === undefined || row.mode === mode) continue
    // Beside another action, -qGname only says which queue. Source: Exim manual, "-qG".
    if (namesQueue(given) && acting.some((other) => !namesQueue(other))) continue
    const pair = winners.find(([a, b]) => (a === mode && b === row.mode) || (b === mode && a === row.mode))
    if (mode !== undefined && pair === undefined) {
      // -bm beside -t and the like is only said twice; two different actions exclude each other.
      return undefined
    }
    mode = pair?.[0] ?? row.mode
  }
  if (mode !== undefined) return mode
  if (args.length > 0 || flags.some(({ flag }) => flag === '-t' || flag === '-ti')) return 'accept-message'
  return 'help'
}

function rowOf(flag: FlagName): FlagRow {
  return flagTable[flag]
}

function namesQueue({ flag, value }: GivenFlag): boolean {
  return flag === '-q' && value?.startsWith('G') === true
}

/** The queue that `-qGname` names; empty: the one without a name. */
export function queueOf(invocation: Invocation): string {
  const given = invocation.flags.findLast((each) => namesQueue(each))
  return given?.value?.slice(1).replace(/\/.*$/s, '') ?? ''
}

function refused(message: string): ParseResult {
  return { is: 'refused', message }
}

/** Asking an invocation about its flags. */
export function has(invocation: Invocation, ...wanted: readonly FlagName[]): boolean {
  return invocation.flags.some(({ flag }) => wanted.includes(flag))
}

/** The value of the last of the flags given. */
export function valueOf(invocation: Invocation, ...wanted: readonly FlagName[]): string | undefined {
  return invocation.flags.findLast(({ flag }) => wanted.includes(flag))?.value
}

/** Everything that follows the flag that took all, else the arguments. */
export function operands(invocation: Invocation): readonly string[] {
  return invocation.flags.find(({ rest }) => rest.length > 0)?.rest ?? invocation.args
}
