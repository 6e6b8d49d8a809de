/** `${fn`: functions of the administrator in place of ${perl and ${dlfunc. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { isTainted, textOf } from '../src/base/text.ts'
import { expansionBench } from './support/expansion-context.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-fn-'))
const file = join(folder, 'functions.mjs')
copyFileSync('test/testdata/functions.mjs', file)
chmodSync(file, 0o644)
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const { expander, context } = expansionBench({
  settings: { functions_file: file },
  context: { address: { localPart: 'j(o)e', domain: 'example.org' } },
})
const ask = async (text: string): Promise<string> => {
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `${value.kind}: ${value.message}` : textOf(value)
}

const cases: readonly (readonly [says: string, text: string, answer: string])[] = [
  ['a plain function', '${fn{greet}{Zo\xc3\xab}}', 'hello Zo\u00c3\u00ab'],
  ['an asynchronous one', '${fn{wait}{20}}', 'waited'],
  ['between none and eight arguments', '${fn{join}}[${fn{join}{a}{b}}]', '[a+b]'],
  ['where the values come from', '${fn{origins}{x}{$local_part}{a$domain}}', '- $local_part $domain'],
  ['bytes', '${str2b64:${fn{bytes}}}', '/0E='],
  ['inside others', '${uc:${fn{greet}{${lc:X}}}}', 'HELLO X'],
  ['too few arguments', '${fn{greet}}', 'failure: ${fn{greet}: it takes 1 arguments, and got 0'],
  ['too many', '${fn{greet}{a}{b}}', 'failure: ${fn{greet}: it takes 1 arguments, and got 2'],
  [
    'a name that is not there',
    '${fn{toString}}',
    'failure: ${fn{toString}: functions_file exports no function of that name',
  ],
  [
    'no function',
    '${fn{notAFunction}}',
    'failure: ${fn{notAFunction}: functions_file exports no function of that name',
  ],
  [
    'undefined is a forced failure, as undef of Perl',
    '${fn{nothing}}',
    'forced: ${fn{nothing} gave nothing, which stands for "fail"',
  ],
  ['what it throws', '${fn{broken}}', 'failure: ${fn{broken}: it broke'],
  [
    'an answer that is no text',
    '${fn{strange}}',
    'failure: ${fn{strange}: it gave neither a text, a number, a boolean nor bytes',
  ],
  ['an endless loop is stopped', '${fn{forever}}', 'failure: ${fn{forever}: it took too long'],
  ['and the next call works again', '${fn{greet}{you}}', 'hello you'],
  [
    'a function that ends the thread',
    '${fn{ends}}',
    'failure: ${fn{ends}: the thread of the functions ended',
  ],
  ['and the next call works', '${fn{greet}{me}}', 'hello me'],
  [
    'a name from outside is refused',
    '${fn{$local_part}}',
    "failure: Tainted name 'j(o)e' for function not permitted ($local_part came from outside; use $local_part_data)",
  ],
]
for (const [says, text, answer] of cases)
  test(`functions: ${says}`, async () => assert.equal(await ask(text), answer))

test('functions: answers are tainted unless the function declares otherwise', async () => {
  const tainted = await expander.expandText('${fn{greet}{x}}', context)
  const clean = await expander.expandText('${fn{clean}{$local_part}}', context)
  assert.ok(!isFailure(tainted) && isTainted(tainted))
  assert.equal(clean, 'joe')
})

test('functions: an endless loop holds up nobody else', async () => {
  const start = performance.now()
  const loop = ask('${fn{forever}}')
  let turns = 0
  let longest = 0
  let last = start
  const timer = setInterval(() => {
    turns++
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 5)
  // In line behind it, and done afterwards.
  const after = ask('${fn{greet}{you}}')
  assert.match(await loop, /took too long/)
  assert.equal(await after, 'hello you')
  clearInterval(timer)
  assert.ok(turns > 3, `${turns} turns`)
})

test('functions: without the option, and with a file that others may write', async () => {
  const without = expansionBench()
  const value = await without.expander.expandText('${fn{greet}{x}}', without.context)
  assert.ok(isFailure(value) && /needs the main option functions_file/.test(value.message))
  chmodSync(file, 0o666)
  assert.match(await ask('${fn{greet}{x}}'), /may be written by everybody/)
  chmodSync(file, 0o644)
})

test('functions: through the command line, and what check says of ${dlfunc', () => {
  const configuration = join(folder, 'conf')
  writeFileSync(configuration, `keep_environment =\nfunctions_file = ${file}\n`)
  const run = spawnSync(
    process.execPath,
    [resolve('bin/postern'), '-C', configuration, '-be', '${fn{greet}{world}}'],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(run.stdout, 'hello world\n', run.stderr)
  writeFileSync(configuration, 'keep_environment =\nsmtp_banner = ${dlfunc{/x}{y}}\n')
  const checked = spawnSync(process.execPath, [resolve('bin/postern'), 'check', configuration], {
    encoding: 'utf8',
  })
  assert.match(checked.stdout + checked.stderr, /write them in JavaScript/)
})
