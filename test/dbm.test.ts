/** Lookups in Berkeley DB files, those of real tools, beside a real Exim; and the files that `postern dbmbuild` makes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { textOf } from '../src/base/text.ts'
import { findInBerkeley } from '../src/language/lookups/berkeley-pages.ts'
import { fetchDebian, wrapper } from './support/debian.ts'
import { eximToCompare } from './support/exim-oracle.ts'
import { expansionBench } from './support/expansion-context.ts'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('dbm')
const at = folder.path
after(() => folder.remove())
const { expander, context } = expansionBench()
async function ask(text: string): Promise<string> {
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
}

const tools = fetchDebian(['db5.3-util', 'libdb5.3', 'exim4-base'])
const skip = 'missing' in tools ? tools.missing : false

function tool(
  program: string,
  words: readonly string[],
  input = '',
): { status: number | null; text: string } {
  if ('missing' in tools) return { status: 1, text: tools.missing }
  const { status, stdout, stderr } = spawnSync(wrapper(tools.root, program), words, {
    input,
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  })
  return { status, text: stdout + stderr }
}

interface Form {
  readonly type: 'hash' | 'btree'
  readonly header?: readonly string[]
}

/** Writes a file as `db_dump -p` shows one; anything may stand in a text. */
function load(path: string, pairs: Iterable<readonly [string, string]>, { type, header = [] }: Form): void {
  const shown = (text: string): string =>
    ` ${text.replaceAll(/[\\\x00-\x1f\x7f-\xff]/g, (each) => `\\${each.charCodeAt(0).toString(16).padStart(2, '0')}`)}`
  const lines = [
    'VERSION=3',
    'format=print',
    `type=${type}`,
    ...header,
    'HEADER=END',
    ...[...pairs].flat().map(shown),
  ]
  const loaded = tool('usr/bin/db5.3_load', [path], `${lines.join('\n')}\nDATA=END\n`)
  assert.equal(loaded.status, 0, loaded.text)
}

const name = (i: number): string => `user${(i * 7919) % 100_003}@example.org`
const many = Array.from({ length: 3000 }, (_, i): [string, string] => [
  name(i),
  `mailbox ${i} ${'x'.repeat(i % 1500 === 7 ? 70_000 : i % 300)}`,
])

