/** Constant values of conditions and modifiers that Exim finds wrong only when they are used. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import { parseInterval } from '../../base/interval.ts'
import { addressNumber } from './dnslists/parse.ts'
import type { Acl, Clause } from './statement.ts'
import { verifyItems } from './verify/index.ts'
import { badOption, splitOptions } from './verify/options.ts'
import type { VerifyRow } from './verify/row.ts'

/** A row of the ACL, and what may be wrong with its value. */
const judges: ReadonlyMap<string, (clause: Clause, report: Report) => void> = new Map([
  ['add_header', judgeHeader],
  ['delay', judgeDelay],
  ['dnslists', judgeDnsList],
  ['ratelimit', judgeRateLimit],
  ['verify', judgeVerify],
])

export function reportWords({ statements }: Acl, report: Report): void {
  for (const { clauses } of statements)
    for (const clause of clauses) judges.get(clause.row.name)?.(clause, report)
}

/** Where a word of a value stands. */
function spanOf(argument: Expandable, word: string): ReturnType<Expandable['span']> {
  const start = argument.text.indexOf(word)
  return start < 0 || word === '' ? argument.span() : argument.span(start, start + word.length)
}

function isConstant({ text }: Expandable): boolean {
  return !/[$\\]/.test(text)
}

const addressKinds = { header_sender: 'header', recipient: 'recipient', sender: 'sender' } as const

function judgeVerify({ argument }: Clause, report: Report): void {
  if (!isConstant(argument)) return
  const [first = '', ...options] = splitOptions(argument.text)
  const item = verifyItems.find(({ name }) => name === first.replace(/\s*=.*$/s, '').toLowerCase())
  if (item !== undefined && judgePlainVerify(item, first, options, argument, report)) return
  const kind = Object.entries(addressKinds).find(([name]) => name === first.replace(/\s*=.*$/s, ''))?.[1]
  if (kind === undefined) {
    if (item === undefined) afterItem(first, argument, report)
    return
  }
  for (const option of options) {
    const wrong = badOption([option], argument.text.trim(), kind)
    if (wrong === undefined) continue
    const word = wrongPiece(option, kind)
    report({
      code: 'acl-verify-option',
      severity: 'error',
      message: wrong,
      at: spanOf(argument, word),
      help: helpFor(word, verifyWords),
    })
    return
  }
}

/** `verify = header_syntax # strictly`: the first word alone is known. */
function afterItem(first: string, argument: Expandable, report: Report): void {
  const [, word = '', rest = ''] = /^\s*(\w+)\s+(.*)$/s.exec(first) ?? []
  if (!verifyItems.some(({ name }) => name === word.toLowerCase())) return
  report({
    code: 'acl-verify-unknown',
    severity: 'error',
    message: `unknown item "${first.trim()}" in ACL condition "verify ${argument.text.trim()}"`,
    at: spanOf(argument, rest),
    help: rest.startsWith('#') ? 'a comment stands on a line of its own' : 'options follow a slash',
  })
}

/** Items without callouts. True when something was wrong. */
function judgePlainVerify(
  item: VerifyRow,
  first: string,
  options: readonly string[],
  argument: Expandable,
  report: Report,
): boolean {
  const tell = (
    message: string,
    word: string,
    help: string,
    severity: 'error' | 'warning' = 'error',
  ): true => {
    report({ code: 'acl-verify-option', severity, message, at: spanOf(argument, word), help })
    return true
  }
  const text = argument.text.trim()
  if (first.includes('=') && !item.takesAddress)
    return tell(
      `nothing may follow "=" in ACL condition "verify ${text}"`,
      first.slice(first.indexOf('=')),
      `write "verify = ${item.name}"`,
    )
  const option = options.find((each) => item.wrongOption?.([each], text) !== undefined)
  const wrong = item.wrongOption?.(options, text)
  if (wrong !== undefined) return tell(wrong, option ?? options.join('/'), optionsOf(item))
  const ignored =
    item.wrongOption === undefined
      ? options.find((each) => item.knownOptions?.includes(each) === false)
      : undefined
  if (ignored === undefined) return false
  return tell(`"${ignored}" has no effect on "verify = ${item.name}"`, ignored, optionsOf(item), 'warning')
}

