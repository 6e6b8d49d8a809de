/** Each page of the guide with something to type has a walk, and what is not run says why. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readBlocks } from './guide/page.ts'
import { elsewhere, half, walks } from './guide/walks/index.ts'
import { repository } from './support/server.ts'

const folder = join(repository, 'docs', 'guide')
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'))
const blocksOf = (page: string) => readBlocks(readFileSync(join(folder, page), 'utf8'))

test('every page with blocks is followed', () => {
  let blocks = 0
  for (const page of pages) {
    const found = blocksOf(page)
    blocks += found.length
    if (found.length > 0) assert.ok(page in walks || page in elsewhere, `${page} has no walk`)
  }
  assert.ok(blocks > 150, String(blocks))
  assert.deepEqual([...half(0), ...half(1)].sort(), Object.keys(walks).sort())
  for (const file of Object.values(elsewhere)) assert.ok(existsSync(join(repository, 'test', file)), file)
})

test('few blocks are not run, each with a reason', () => {
  const reasons = pages.flatMap((page) =>
    blocksOf(page).flatMap(({ notRun }) => (notRun === undefined ? [] : [`${page}: ${notRun}`])),
  )
  assert.ok(reasons.length <= 6, reasons.join('\n'))
  for (const reason of reasons) assert.ok(reason.length > 30, reason)
})

test('every program that a table of promises names is there', () => {
  for (const page of ['reliability.md', 'security.md']) {
    const tables = readFileSync(join(folder, page), 'utf8').split('\n\n')
    // The last column of tables with one of that name.
    const named = tables.flatMap((table) => {
      const [head = '', , ...rows] = table.trim().split('\n')
      return head.endsWith('| test |') ? rows : []
    })
    assert.ok(named.length > 5, page)
    for (const row of named) {
      const programs = [...(row.split('|').at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
      assert.ok(programs.length > 0, row)
      for (const name of programs)
        assert.ok(
          ['.test.ts', '.ts'].some((end) => existsSync(join(repository, 'test', `${name}${end}`))),
          `${page}: there is no test/${name}.test.ts`,
        )
    }
  }
})

test('blocks are read as Markdown has them', () => {
  const text =
    'Text\n\n    $ one\n    out\n\n    goes on\n\nmore\n\n<!-- not run: because -->\n\n    two\n\n```js\nthree\n```\n'
  assert.deepEqual(
    readBlocks(text).map(({ text: inside, language, notRun }) => [inside, language, notRun]),
    [
      ['$ one\nout\n\ngoes on\n', '', undefined],
      ['two\n', '', 'because'],
      ['three\n', 'js', undefined],
    ],
  )
})
