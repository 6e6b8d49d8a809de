/** Findings about ACLs that need no run: names that lead nowhere, loops, statements never reached, wrong places. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import type { AclSource, Configuration } from '../../language/config/configuration.ts'
import { checkList } from '../../language/lists/check.ts'
import type { AclPlace } from '../../ports.ts'
import { reportDmarcWords, reportEarlyDmarc } from './check-dmarc.ts'
import { reportModifiers } from './check-modifiers.ts'
import { reportScanning } from './check-scanning.ts'
import { reportSpfWords } from './check-spf.ts'
import { reportWords } from './check-words.ts'
import { controls, findControl } from './controls/index.ts'
import type { ControlRow } from './row.ts'
import { parseRateLimit } from './ratelimit/parse.ts'
import { verifyItems } from './verify/index.ts'
import type { VerifyRow } from './verify/row.ts'
import { isAllowed, placeNames, withWarnHeaders } from './place.ts'
import type { Acl, Clause } from './statement.ts'

/** Main options that name an ACL, and the place they stand for. */
export const aclOptions = {
  acl_not_smtp: 'notsmtp',
  acl_not_smtp_mime: 'mime',
  acl_not_smtp_start: 'notsmtp_start',
  acl_smtp_atrn: 'atrn',
  acl_smtp_auth: 'auth',
  acl_smtp_connect: 'connect',
  acl_smtp_data: 'data',
  acl_smtp_data_prdr: 'prdr',
  acl_smtp_dkim: 'dkim',
  acl_smtp_etrn: 'etrn',
  acl_smtp_expn: 'expn',
  acl_smtp_helo: 'helo',
  acl_smtp_mail: 'mail',
  acl_smtp_mailauth: 'mailauth',
  acl_smtp_mime: 'mime',
  acl_smtp_notquit: 'notquit',
  acl_smtp_predata: 'predata',
  acl_smtp_quit: 'quit',
  acl_smtp_rcpt: 'rcpt',
  acl_smtp_starttls: 'starttls',
  acl_smtp_vrfy: 'vrfy',
  acl_smtp_wellknown: 'wellknown',
} as const satisfies Record<string, AclPlace>

type Parse = (source: AclSource) => Acl

export function checkAcls(configuration: Configuration, parse: Parse, report: Report): void {
  const calls = new Map<string, string[]>()
  for (const source of configuration.acls.values()) {
    const acl = parse(source)
    reportUnreached(acl, report)
    reportVerify(acl, report)
    reportControls(acl, report)
    reportLists(acl, configuration, report)
    reportSpfWords(acl, report)
    reportDmarcWords(acl, report)
    reportConstants(acl, report)
    reportWords(acl, report)
    reportModifiers(acl, report)
    reportScanning(acl, configuration, report)
    calls.set(source.name, reportCalls(acl, configuration, report))
  }
  for (const source of configuration.acls.values()) reportLoop(source, calls, report)
  for (const [option, place] of Object.entries(aclOptions)) {
    const value: unknown = configuration.main[option as keyof typeof aclOptions]
    const name = constantOf(value)
    if (name === undefined) continue
    if (/\s/.test(name) || name.startsWith('/')) continue
    if (!configuration.acls.has(name)) {
      reportUnknown(
        name,
        `main option "${option}"`,
        configuration,
        report,
        configuration.mainSetAt.get(option),
      )
      continue
    }
    const first = configuration.acls.get(name)
    if (place === 'data' && first !== undefined) reportEarlyDmarc(parse(first), report)
    for (const reached of reachable(name, calls)) {
      const source = configuration.acls.get(reached)
      if (source === undefined) continue
      reportMisplaced(parse(source), place, report)
      reportWarnMessage(parse(source), place, report)
    }
  }
}

/** The text of an option whose value needs no expansion. */
function constantOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('text' in value) || typeof value.text !== 'string') {
    return undefined
  }
  const text = value.text.trim()
  return text === '' || /[$\\]/.test(text) ? undefined : text
}

function isConstant(word: Expandable | undefined): word is Expandable {
  return word !== undefined && !/[$\\]/.test(word.text)
}

/** Names of ACLs that an ACL calls; those that lead nowhere are reported. */
function reportCalls(acl: Acl, configuration: Configuration, report: Report): string[] {
  const names: string[] = []
  for (const clause of clausesOf(acl)) {
    const name = clause.row.name === 'acl' ? clause.words[0] : undefined
    if (!isConstant(name) || name.text.startsWith('/')) continue
    if (configuration.acls.has(name.text)) names.push(name.text)
    else if (!/^(?:accept|defer|deny|discard|drop|require|warn)$/.test(name.text)) {
      reportUnknown(name.text, 'condition "acl"', configuration, report, name.span())
    }
  }
  return names
}

function clausesOf(acl: Acl): Clause[] {
  return acl.statements.flatMap((statement) => statement.clauses)
}

