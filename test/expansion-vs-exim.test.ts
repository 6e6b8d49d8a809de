/**
 * Hundreds of expansions through ours and through a real Exim (`exim4 -be`); deliberate differences are named in
 * the table. Without an Exim the test skips and says so.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { textOf } from '../src/base/text.ts'
import { expansionBench } from './support/expansion-context.ts'

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
  assert.ok(rows.length > 500)
  const answers = askExim(program, rows)
  const wrong: string[] = []
  for (const [i, row] of rows.entries()) {
    const ours = await askOurs(row.text)
    const theirs = answers[i] ?? ''
    if (row.differs === undefined && ours !== theirs)
      wrong.push(`${row.text}\n  Exim: ${theirs}\n  ours: ${ours}`)
    if (row.differs !== undefined && ours === theirs)
      wrong.push(`${row.text}\n  no longer differs (${row.differs})`)
  }
  assert.deepEqual(wrong, [])
})
