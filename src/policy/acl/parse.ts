/** Reads the lines of an ACL. Source: Exim manual, "Format of an ACL". */
import { locate, nearest, type TextOrigin } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import { placeOfOption } from '../../language/config/elsewhere.ts'
import { conditions } from './conditions/index.ts'
import { modifiers } from './modifiers/index.ts'
import type { Row, Verb } from './row.ts'
import type { Acl, Clause, Mistake, Statement } from './statement.ts'

export const verbs: Readonly<Record<Verb, string>> = {
  accept: 'Ends the ACL with acceptance when all conditions are true.',
  defer: 'Ends the ACL with a temporary refusal when all conditions are true.',
  deny: 'Ends the ACL with refusal when all conditions are true.',
  discard: 'Accepts, and throws away the recipient or the message, when all conditions are true.',
  drop: 'Refuses and closes the connection when all conditions are true.',
  require: 'Goes on with the next statement only when all conditions are true; refuses otherwise.',
  warn: 'Obeys its modifiers and writes its log message when all conditions are true, then goes on.',
}

/** All conditions and modifiers by name. */
export const rows: ReadonlyMap<string, Row> = new Map(
  [...conditions, ...modifiers].map((row) => [row.name, row] as const),
)

/** Most statements and clauses of one ACL. */
const MOST_CLAUSES = 20_000

function isVerb(word: string): word is Verb {
  return Object.hasOwn(verbs, word)
}

interface OpenStatement {
  broken: boolean
  readonly verb: Verb
  readonly clauses: Clause[]
  readonly at: Statement['at']
  readonly file: string
  readonly line: number
  readonly lastLine: number
  noted: Statement['noted']
}

/** Reads logical lines; mistakes are collected, so that one run tells all. */
export function parseAcl(name: string | undefined, lines: readonly Expandable[]): Acl {
  const statements: OpenStatement[] = []
  const mistakes: Mistake[] = []
  let clauses = 0
  for (const line of lines) {
    if (++clauses > MOST_CLAUSES) {
      mistakes.push({
        code: 'acl-too-long',
        message: `ACL has more than ${MOST_CLAUSES} lines`,
        at: line.span(),
      })
      break
    }
    readLine(line, statements, mistakes)
  }
  return {
    name,
    statements,
    mistakes: name !== undefined && isVerb(name) ? mistakes.map((each) => colonAfter(name, each)) : mistakes,
  }
}

/** `accept: hosts = ...` begins an ACL. */
function colonAfter(name: string, mistake: Mistake): Mistake {
  if (mistake.code !== 'acl-verb-unknown') return mistake
  return { ...mistake, help: `"${name}:" begins an ACL of this name: no colon follows a verb` }
}

const FIRST = /^\s*(!?)\s*([A-Za-z0-9_]*)/

function readLine(line: Expandable, statements: OpenStatement[], mistakes: Mistake[]): void {
  const shown = line.text.trim()
  if (shown === '' || shown.startsWith('#')) return
  const found = FIRST.exec(line.text)
  const word = found?.[2] ?? ''
  let start = 0
  if (found?.[1] === '' && isVerb(word)) {
    const wordStart = found[0].length - word.length
    const at = line.span(wordStart, found[0].length)
    const { file, line: number } = locate(at)
    statements.push({
      verb: word,
      clauses: [],
      broken: false,
      at,
      file,
      line: number,
      lastLine: lastLineOf(line, file, number),
      noted: undefined,
    })
    start = found[0].length
    if (line.text.slice(start).trim() === '') return
  }
  const other = otherVerb(line, word)
  const statement = statements.at(-1)
  if (statement === undefined || other) {
    // What belongs to it is right.
    statements.push(brokenStatement(line))
  }
  if (statement === undefined) {
    mistakes.push({
      code: 'acl-verb-unknown',
      message: `unknown ACL verb "${word}" in "${shown}"`,
      at: line.span(),
      help: helpForVerb(word),
    })
    return
  }
  if (other) {
    mistakes.push({
      code: 'acl-condition-unknown',
      message: `unknown ACL condition/modifier in "${shown}"`,
      at: line.span(line.text.indexOf(word), line.text.indexOf(word) + word.length),
      help: helpForVerb(word),
    })
    return
  }
  const clause = readClause(line, start, shown, statement.verb)
  if ('code' in clause) {
    mistakes.push(clause)
    statement.broken = true
  } else {
    statement.clauses.push(clause)
    if (clause.row.since === undefined) mistakes.push(notYet(clause))
  }
}

/** `reject hosts = ...`: what stands where a verb should, before a condition or a modifier. */
function otherVerb({ text }: Expandable, word: string): boolean {
  const [, second = '', rest = ''] = /^\s*\w+\s+!?\s*(\w+)\s*(=?)/.exec(text) ?? []
  if (word === '' || isVerb(word) || rows.has(word)) return false
  return rows.get(second)?.argument === 'none' || (rest === '=' && rows.has(second))
}

/** Words of other mail servers and firewalls. */
const foreignVerbs: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ['allow', 'accept'],
  ['block', 'deny'],
  ['ok', 'accept'],
  ['permit', 'accept'],
  ['refuse', 'deny'],
  ['reject', 'deny'],
  ['tempfail', 'defer'],
])

function helpForVerb(word: string): string {
  const near = foreignVerbs.get(word.toLowerCase()) ?? nearest(word, Object.keys(verbs))
  return near === undefined
    ? `a statement begins with one of ${Object.keys(verbs).join(', ')}`
    : `did you mean "${near}"?`
}