describe('files of db_load', { skip }, () => {
  const headers: readonly (readonly string[])[] = [
    [],
    ['db_pagesize=512'],
    ['db_pagesize=65536', 'db_lorder=4321'],
    ['db_lorder=4321', 'chksum=1'],
    ['db_pagesize=1024', 'chksum=1'],
    ['duplicates=1'],
    ['duplicates=1', 'dupsort=1'],
  ]
  for (const type of ['hash', 'btree'] as const)
    for (const header of headers)
      test(`${type} ${header.join(' ')}`, async () => {
        const path = join(at, `${type}-${header.join('-')}.db`)
        const several = Array.from({ length: 4000 }, (_, i): [string, string] => [
          'several',
          `value ${1000 + i}`,
        ])
        const twice: [string, string][] = [
          ['twice', 'first'],
          ['twice', 'second'],
        ]
        const long: [string, string] = ['k'.repeat(9000), 'of a long key']
        load(path, [...many, long, ...(header.includes('duplicates=1') ? [...several, ...twice] : [])], {
          type,
          header,
        })
        const find = (key: string): Promise<string> => ask(`\${lookup{${key}}dbmnz{${path}}{$value}{none}}`)
        for (let i = 0; i < many.length; i += 31) assert.equal(await find(name(i)), many[i]?.[1], name(i))
        assert.equal(await find(name(7)), many[7]?.[1])
        assert.equal(await find(long[0]), long[1])
        for (const key of ['nobody', '', '!', 'zzz', name(0).slice(0, -1), `${name(0)}x`])
          assert.equal(await find(key), 'none', key)
        if (header.length === 0 || !header.includes('duplicates=1')) return
        assert.equal(await find('several'), 'value 1000')
        assert.equal(await find('twice'), 'first')
      })

  test('what is none, is cut off or has records by number is told', async () => {
    const path = join(at, 'whole.db')
    load(path, many, { type: 'hash' })
    const find = (file: string): Promise<string> => ask(`\${lookup{${name(1)}}dbmnz{${file}}}`)
    const unable = (file: string, why: string): string =>
      `failed to open ${file} as a db (v4.1+) file: ${why}`
    assert.equal(await find('/etc/passwd'), `Failed: ${unable('/etc/passwd', 'not a Berkeley DB file')}`)
    assert.equal(await find(at), `Failed: ${unable(at, 'Is a directory')}`)
    const none = join(at, 'none.db')
    assert.equal(await find(none), `Failed: ${unable(none, 'No such file or directory')}`)
    const cut = join(at, 'cut.db')
    writeFileSync(cut, readFileSync(path).subarray(0, 5000))
    assert.match(
      await find(cut),
      /^Failed: lookup of "[^"]+" gave DEFER: failed to open .* page \d+ is cut off$/,
    )
    const numbers = join(at, 'numbers.db')
    assert.equal(tool('usr/bin/db5.3_load', ['-T', '-t', 'recno', numbers], 'a\nb\n').status, 0)
    assert.match(await find(numbers), /its records have numbers for keys/)
  })

  test('another file put in its place is the one that counts', async () => {
    const [path, other] = [join(at, 'moved.db'), join(at, 'moving.db')]
    const find = (): Promise<string> => ask(`\${lookup{a}dbmnz{${path}}{$value}{none}}`)
    load(path, [['a', 'one']], { type: 'hash' })
    assert.equal(await find(), 'one')
    load(other, [['a', 'two']], { type: 'btree' })
    spawnSync('mv', [other, path])
    assert.equal(await find(), 'two')
  })

  for (const type of ['hash', 'btree'] as const)
    test(`a ${type} that is damaged anywhere ends no process and holds nobody up`, async () => {
      const path = join(at, `damaged-${type}.db`)
      const pairs = many.slice(0, 400)
      load(path, [...pairs, ['long', 'y'.repeat(20_000)]], { type, header: ['db_pagesize=512'] })
      const whole = readFileSync(path)
      let seed = 1
      const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below
      for (let i = 0; i < 600; i++) {
        const bytes = Buffer.from(whole.subarray(0, i % 4 === 0 ? random(whole.length) : whole.length))
        for (let n = 0; n < 60 && bytes.length > 0; n++)
          bytes[random(Math.min(bytes.length, n < 5 ? 512 : bytes.length))] = random(256)
        const began = performance.now()
        const found = await findInBerkeley(
          (position, length) => Promise.resolve(bytes.subarray(position, position + length)),
          Buffer.from(i % 3 === 0 ? 'long' : name(random(400))),
        )
        if (found.is === 'error')
          assert.doesNotMatch(found.message, /undefined|out of range|Cannot|not a function/)
        assert.ok(performance.now() - began < 500)
      }
    })
})

const source = `# aliases
Root: postmaster
"quoted key": value one
alice  bob@x.example,
   carol@y.example
*: default
*@y.example: star-at
*.wild.example: below
`
const exim = eximToCompare('')

