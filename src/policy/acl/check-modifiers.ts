/** Constant values of modifiers and of conditions with few words that Exim finds wrong, or passes over, when they are used. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import type { Acl, Clause, Statement } from './statement.ts'

type Judge = (clause: Clause, statement: Statement, report: Report) => void

const judges: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ['add_header', headerPosition],
  ['control', submissionOption],
  ['decode', decodeWord],
  ['dkim_status', dkimWord],
  ['dmarc_status', resultsInRow],
  ['logwrite', logName],
  ['message', replyCode],
  ['remove_header', removedHeader],
])

export function reportModifiers({ statements }: Acl, report: Report): void {
  for (const statement of statements)
    for (const clause of statement.clauses) judges.get(clause.row.name)?.(clause, statement, report)
}

function warn(
  { argument }: Clause,
  code: string,
  message: string,
  word: string,
  help: string,
  report: Report,
): void {
  const start = Math.max(0, argument.text.indexOf(word))
  report({ code, severity: 'warning', message, at: argument.span(start, start + word.length), help })
}

const positions = ['after_received', 'at_start', 'at_start_rfc', 'at_end']

/** `:after_recieved:X-Foo: yes` adds a header that begins with a colon. */
function headerPosition(clause: Clause, _: Statement, report: Report): void {
  const word = /^\s*:([a-z_]+):/.exec(clause.argument.text)?.[1]
  if (word === undefined || positions.includes(word)) return
  const near = nearest(word, positions)
  const help = near === undefined ? `known are ${positions.join(', ')}` : `did you mean "${near}"?`
  warn(clause, 'acl-header-position', `":${word}:" is no place for a header`, word, help, report)
}

function submissionOption(clause: Clause, _: Statement, report: Report): void {
  const text = clause.argument.text.trim()
  const word = /^submission\/([^/$\\=]*)/.exec(text)?.[1]
  if (word === undefined || /^(?:sender_retain|domain|name)$/.test(word.trim())) return
  const near = nearest(word.trim(), ['sender_retain', 'domain', 'name'])
  const start = clause.argument.text.indexOf(word)
  report({
    code: 'acl-control-options',
    severity: 'error',
    message: `syntax error in "control=${text}"`,
    at: clause.argument.span(start, start + Math.max(1, word.length)),
    help: near === undefined ? 'options are sender_retain, domain= and name=' : `did you mean "${near}"?`,
  })
}

/** Anything but `default` is the name of a file. */
function decodeWord(clause: Clause, _: Statement, report: Report): void {
  const word = clause.argument.text.trim()
  if (word === 'default' || nearest(word, ['default']) === undefined) return
  warn(
    clause,
    'acl-decode-word',
    `"${word}" is taken as the name of a file`,
    word,
    'did you mean "default"?',
    report,
  )
}

const dkimWords = ['none', 'invalid', 'fail', 'pass']

function dkimWord(clause: Clause, statement: Statement, report: Report): void {
  resultsInRow(clause, statement, report)
  const { text } = clause.argument
  if (/[$\\^+]/.test(text) || /^\s*</.test(text)) return
  for (const item of text.split(':')) {
    const word = item.trim().replace(/^!\s*/, '')
    if (word === '' || !/^\w+$/.test(word) || dkimWords.includes(word.toLowerCase())) continue
    const near = nearest(word, dkimWords)
    const help = near === undefined ? `the results are ${dkimWords.join(', ')}` : `did you mean "${near}"?`
    warn(
      clause,
      'acl-dkim-word',
      `"${word}" is no result of dkim_status: it never matches`,
      word,
      help,
      report,
    )
  }
}

/** `none;invalid`: one item. */
function resultsInRow(clause: Clause, _: Statement, report: Report): void {
  const text = clause.argument.text.trim()
  if (!/^\w+(?:\s*[;,]\s*\w+)+$/.test(text)) return
  const help = `write "${text.split(/\s*[;,]\s*/).join(' : ')}"`
  warn(
    clause,
    'list-commas',
    `"${text}" is one item, which never matches: the items of a list are separated by colons`,
    text,
    help,
    report,
  )
}

const logNames = ['main', 'panic', 'reject']

/** `:man:text`: Exim writes a line about it to the panic log, and the text nowhere. */
function logName(clause: Clause, _: Statement, report: Report): void {
  const names = /^\s*:([\w, ]*):/.exec(clause.argument.text)?.[1]?.split(',') ?? []
  const wrong = names.map((name) => name.trim()).find((name) => !logNames.includes(name))
  if (wrong === undefined) return
  const near = nearest(wrong, logNames)
  const help = near === undefined ? `the logs are ${logNames.join(', ')}` : `did you mean "${near}"?`
  warn(clause, 'acl-log-name', `"${wrong}" is no log: nothing is written`, wrong, help, report)
}

const firstDigits: Readonly<Record<string, string>> = {
  accept: '2',
  defer: '4',
  deny: '5',
  drop: '5',
  require: '5',
}

/** Exim passes such a code over and says so in the panic log. */
function replyCode(clause: Clause, { verb }: Statement, report: Report): void {
  const code = /^\s*([2345]\d\d)(?=\s|$)/.exec(clause.argument.text)?.[1]
  const wanted = firstDigits[verb]
  if (code === undefined || wanted === undefined || code.startsWith(wanted)) return
  warn(
    clause,
    'acl-message-code',
    `a reply of "${verb}" cannot begin with ${code}`,
    code,
    `its codes begin with ${wanted}; leave the code out to have the usual one`,
    report,
  )
}

/** Names, separated by colons. */
function removedHeader(clause: Clause, _: Statement, report: Report): void {
  const text = clause.argument.text.trim()
  if (!/^[\w-]+(?:\s*,\s*[\w-]+)+$/.test(text)) return
  const help = `write "${text.split(/\s*,\s*/).join(' : ')}"`
  warn(
    clause,
    'list-commas',
    `"${text}" is one name: the names of headers are separated by colons`,
    text,
    help,
    report,
  )
}
