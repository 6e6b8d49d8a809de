/** Filters, Exim's and Sieve: `-bf` of a real Exim and of Postern on the same file and message. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testFilters } from '../src/flow/routing/filter/test-filter.ts'
import { splitHeaders } from '../src/mail/header.ts'
import type { Context } from '../src/ports.ts'
import { eximToCompare } from './support/exim-oracle.ts'
import { createWorld } from './support/routing-world.ts'
import { repository, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('filters-vs-exim')
after(() => folder.remove())

const configuration = `primary_hostname = mta.example
qualify_domain = x.example
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = /nonexistent
`
const headers = `From: Bill <bill@a.example>
To: me@x.example, You <you@x.example>
Subject: Hello world
Message-Id: <abc@def>
X-N: 5
X-Utf: =?utf-8?q?J=C3=BCrgen?=
Date: Sun, 29 Nov 2026 06:56:46 +0000
`
const body = 'Body line one\nline two\n'
const exim = eximToCompare(configuration)
const world = createWorld(configuration, { sender: 'root@x.example' })

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

function contextFor(): Context {
  const { context } = world
  const base = world.contextFor('bt').message
  assert.ok(base)
  return {
    ...context,
    message: {
      ...base,
      headers: splitHeaders(headers),
      recipients: [{ address: 'root@x.example' }],
      body: { start: body.replaceAll('\n', ' '), end: '' },
      bodySize: body.length,
      bodyLines: 2,
      size: headers.length + 1 + body.length,
    },
    address: {
      localPart: 'root',
      domain: 'x.example',
      originalLocalPart: 'root',
      originalDomain: 'x.example',
      home: '/root',
    },
    delivery: { routerName: '', transportName: '', returnPath: 'root@x.example' },
  }
}

async function ours(text: string): Promise<string[]> {
  const lines: string[] = []
  const out = (line: string): number => lines.push(line)
  await testFilters({ system: undefined, user: { name: 'x', text } }, contextFor(), {
    verbose: false,
    out,
    explain: () => undefined,
    complain: (line) => out(`exim: ${line}`),
  })
  return lines.slice(2).join('\n').split('\n').map(withoutLine)
}

function theirs(text: string): string[] {
  const file = join(folder.path, 'filter')
  writeFileSync(file, text, 'latin1')
  const said = exim.run(['-bf', file], `${headers}\n${body}`)
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
