/**
 * Regular expressions in Perl's syntax, as Exim's users write them, with bounded effort.
 *
 * Most run as JavaScript's RegExp. V8 has a linear engine too, behind two flags that must be set before a RegExp is
 * made, so they are set before the first one is compiled: one makes V8 go over to it when RegExp backtracks too much, the
 * other allows to ask for it (flag `l`), where that change is not to be trusted. It takes memory for each step, so it gets short
 * subjects only; a long one runs as RegExp where the expression's cost at worst is small. What no RegExp can bound or say
 * runs on a matcher of our own that counts its steps.
 */
import { setFlagsFromString } from 'node:v8'
import { type Cost, costOf } from './regex-cost.ts'
import { emitRegex, type Emitted } from './regex-emit.ts'
import { compileProgram, runProgram, type Program } from './regex-machine.ts'
import { parseRegex } from './regex-parse.ts'
import type { ByteString } from './text.ts'

export interface CompiledRegex {
  /** The groups, `[0]` the whole match; undefined: no match; an error when the effort got too big. */
  match(subject: ByteString, from?: number): RegexMatch | undefined | { readonly error: string }
}
/** `index`: where the match begins. */
export type RegexMatch = (string | undefined)[] & { readonly index: number }

/** Longest pattern. */
const longestPattern = 64 * 1024
/** Steps that a RegExp without a net may need at worst; some 20 to 40 milliseconds. */
const mostUnwatchedSteps = 20_000_000
/** Longest subject for which V8's own change of engines is trusted. */
const longestWatched = 2000
/**
 * What V8's linear engine may have to do. A step of it may take new memory: 10 ns where the system gives that soon, and 300 where it
 * does not (a virtual machine in which each page is dear).
 */
const mostLinearSteps = 100_000

/** `l` is V8's own flag for its linear engine. */
const linearFlags: string = 'gl'
let known: LinearEngine | undefined
const linear = (): LinearEngine => (known ??= enableLinearEngine())

interface LinearEngine {
  readonly onBacktracks: boolean
  readonly onDemand: boolean
}

/** Compiles a pattern; an error has PCRE's sentence and the offset in the pattern. */
export function compileRegex(
  pattern: ByteString,
  options: { readonly caseless?: boolean } = {},
): CompiledRegex | { readonly error: string; readonly at: number } {
  if (pattern.length > longestPattern) return { error: 'regular expression is too large', at: longestPattern }
  linear()
  const tree = parseRegex(pattern, options.caseless === true)
  if ('error' in tree) return tree
  const emitted = emitRegex(tree)
  const program = compileProgram(tree)
  if (program === undefined) return { error: 'regular expression is too large', at: pattern.length }
  const { groups } = tree
  const regex = emitted && new RegExp(emitted.source, 'g')
  // Most subjects are short, and what they can cost is known without it.
  let measured: Cost | undefined
  const cost = (): Cost => (measured ??= costOf(tree.root))
  let bare: RegExp | undefined
  let slow: RegExp | undefined
  const choose = (subject: ByteString): RegExp | undefined => {
    if (regex === undefined || emitted === undefined || needsOwn(emitted, subject)) return undefined
    const affordable = emitted.costPerByte * subject.length <= mostLinearSteps
    if (affordable && isWatched(emitted, subject)) return regex
    // Look-ahead, though for nothing, keeps V8 from going over to its linear engine.
    if (isBounded(cost(), emitted, subject)) return (bare ??= new RegExp(`(?:${emitted.source})(?=)`, 'g'))
    return affordable ? (slow ??= linearForm(emitted)) : undefined
  }
  return {
    match(subject, from = 0) {
      const chosen = choose(subject)
      if (chosen === undefined) return runOwn(program, groups, cost(), subject, from)
      chosen.lastIndex = from
      try {
        // The array of a match is its groups and its index.
        return chosen.exec(subject) ?? undefined
      } catch {
        // V8 found no room for its choices.
        return limitExceeded
      }
    },
  }
}

/** RegExp's `$` knows no newline at the end. */
function needsOwn(emitted: Emitted, subject: string): boolean {
  return emitted.finals && subject.charCodeAt(subject.length - 1) === 10
}

/** Whether V8 goes over to its linear engine when it goes back too often. */
function isWatched({ copies }: Emitted, subject: string): boolean {
  return subject.length <= longestWatched && linear().onBacktracks && !copies
}

/** Whether RegExp ends in bounded time for this subject. */
function isBounded({ steps, degree }: Cost, { anchored }: Emitted, subject: string): boolean {
  return steps * subject.length ** (degree + (anchored ? 0 : 1)) <= mostUnwatchedSteps
}

function linearForm(emitted: Emitted): RegExp | undefined {
  if (!linear().onDemand || emitted.copies) return undefined
  try {
    return new RegExp(emitted.source, linearFlags)
  } catch {
    // V8 says so when it cannot run a pattern in linear time.
    return undefined
  }
}

const limitExceeded = { error: 'regular expression matching error: match limit exceeded' } as const

function runOwn(
  program: Program,
  groups: number,
  { first, empty }: Cost,
  subject: string,
  from: number,
): RegexMatch | undefined | { readonly error: string } {
  const result = runProgram(program, empty ? undefined : first, subject, from)
  if (result.is === 'limit') return limitExceeded
  if (result.is === 'no') return undefined
  const found: (string | undefined)[] = []
  for (let i = 0; i <= groups; i++) {
    const start = result.slots[i * 2] ?? -1
    const end = result.slots[i * 2 + 1] ?? -1
    found.push(start < 0 || end < 0 ? undefined : subject.slice(start, end))
  }
  return Object.assign(found, { index: result.slots[0] ?? 0 })
}

/** Sets V8's flags and looks whether they work: a pattern that would take far longer must end at once. */
function enableLinearEngine(): LinearEngine {
  setFlagsFromString('--enable-experimental-regexp-engine')
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  const start = performance.now()
  const answer = new RegExp('([aA]+)+$', 'g').test(`${'a'.repeat(23)}!`)
  const onBacktracks = !answer && performance.now() - start < 60
  try {
    return { onBacktracks, onDemand: !new RegExp('a$', linearFlags).test('b') }
  } catch {
    return { onBacktracks, onDemand: false }
  }
}