function brokenStatement(line: Expandable): OpenStatement {
  const at = line.span()
  const { file, line: number } = locate(at)
  const lastLine = lastLineOf(line, file, number)
  return { verb: 'deny', clauses: [], broken: true, at, file, line: number, lastLine, noted: undefined }
}

/** The physical line on which a logical line ends. */
function lastLineOf(line: Expandable, file: string, first: number): number {
  const end = locate(line.span(Math.max(0, line.text.length - 1), line.text.length))
  return end.file === file ? Math.max(first, end.line) : first
}

function readClause(line: Expandable, from: number, shown: string, verb: Verb): Clause | Mistake {
  const found = FIRST.exec(line.text.slice(from))
  const [whole = '', sign = '', name = ''] = found ?? []
  const nameEnd = from + whole.length
  const at = line.span(nameEnd - name.length, nameEnd)
  const row = rows.get(name)
  if (row === undefined) return unknownRow(name, shown, line, at)
  if (sign === '!' && row.kind === 'modifier') {
    return { code: 'acl-negation', message: `ACL error: negation is not allowed with "${name}"`, at }
  }
  if (name === 'endpass' && verb !== 'accept' && verb !== 'discard') {
    return { code: 'acl-endpass', message: `ACL error: "endpass" is not allowed with "${verb}"`, at }
  }
  let position = nameEnd
  let variable = ''
  let dollar = false
  if (name === 'set') {
    const target = readVariable(line, position, shown)
    if ('code' in target) return target
    variable = target.name
    position = target.end
    dollar = target.dollar
  }
  const equals = /^\s*=\s*/.exec(line.text.slice(position))
  if (equals === null && row.argument !== 'none') {
    return { code: 'acl-equals-missing', message: `"=" missing after ACL "${name}" ${row.kind}`, at }
  }
  const argument = partOf(line, equals === null ? line.text.length : position + equals[0].length)
  const what = variable === '' ? name : `${name} ${variable}`
  return {
    row,
    negated: sign === '!',
    variable,
    argument,
    words: row.argument === 'words' ? splitWords(argument) : [],
    ...(dollar ? { dollar } : {}),
    shown: `${sign}${what}`,
    at,
    noted: undefined,
  }
}

/** The lines of the next section, whose `begin` is lost. */
function helpForOption(name: string): string | undefined {
  const place = placeOfOption(name, { routers: {}, transports: {}, authenticators: {} })
  return place && `${place}: is a "begin" missing before this line?`
}

function unknownRow(name: string, shown: string, line: Expandable, at: Clause['at']): Mistake {
  const near = nearest(name, [...rows.keys(), ...Object.keys(verbs)])
  const help = /^acl_[cm][\d_]/.test(name)
    ? `a variable is given its value with "set ${name} = ..."`
    : near === undefined
      ? helpForOption(name)
      : `did you mean "${near}"?`
  return {
    code: 'acl-condition-unknown',
    message: `unknown ACL condition/modifier in "${shown}"`,
    at: name === '' ? line.span() : at,
    help,
  }
}

/** A row that is known and does not work yet. A condition that is not tested would let pass what it should stop. */
function notYet({ row, at }: Clause): Mistake {
  return {
    code: 'acl-not-working',
    message: `ACL ${row.kind} "${row.name}" does not work in this version of Postern`,
    at,
    missing: true,
  }
}

function readVariable(
  line: Expandable,
  from: number,
  shown: string,
): { readonly name: string; readonly end: number; readonly dollar: boolean } | Mistake {
  const found = /^\s*(\$?)([^\s=]*)/.exec(line.text.slice(from))
  const word = found?.[2] ?? ''
  const end = from + (found?.[0].length ?? 0)
  const at = line.span(end - word.length, end)
  // Exim itself refuses `set $acl_m_x`; texts of its old features are written so, and the meaning is plain.
  const clause = shown.slice(shown.indexOf('set'))
  // Source: Exim manual, "Verifying DKIM signatures in incoming mail".
  if (word === 'dkim_verify_status' || word === 'dkim_verify_reason')
    return { name: word, end, dollar: found?.[1] === '$' }
  if (!/^acl_[cm][0-9_]/.test(word)) {
    return {
      code: 'acl-variable',
      message: `invalid variable name after "set" in ACL modifier "${clause}" (${/^acl_[cm]/.test(word) ? 'digit or underscore must follow acl_c or acl_m' : 'must start "acl_c" or "acl_m"'})`,
      at,
      help: 'acl_c or acl_m is followed by a digit or an underscore: acl_m_name',
    }
  }
  const bad = /[^A-Za-z0-9_]/.exec(word)
  if (bad === null) return { name: word, end, dollar: found?.[1] === '$' }
  return {
    code: 'acl-variable',
    message: `invalid character "${bad[0]}" in variable name in ACL modifier "${clause}"`,
    at,
  }
}

/** The rest of a line as a piece of its own that knows its place. */
export function partOf(line: Expandable, start: number, end: number = line.text.length): Expandable {
  const origin: TextOrigin = {
    locate: (from, to) => line.origin.locate(start + from, start + to),
  }
  const text = line.text.slice(start, end)
  return new Expandable(text.replace(/\s+$/, ''), origin)
}

/** Words of `acl = name arg "arg two"`: split before expansion. Source: Exim manual, "ACL conditions". */
function splitWords(argument: Expandable): Expandable[] {
  const words: Expandable[] = []
  const shape = /"((?:[^"\\]|\\.)*)"?|\S+/gs
  for (const found of argument.text.matchAll(shape)) {
    const inner = found[1]
    const start = found.index + (inner === undefined ? 0 : 1)
    words.push(partOf(argument, start, start + (inner ?? found[0]).length))
    if (words.length === 10) break
  }
  return words
}
