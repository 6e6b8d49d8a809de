/**
 * The expansion engine: texts of the configuration to functions, compiled once and kept.
 * Source: Exim manual, "String expansions".
 */
import { builtin, type Diagnostic } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import { after, Failure, type Awaitable, type Outcome } from '../../base/outcome.ts'
import { tellsOfOutside } from '../../base/outside.ts'
import { Recent } from '../../base/recent.ts'
import type { ByteString } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import { diagnosticsOf } from './check.ts'
import { compiler } from './compile.ts'
import { conditions } from './conditions/index.ts'
import type { Doors } from './doors/doors.ts'
import { createDoors } from './doors/index.ts'
import { Environment, failure, type Engine } from './environment.ts'
import { items } from './items/index.ts'
import { operators } from './operators/index.ts'
import { parse } from './parse.ts'
import { createRegexCache } from './regex-cache.ts'
import type { RowHead, Run } from './rows.ts'
import { variables } from './variables/index.ts'

export interface Expander {
  /** Expands a piece of the configuration; its compiled form is kept with it. */
  expand(text: Expandable, context: Context): Awaitable<Outcome>
  /** Expands text that is not part of the configuration; the compiled forms used last are kept. */
  expandText(text: ByteString, context: Context): Awaitable<Outcome>
  /** All faults of a text that show without evaluating it. */
  check(text: Expandable): Diagnostic[]
}

export interface ExpanderDeps {
  /** Commands and sockets; left out: the real ones. */
  readonly doors?: Partial<Doors>
  /** How many compiled texts of `expandText` are kept. */
  readonly keptTexts?: number
}

/** Longest text made while it runs that is expanded. */
const longestText = 1024 * 1024
/** Longest text of a setting: a list of a million domains may stand in the configuration. */
const longestSetting = 64 * 1024 * 1024
/** Longest text whose compiled form is kept. */
const longestKept = 64 * 1024

export function createExpander(deps: ExpanderDeps = {}): Expander {
  const kept = new Recent<ByteString, Run>(deps.keptTexts ?? 2000)
  const compiled = (text: ByteString): Run => {
    const known = kept.get(text)
    if (known !== undefined) return known
    const run = compileText(text)
    if (text.length <= longestKept) kept.set(text, run)
    return run
  }
  const engine: Engine = {
    doors: { ...createDoors(), ...deps.doors },
    regex: createRegexCache(),
    expandWithin(text, environment) {
      const inner = new Environment(environment.context, engine, environment.depth + 1)
      inner.captures = environment.captures
      inner.value = environment.value
      inner.item = environment.item
      return compiled(text)(inner)
    },
  }
  return {
    expand(text, context) {
      const run = isRun(text.compiled) ? text.compiled : keep(text, compileText(text.text, longestSetting))
      return after(run(new Environment(context, engine)), (outcome) => withPlace(outcome, text))
    },
    expandText: (text, context) => compiled(text)(new Environment(context, engine)),
    check: (text) => diagnosticsOf(text, parse(text.text)),
  }
}

/** A refusal of what came from outside names the line of the configuration that used it. */
function withPlace(outcome: Outcome, text: Expandable): Outcome {
  if (!(outcome instanceof Failure) || text.origin === builtin || !tellsOfOutside(outcome.message))
    return outcome
  const variable = /\((\$\w+) came from outside/.exec(outcome.message)?.[1]
  const at = variable === undefined ? -1 : text.text.indexOf(variable)
  const { file, line } = text.origin.locate(Math.max(0, at), Math.max(0, at) + 1)
  return new Failure(outcome.kind, `${outcome.message} (line ${line} of ${file})`)
}

function isRun(compiled: unknown): compiled is Run {
  return typeof compiled === 'function'
}

function keep(text: Expandable, run: Run): Run {
  text.compiled = run
  return run
}

function compileText(text: ByteString, longest = longestText): Run {
  if (text.length > longest) {
    const fault = failure(`text to expand is longer than ${longest} bytes`)
    return () => fault
  }
  return compiler.text(text)
}

/** The names of what works, for built-in macros and documentation. */
export const expansionNames: {
  readonly items: readonly string[]
  readonly operators: readonly string[]
  readonly conditions: readonly string[]
  readonly variables: readonly string[]
} = {
  items: working(items),
  operators: working(operators),
  conditions: working(conditions),
  variables: working(variables),
}

function working(table: ReadonlyMap<string, RowHead>): string[] {
  return [...table].flatMap(([name, { since }]) => (since === undefined ? [] : [name])).sort()
}
