/**
 * Hundreds of expansions through ours and through a real Exim (`exim4 -be`); deliberate differences are named in
 * the table. Without an Exim the test skips and says so.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { textOf } from '../src/base/text.ts'
import { expansionBench, messageFacts } from './support/expansion-context.ts'

interface Row {
  readonly text: string
  /** Why ours differs; undefined: it must not. */
  readonly differs: string | undefined
}

/** The table stands with the sources; the compiled test finds it from the package's root. */
function readRows(): Row[] {
  const lines = readFileSync('test/testdata/expansions.txt', 'latin1').split('\n')
  const rows: Row[] = []
  let differs: string | undefined
  for (const line of lines) {
    if (line.startsWith('## differs: ')) differs = line.slice(12)
    else if (line !== '' && !line.startsWith('##')) {
      rows.push({ text: line, differs })
      differs = undefined
    }
  }
  return rows
}

/** The answers of one Exim process to all rows; a mark follows each row, since answers may have several lines. */
function askExim(program: string, rows: readonly Row[]): string[] {
  const input = rows.map((row, i) => `${row.text}\n=====${i}=====\n`).join('')
  const run = spawnSync(program, ['-C', '/dev/null', '-be'], {
    input: Buffer.from(input, 'latin1'),
    timeout: 60_000,
  })
  const output = run.stdout.toString('latin1')
  const answers: string[] = []
  let at = 0
  rows.forEach((_, i) => {
    const mark = `\n> =====${i}=====\n`
    const end = output.indexOf(mark, at)
    if (end < 0) throw new Error(`no answer to row ${i}: ${output.slice(at, at + 200)}`)
    answers.push(output.slice(at, end).replace(/^> /, ''))
    at = end + mark.length
  })
  return answers
}

async function askOurs(text: string): Promise<string> {
  const { expander, context } = expansionBench()
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
}

const program = process.env['POSTERN_TEST_EXIM4'] ?? '/usr/sbin/exim4'
const skip = existsSync(program) ? false : `no Exim at ${program} (POSTERN_TEST_EXIM4 names another place)`

test('expansions give what Exim gives', { skip }, async () => {
  const rows = readRows()
  assert.ok(rows.length >= 1000)
  const answers = askExim(program, rows)
  const wrong: string[] = []
  const before = process.cwd()
  // An Exim without root goes there by itself: relative names are those of the root.
  if (process.getuid?.() !== 0) process.chdir('/')
  for (const [i, row] of rows.entries()) {
    const ours = await askOurs(row.text)
    const theirs = answers[i] ?? ''
    if (row.differs === undefined && ours !== theirs)
      wrong.push(`${row.text}\n  Exim: ${theirs}\n  ours: ${ours}`)
    if (row.differs !== undefined && ours === theirs)
      wrong.push(`${row.text}\n  no longer differs (${row.differs})`)
  }
  process.chdir(before)
  assert.deepEqual(wrong, [])
})

const headers = [
  'Received: from a\n\tby b\n',
  'From: Joe <joe@x.y>\n',
  'To: a@b.c\n',
  'Cc: \n',
  'To: "x, y" <c@d.e>\n',
  'Subject:   =?utf-8?q?caf=C3=A9?= =?iso-8859-1?q?_=E9?=  \n',
  'X-Multi: one\n',
  'X-Multi: two\n  three\n',
  'X-Empty:\n',
  'X-Empty: \n',
  'X-Colon: a:b:c\n',
  'X-Bad: =?utf-8?q?bad=?= =?nosuch?q?x?=\n',
  'Reply-To: r@s.t\n',
  'Date: Tue, 24 Nov 2026 03:04:34 +0000\n',
  'Message-Id: <abc@d>\n',
]
const body = 'line one\nline two\n\nlast\n'
const ofMessage = [
  ...['from', 'to', 'cc', 'subject', 'x-multi', 'x-empty', 'x-colon', 'x-bad', 'received', 'nothing'].flatMap(
    (name) => ['h', 'bh', 'rh', 'lh'].map((form) => `[$${form}_${name}:]`),
  ),
  '[$reply_address]',
  '[$h_FROM:]',
  '[$header_from:x]',
  '[$h_from x]',
  '${if def:h_cc:{y}{n}}${if def:h_x-empty:{y}{n}}${if def:h_nothing:{y}{n}}',
  '${lc:$h_from:}',
  '[$message_body]',
  '[$message_body_end]',
  '[$message_headers]',
  '[$message_headers_raw]',
  '[$message_body_size $body_zerocount]',
  '${addresses:$h_to:}',
  '${address:$h_from:}',
  '${map{$lh_to:}{<$item>}}',
  '${if match{$h_x-multi:}{^one}{y}{n}}',
  '${if eq{$h_from}{a}}',
]

/** What Debian's Exim gave before 4.96-15+deb12u11 of 26 November 2026, which is what ours gives now. */
const beforeUpdate: ReadonlyMap<string, string> = new Map([['[$h_x-bad:]', '[=?utf-8?q?bad=?= x]']])

test('expansions of a message give what Exim gives', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bem-'))
  const file = join(folder, 'message')
  writeFileSync(file, `${headers.join('')}\n${body}`, 'latin1')
  const { expander, context } = expansionBench({ context: { message: messageFacts(headers, body) } })
  const wrong: string[] = []
  for (const text of ofMessage) {
    const run = spawnSync(program, ['-C', '/dev/null', '-bem', file, text], { timeout: 60_000 })
    // Exim makes unqualified addresses local ones.
    const theirs = run.stdout.toString('latin1').replace(/\n$/, '').replaceAll(`@${hostname()}`, '')
    const value = await expander.expandText(text, context)
    const ours = isFailure(value) ? `Failed: ${value.message}` : textOf(value)
    if (ours !== theirs && theirs !== beforeUpdate.get(text))
      wrong.push(`${text}\n  Exim: ${theirs}\n  ours: ${ours}`)
  }
  rmSync(folder, { recursive: true, force: true })
  assert.deepEqual(wrong, [])
})