function reportUnknown(
  name: string,
  where: string,
  configuration: Configuration,
  report: Report,
  at: Parameters<Report>[0]['at'],
): void {
  // Exim takes a name it does not know for the text of an ACL; a lone verb is one.
  if (/^(?:accept|defer|deny|discard|drop|require|warn)$/.test(name)) return
  // An ACL whose name could not be read is told already.
  if (configuration.diagnostics.some(({ code }) => code === 'acl-name-missing')) return
  const near = nearest(name, configuration.acls.keys())
  report({
    code: 'acl-unknown',
    severity: 'error',
    message: `unknown ACL verb "${name}" in "${name}"`,
    at,
    help: `no ACL is named "${name}", which ${where} uses${near === undefined ? '' : `; did you mean "${near}"?`}`,
  })
}

function reachable(name: string, calls: ReadonlyMap<string, readonly string[]>): Set<string> {
  const seen = new Set([name])
  for (const one of seen) for (const called of calls.get(one) ?? []) seen.add(called)
  return seen
}

function reportLoop(source: AclSource, calls: ReadonlyMap<string, readonly string[]>, report: Report): void {
  const inner = new Set((calls.get(source.name) ?? []).flatMap((name) => [...reachable(name, calls)]))
  if (!inner.has(source.name)) return
  report({
    code: 'acl-loop',
    severity: 'warning',
    message: `ACL "${source.name}" may call itself`,
    at: source.at,
    help: 'at the twentieth call Exim gives up: "ACL nested too deep: possible loop"',
  })
}

/** Named lists that a condition uses and nobody defines. */
function reportLists(acl: Acl, configuration: Configuration, report: Report): void {
  for (const { row, argument } of clausesOf(acl)) {
    if (row.argument === 'list' && row.list !== 'string') checkList(row.list, argument, configuration, report)
  }
}

/** Items of `verify` that do not work stop the start: what they guard would stay open. */
function reportVerify(acl: Acl, report: Report): void {
  for (const clause of clausesOf(acl)) {
    if (clause.row.name !== 'verify' || !isConstant(clause.argument)) continue
    const word = /^[\w]*/.exec(clause.argument.text)?.[0].toLowerCase() ?? ''
    const row = verifyItems.find((item) => item.name === word)
    if (row !== undefined && row.run !== undefined) continue
    report({
      code: row === undefined ? 'acl-verify-unknown' : 'acl-not-working',
      severity: 'error',
      message:
        row === undefined
          ? `unknown item "${word}" in ACL condition "verify ${clause.argument.text}"`
          : `ACL condition "verify = ${word}" does not work in this version of Postern`,
      at: clause.argument.span(),
      help: helpFor(word),
      fatal: row !== undefined,
    })
  }
}

/** A statement without conditions that always ends the ACL hides what follows. */
function reportUnreached(acl: Acl, report: Report): void {
  const last = acl.statements.findIndex(
    ({ broken, verb, clauses }) =>
      !broken &&
      verb !== 'warn' &&
      verb !== 'require' &&
      clauses.every((clause) => clause.row.kind === 'modifier'),
  )
  const next = last < 0 ? undefined : acl.statements[last + 1]
  const ending = acl.statements[last]
  if (next === undefined || ending === undefined) return
  report({
    code: 'acl-unreached',
    severity: 'warning',
    message: `this statement is never reached: "${ending.verb}" before it always ends ACL "${acl.name ?? ''}"`,
    at: next.at,
    also: [{ at: ending.at, says: 'it ends here' }],
  })
}

/** Use in a wrong place is Exim's error when the ACL runs. */
function reportMisplaced(acl: Acl, place: AclPlace, report: Report): void {
  for (const clause of clausesOf(acl)) {
    const { row } = clause
    if (!isAllowed(row.phases, place)) {
      const verb = row.kind === 'condition' ? 'test' : 'use'
      report({
        code: 'acl-misplaced',
        severity: 'error',
        message: `cannot ${verb} ${row.name} condition in ${placeNames[place]} ACL`,
        at: clause.at,
        help: placesOf(row.phases),
      })
    }
    if (row.name === 'ratelimit') reportRate(clause, place, report)
    if (row.name === 'control' && isConstant(clause.argument)) reportControl(clause, place, report)
    if (row.name === 'verify' && isConstant(clause.argument)) reportVerifyPlace(clause, place, report)
  }
}

/** Of the words of `ratelimit` only the limit and the period are put in place of what is expanded. */
function reportRate({ argument }: Clause, place: AclPlace, report: Report): void {
  const words = argument.text.split('/').map((word) => word.trim())
  const per = words.find((word) => word.startsWith('per_'))
  const modes = words.filter((word) => word === 'strict' || word === 'leaky')
  if (per === undefined || modes.length === 0) return
  const facts = { host: '', recipient: '', recipients: 0, messageSize: 0 }
  const limit = parseRateLimit(['1', '1h', per, ...modes], place, placeNames[place], facts)
  if (!('error' in limit)) return
  const start = argument.text.indexOf(per)
  report({
    code: 'acl-misplaced',
    severity: 'error',
    message: `error in arguments to "ratelimit" condition: ${limit.error}`,
    at: argument.span(start, start + per.length),
    help: 'leave it out, or count per_conn or per_cmd there',
  })
}