describe('beside Exim', { skip: skip === false ? exim.skip : skip }, () => {
  const questions = (file: string, zeros: string): string[] =>
    [
      ['root', 'dbm'],
      ['Root', 'dbm'],
      ['quoted key', 'dbm'],
      ['alice', 'dbm'],
      ['nobody', 'dbm'],
      ['nobody', 'dbm*'],
      ['a@y.example', 'dbm*@'],
      ['a.wild.example', 'partial-dbm'],
      ['root', 'dbmnz'],
      ['root', 'dbmjz'],
      ['root', 'dbm,ret=key'],
      ['', 'dbm'],
    ]
      .map(([key = '', type = '']) => `\${lookup{${key}}${type}{${file}}{<$value>}{none}}`)
      .concat([
        `\${lookup{a:b}dbmjz{${zeros}}{<$value>}{none}}`,
        `\${lookup{<; a ; b}dbmjz{${zeros}}{<$value>}{none}}`,
        `\${lookup{a:b}dbmjz,ret=key{${zeros}}{<$value>}{none}}`,
        `\${lookup{c:d}dbmjz{${zeros}}{<$value>}{none}}`,
        `\${lookup{c:d:}dbmjz{${zeros}}{<$value>}{none}}`,
        `\${lookup{cut}dbmnz{${zeros}}{<$value>}{none}}`,
        `\${lookup{empty}dbmnz{${zeros}}{<$value>}{none}}`,
        '${lookup{a}dbm{/nonexistent/file.db}}',
      ])

  for (const maker of ['exim_dbmbuild', 'postern dbmbuild'])
    for (const zero of ['', '-nozero'])
      test(`a file of ${maker} ${zero}`, async () => {
        const [text, file, zeros] = ['source', 'made.db', 'zeros.db'].map((each) => join(at, each))
        assert.ok(text !== undefined && file !== undefined && zeros !== undefined)
        writeFileSync(text, source)
        const words = [...(zero === '' ? [] : [zero]), text, file]
        const made =
          maker === 'exim_dbmbuild'
            ? tool('usr/sbin/exim_dbmbuild', words).text
            : spawnSync(process.execPath, [postern, 'dbmbuild', ...words], { encoding: 'utf8' }).stdout
        assert.equal(made, '6 entries written\n')
        const pairs: [string, string][] = [
          ['a\0b', 'one'],
          ['c\0d\0', 'three'],
          ['cut', 'x\0y'],
          ['empty', ''],
        ]
        spawnSync('rm', ['-f', zeros])
        load(zeros, pairs, { type: 'hash' })
        const asked = questions(file, zeros)
        const { lines } = exim.run(['-be', ...asked])
        assert.equal(lines.length, asked.length)
        for (const [i, question] of asked.entries()) assert.equal(await ask(question), lines[i], question)
      })
})

test('what dbmbuild makes is what Berkeley DB and Exim find, each key of it', { skip }, async () => {
  const [text, file] = [join(at, 'large'), join(at, 'large.db')]
  const pairs = Array.from({ length: 20_000 }, (_, i): [string, string] => [
    // Some begin as others do.
    `k${i}${i % 7 === 0 ? 'x'.repeat(i % 250) : ''}`,
    `v${i}${'y'.repeat(i % 1013 === 0 ? 1000 + i : i % 50)}`,
  ])
  writeFileSync(text, pairs.map(([key, data]) => `${key}: ${data}\n`).join(''))
  const build = (...words: string[]) =>
    spawnSync(process.execPath, [postern, 'dbmbuild', ...words], { encoding: 'utf8' })
  assert.equal(build('-nozero', text, file).stdout, '20000 entries written\n')
  assert.deepEqual(tool('usr/bin/db5.3_verify', [file]), {
    status: 0,
    text: `BDB5105 Verification of ${file} succeeded.\n`,
  })
  const dumped = tool('usr/bin/db5.3_dump', ['-p', file]).text.split('\n')
  const content = dumped.slice(dumped.indexOf('HEADER=END') + 1, dumped.indexOf('DATA=END'))
  const found = new Map<string, string>()
  for (let i = 0; i + 1 < content.length; i += 2)
    found.set((content[i] ?? '').slice(1), (content[i + 1] ?? '').slice(1))
  assert.deepEqual(found, new Map(pairs))
  const some = pairs.filter((_, i) => i % 19 === 0 || i % 1013 === 0)
  for (const [key, data] of some)
    assert.equal(await ask(`\${lookup{${key}}dbmnz{${file}}{$value}{none}}`), data, key)
  if (exim.skip === false) {
    const { lines } = exim.run(
      ['-be'],
      some.map(([key]) => `\${length_40:\${lookup{${key}}dbmnz{${file}}{$value}{none}}}\n`).join(''),
    )
    assert.deepEqual(
      lines.slice(0, some.length).map((line) => line.replace(/^> /, '')),
      some.map(([, data]) => data.slice(0, 40)),
    )
  }
  writeFileSync(text, `${'k'.repeat(256)}: x\n`)
  assert.match(build(text, file).stderr, /keys longer than 255 characters cannot be handled/)
  writeFileSync(text, '')
  assert.equal(build(text, file).stdout, '0 entries written\n')
  assert.equal(tool('usr/bin/db5.3_verify', [file]).status, 0)
  assert.equal(await ask(`\${lookup{k1}dbm{${file}}{$value}{none}}`), 'none')
})
