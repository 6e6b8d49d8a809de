/** Filters, Exim's and Sieve: `-bf` of a real Exim and of Postern on the same file and message. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eximToCompare } from './support/exim-oracle.ts'
import { filterConfiguration, filterMessage, ourFilter } from './support/filter-bench.ts'
import { repository, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('filters-vs-exim')
after(() => folder.remove())

const exim = eximToCompare(filterConfiguration)

/** Differences that are meant: docs/decisions/filters.md. */
const meant: ReadonlySet<string> = new Set([
  // An address that is none is refused when the script is checked.
  'redirect "${hex:61}@b.example";',
  // RFC 4790 section 9.1: 05 and 5 are the same number.
  'require "comparator-i;ascii-numeric"; if header :comparator "i;ascii-numeric" "x-n" "05" {discard;}',
])

/** The line that Exim names is one too far when it has looked ahead; ours is the line. */
function withoutLine(text: string): string {
  return text.replace(/(near|in) line \d+/g, '$1 line N')
}

async function ours(text: string): Promise<string[]> {
  return withoutLine(await ourFilter(text)).split('\n')
}

function theirs(text: string): string[] {
  const file = join(folder.path, 'filter')
  writeFileSync(file, text, 'latin1')
  const said = exim.run(['-bf', file], filterMessage)
  // Sender, recipient, which file: of the program, not of the filter.
  return said.lines.slice(said.lines.indexOf('') + 1).map(withoutLine)
}

const kinds = [
  { file: 'exim-filters', first: '# Exim filter\n' },
  { file: 'sieve-scripts', first: '# Sieve filter\n' },
]
for (const { file, first } of kinds) {
  const rows = readFileSync(join(repository, 'test', 'testdata', 'filters', file), 'latin1')
    .trimEnd()
    .split('\n')
  for (const row of rows) {
    test(`${file}: ${row}`, async (t) => {
      if (exim.skip !== false) return t.skip(exim.skip)
      const text = `${first}${unescaped(row)}\n`
      if (meant.has(row)) assert.notDeepEqual(await ours(text), theirs(text))
      else assert.deepEqual(await ours(text), theirs(text))
    })
  }
}

/** `\n` of the table is a line end, two backslashes are one. */
function unescaped(row: string): string {
  return row.replace(/\\(n|\\|x[0-9a-f]{2}|.)/g, (whole, what: string) =>
    what === 'n' ? '\n' : what === '\\' ? '\\' : whole,
  )
}