/** `message` of a `warn` is a header line, for which there is no message yet, or no more. */
function reportWarnMessage({ statements }: Acl, place: AclPlace, report: Report): void {
  if (isAllowed(withWarnHeaders, place)) return
  for (const { verb, clauses } of statements) {
    const message = verb === 'warn' ? clauses.find(({ row }) => row.name === 'message') : undefined
    if (message === undefined) continue
    report({
      code: 'acl-warn-message',
      severity: 'warning',
      message: `"message" of "warn" is ignored in ${placeNames[place]} ACL: it would add a header line`,
      at: message.at,
      help: 'log_message and logwrite write into the log; "message" of the deciding statement is the reply',
    })
  }
}

function reportVerifyPlace({ argument }: Clause, place: AclPlace, report: Report): void {
  const word = /^\s*(\w*)/.exec(argument.text)?.[1]?.toLowerCase() ?? ''
  const item = verifyItems.find(({ name }) => name === word)
  if (item === undefined || isAllowed(item.phases, place)) return
  report({
    code: 'acl-misplaced',
    severity: 'error',
    message: `cannot verify ${word} in ACL for ${placeNames[place]}`,
    at: argument.span(),
    help: placesOf(item.phases),
  })
}

/** Where something is allowed, when that is quickly said. */
function placesOf(phases: VerifyRow['phases']): string | undefined {
  if (phases === 'all' || !('only' in phases)) return undefined
  return `allowed in ${phases.only.map((place) => aclOptionOf(place)).join(', ')}`
}

function aclOptionOf(place: AclPlace): string {
  const options = Object.entries(aclOptions).flatMap(([option, each]) => (each === place ? [option] : []))
  return options.find((option) => option.startsWith('acl_smtp_')) ?? options[0] ?? place
}

function reportControl(clause: Clause, place: AclPlace, report: Report): void {
  const row = controlOf(clause)
  if (row === undefined || isAllowed(row.phases, place)) return
  report({
    code: 'acl-misplaced',
    severity: 'error',
    message: `cannot use "control=${row.name}" in ${placeNames[place]} ACL`,
    at: clause.argument.span(),
    help: placesOf(row.phases),
  })
}

function controlOf(clause: Clause): ControlRow | undefined {
  return findControl(clause.argument.text.split('/')[0] ?? '')
}

function nearControl(word: string): string | undefined {
  const near = nearest(
    word.trim(),
    controls.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]),
  )
  return near === undefined ? undefined : `did you mean "${near}"?`
}

/** Controls nobody knows, and those that have no effect yet. */
function reportControls(acl: Acl, report: Report): void {
  for (const clause of clausesOf(acl)) {
    if (clause.row.name !== 'control' || !isConstant(clause.argument)) continue
    const row = controlOf(clause)
    if (row?.since !== undefined) continue
    report({
      code: row === undefined ? 'acl-control-unknown' : 'acl-control-not-working',
      severity: row === undefined ? 'error' : 'warning',
      message:
        row === undefined
          ? `syntax error in "control=${clause.argument.text}"`
          : `control "${row.name}" has no effect in this version of Postern`,
      at: clause.argument.span(),
      help: row === undefined ? nearControl(clause.argument.text.split('/')[0] ?? '') : undefined,
    })
  }
}

/** Values that can be judged as they stand: `condition` must be a boolean, and most controls have no options. */
function reportConstants(acl: Acl, report: Report): void {
  for (const clause of clausesOf(acl)) {
    const { row, argument } = clause
    if (!isConstant(argument)) continue
    const text = argument.text.trim()
    if (row.name === 'condition' && !/^(?:|-?\d+|yes|no|true|false)$/i.test(text)) {
      report({
        code: 'acl-condition-value',
        severity: 'error',
        message: `invalid "condition" value "${text}": not a boolean`,
        at: argument.span(),
        help: 'a condition is yes, no, true, false, a number, or expands to one of these: ${if ...}',
      })
    }
    if (row.name !== 'control' || !text.includes('/')) continue
    const control = controlOf(clause)
    if (control === undefined || control.takesOptions) continue
    report({
      code: 'acl-control-options',
      severity: 'error',
      message: `syntax error in "control=${text}": "${control.name}" has no options`,
      at: argument.span(),
    })
  }
}

function helpFor(word: string): string | undefined {
  const near = nearest(
    word,
    verifyItems.map((item) => item.name),
  )
  return near === undefined || near === word ? undefined : `did you mean "${near}"?`
}