function optionsOf({ name, knownOptions }: VerifyRow): string {
  if (knownOptions === undefined) return `write "verify = ${name}"`
  return `known here: ${knownOptions.join(', ')}`
}

/** Of the words after `callout=` the one that is wrong by itself. */
function wrongPiece(option: string, kind: (typeof addressKinds)[keyof typeof addressKinds]): string {
  const list = /^callout\s*=(.*)$/s.exec(option)?.[1]
  const pieces = list?.split(',').map((piece) => piece.trim()) ?? []
  return pieces.find((piece) => badOption([`callout=${piece}`], option, kind) !== undefined) ?? option
}

const verifyWords = [
  'callout',
  'callout_defer_ok',
  'defer_ok',
  'no_details',
  'success_on_redirect',
  'quota',
  'no_cache',
  'random',
  'use_sender',
  'use_postmaster',
  'hold',
  'connect',
  'maxwait',
  'mailfrom',
  'postmaster',
  'fullpostmaster',
  'postmaster_mailfrom',
]

function helpFor(word: string, words: readonly string[]): string | undefined {
  const near = nearest(word, words)
  return near === undefined ? undefined : `did you mean "${near}"?`
}

function judgeDelay({ argument }: Clause, report: Report): void {
  const text = argument.text.trim()
  if (!isConstant(argument) || parseInterval(text) !== undefined) return
  report({
    code: 'acl-delay',
    severity: 'error',
    message: `syntax error in argument for "delay" modifier: "${text}" is not a time value`,
    at: spanOf(argument, text),
    help: 'a time is numbers with a unit each: 20s, 1m30s',
  })
}

const rateWords = [
  'per_mail',
  'per_rcpt',
  'per_cmd',
  'per_conn',
  'per_byte',
  'per_addr',
  'strict',
  'leaky',
  'readonly',
  'noupdate',
]

/** Between the slashes that stand outside of expansions. */
function partsOf(text: string): readonly string[] {
  let depth = 0
  let part = ''
  const parts: string[] = []
  for (const character of text) {
    if (character === '{') depth++
    else if (character === '}') depth--
    if (character !== '/' || depth > 0) part += character
    else {
      parts.push(part.trim())
      part = ''
    }
  }
  return [...parts, part.trim()]
}

/** What is no option counts as part of the key: a slip of the pen makes a limit of its own. */
function judgeRateLimit({ argument }: Clause, report: Report): void {
  const [most = '', period = '', ...words] = partsOf(argument.text)
  const wrong = (word: string, says: string, help: string): void =>
    report({
      code: 'acl-ratelimit',
      severity: 'error',
      message: `error in arguments to "ratelimit" condition: ${says}`,
      at: spanOf(argument, word),
      help,
    })
  if (!/[$\\]/.test(most) && !/^(?:\d+(?:\.\d*)?|\.\d+)[kmg]?$/i.test(most))
    wrong(most, `"${most}" is not a positive number`, 'first comes the number: 100 / 1h')
  // An expansion may give the whole of `100 / 1h`.
  else if (!/[$\\]/.test(most + period) && !((parseInterval(period) ?? 0) > 0))
    wrong(period, `"${period}" is not a time value`, 'the time follows the number: 100 / 1h')
  for (const word of words) {
    if (rateWords.includes(word) || /[$\\=]/.test(word)) continue
    const near = nearest(word, rateWords)
    if (near === undefined && !word.startsWith('per_')) continue
    report({
      code: 'acl-ratelimit-word',
      severity: 'warning',
      message: `"${word}" is no option of ratelimit: it becomes part of the key`,
      at: spanOf(argument, word),
      help: near === undefined ? `known are ${rateWords.join(', ')}` : `did you mean "${near}"?`,
    })
  }
}

