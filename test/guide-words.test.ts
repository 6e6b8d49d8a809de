/** What the guide tells people to type exists: every command of ours, its options, every page and file it points to. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { commands } from '../src/tools/cli/commands/index.ts'
import { mainOptions } from '../src/language/config/options/main.ts'
import { postern, repository } from './support/server.ts'

const guide = join(repository, 'docs', 'guide')
const pages = readdirSync(guide).filter((name) => name.endsWith('.md'))
const texts = new Map(pages.map((name) => [name, readFileSync(join(guide, name), 'utf8')]))
texts.set('README.md of the root', readFileSync(join(repository, 'README.md'), 'utf8'))

/** Lines to type: indented or in a fence, with or without a prompt. */
function typed(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^(?: {4}|\$ )/.test(line))
    .map((line) =>
      line
        .trim()
        .replace(/^(?:\$|#) /, '')
        .replace(/ {2,}#.*$/, ''),
    )
    .map((line) => line.replace(/^sudo /, ''))
    .filter((line) => /^(?:bin\/)?postern [a-z]/.test(line))
}

const sources = (folder: string): string =>
  readdirSync(join(repository, 'src', 'tools', folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(repository, 'src', 'tools', folder, name), 'utf8'))
    .join('\n')
const allSources = sources('.')

test('every postern command that the guide has people type is there, with its options', () => {
  let found = 0
  for (const [page, text] of texts)
    for (const line of typed(text)) {
      const [, command = ''] = line.replace(/^bin\//, '').split(/\s+/)
      assert.ok(Object.hasOwn(commands, command), `${page}: ${line}: no command ${command}`)
      found++
      for (const [, option = ''] of line.matchAll(/\s--([a-z][a-z-]+)/g))
        assert.ok(
          new RegExp(`['"]?${option}['"]?: \\{|--${option}\\b`).test(allSources),
          `${page}: ${line}: nothing knows --${option}`,
        )
    }
  assert.ok(found > 20, `only ${found} lines`)
})

test('every page, file and heading that the guide points to is there', () => {
  for (const page of pages)
    for (const [, target = ''] of (texts.get(page) ?? '').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
      assert.ok(existsSync(join(dirname(join(guide, page)), target)), `${page} points to ${target}`)
  const index = texts.get('README.md') ?? ''
  for (const page of pages)
    if (page !== 'README.md') assert.ok(index.includes(`(${page})`), `the index has no ${page}`)
})

test("Postern's own options that the guide sets in examples are options", () => {
  const own = Object.entries(mainOptions)
    .filter(([, row]) => /Postern only|Postern's own/.test(row.doc))
    .map(([name]) => name)
  assert.ok(own.length > 5)
  const all = [...texts.values()].join('\n')
  for (const name of own) assert.ok(all.includes(name), `no page of the guide names ${name}`)
})

test('each command says what it is for when it is called wrongly, and --help lists it', () => {
  const help = spawnSync(postern, ['--help'], { encoding: 'utf8' })
  for (const [name, { doc }] of Object.entries(commands)) {
    assert.match(doc, /\.$/)
    assert.ok((help.stdout + help.stderr).includes(name), `--help says nothing of ${name}`)
  }
})