/** An address that can be none never matches. */
function judgeDnsList({ argument }: Clause, report: Report): void {
  judgeDnsDomains(argument, report)
  for (const found of argument.text.matchAll(/(?:==|=&|=|&)\s*([\d.]+(?:\s*,\s*[\d.]+)*)(?=[\s:/]|$)/g))
    for (const value of (found[1] ?? '').split(',').map((each) => each.trim())) {
      if (addressNumber(value) !== undefined || value === '') continue
      report({
        code: 'acl-dnslists-value',
        severity: 'warning',
        message: `"${value}" is no IPv4 address: no answer of the list is like it`,
        at: spanOf(argument, value),
        help: 'lists answer with addresses such as 127.0.0.2',
      })
    }
}

/** Lists are separated by colons; two domains with a comma between them are asked one for the address, one for the text. */
function judgeDnsDomains(argument: Expandable, report: Report): void {
  if (!isConstant(argument) || /^\s*</.test(argument.text)) return
  for (const item of argument.text.split(/(?<!:):(?!:)/)) {
    if (oddDnsItem(item, argument, report)) continue
    const domains = item.replace(/[=!/].*$/s, '').trim()
    const names = domains.split(/[\s,]+/).filter((name) => name !== '')
    const organisations = new Set(names.map((name) => name.split('.').slice(-2).join('.').toLowerCase()))
    const ofOne = organisations.size < 2 && !/[^\s,]\s+[^\s,]/.test(domains)
    if (names.length < 2 || ofOne || !names.every((name) => /^[\w-]+(?:\.[\w-]+)+$/.test(name))) continue
    report({
      code: 'acl-dnslists-list',
      severity: 'warning',
      message: `"${domains}" is one list to ask, not ${names.length}: the items of dnslists are separated by colons`,
      at: spanOf(argument, domains),
      help: `write "${names.join(' : ')}"`,
    })
  }
}

/** What else stands in an item that is no domain. True when something was wrong. */
function oddDnsItem(item: string, argument: Expandable, report: Report): boolean {
  const tell = (code: string, message: string, word: string, help: string): true => {
    report({ code, severity: 'warning', message, at: spanOf(argument, word), help })
    return true
  }
  const comment = /\s(#.*)$/s.exec(item)?.[1]
  const key = /\/\s*(\w+)\s*$/.exec(item)?.[1] ?? ''
  const sign = /^\s*(\+\w+)\s+\S/.exec(item)?.[1]
  if (comment !== undefined)
    return tell(
      'list-comment',
      `"${comment}" is part of the list: a comment stands on a line of its own`,
      comment,
      'move it to a line before this one',
    )
  if (sign !== undefined)
    return tell('acl-dnslists-list', `"${sign}" is an item by itself`, item.trim(), `write "${sign} : ..."`)
  if (/^\s*\//.test(item))
    return tell(
      'acl-dnslists-list',
      `"${item.trim()}" is no list to ask`,
      item.trim(),
      'write the domain alone',
    )
  if (!/^(?:accept|reject|skiprelay|warn)$/.test(key)) return false
  return tell(
    'acl-dnslists-list',
    `"${key}" is what is looked up in the list: a slash is followed by a key, not by an option`,
    key,
    'what happens is said by the verb of the statement: deny or warn',
  )
}

/** Without a colon it is no header: Exim puts "X-ACL-Warn:" before it. */
function judgeHeader({ argument }: Clause, report: Report): void {
  const text = argument.text.trim()
  if (text.includes(':') || !/^[A-Za-z][\w-]*(?:\s|$)/.test(text)) return
  report({
    code: 'header-colon',
    severity: 'warning',
    message: `no colon stands in this header: it goes out as "X-ACL-Warn: ${text}"`,
    at: spanOf(argument, text),
    help: `write "${text.replace(/\s|$/, ': ').trimEnd()}"`,
  })
}
