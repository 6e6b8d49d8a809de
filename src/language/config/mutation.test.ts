/** Broken configurations must be read to the end, with findings that have a place: nothing is thrown, nothing hangs. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readText } from '../../../test/support/read.ts'
import { renderDiagnostic } from '../../base/diagnostic-frame.ts'
import { fromBytes } from '../../base/text.ts'

const small = `AA = x "y" BB
BB = z
primary_hostname = a.b
domainlist local = @ : AA
hide smtp_banner = "AA \\x41 \\
   BB"
.ifdef AA
queue_only
.else
.include none
.endif
begin acl
check:
  accept hosts = AA
begin routers
r:
  driver = redirect
  data = BB
begin transports
t:
  driver = smtp
  headers_rewrite = *@a b@c h
begin retry
* * F,2h,15m; G,16h,1h,1.5
begin rewrite
*@a.b "$1@c" Eh
`
const pieces = [
  '\n',
  '\\\n',
  '"',
  '=',
  '==',
  ':',
  '.ifdef ',
  '.endif\n',
  '.include /c/main\n',
  'AA',
  'BB',
  'begin routers\n',
  ' ',
  '\0',
  '\xff',
  '#',
  '\\x',
  'hide ',
  'no_',
  '${',
  '9999999999',
  'CC = AA AA AA\n',
]

/** A small generator of numbers, so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % below
  }
}

function mutate(text: string, next: (below: number) => number): string {
  let result = text
  for (let i = next(6); i >= 0; i--) {
    const at = next(result.length + 1)
    const piece = pieces[next(pieces.length)] ?? ''
    const cut = next(3) === 0 ? next(40) : 0
    const moved = next(4) === 0 ? result.slice(next(result.length + 1)).slice(0, 60) : piece
    result = result.slice(0, at) + moved + result.slice(at + cut)
  }
  return result
}

const example = '/usr/share/doc/exim4-base/examples/example.conf'

test('a configuration broken at random is read to its end', () => {
  const next = generator(20260101)
  const texts = existsSync(example) ? [small, fromBytes(readFileSync(example))] : [small]
  const end = performance.now() + 1500
  for (let round = 0; round < 3000 && performance.now() < end; round++) {
    const text = mutate(texts[round % 8 === 7 ? texts.length - 1 : 0] ?? '', next)
    const { diagnostics } = readText(text)
    for (const diagnostic of diagnostics) assert.ok(renderDiagnostic(diagnostic).includes(diagnostic.code))
  }
})

const doubling = Array.from({ length: 26 }, (_, i) => `M_${String.fromCharCode(65 + i)}`)

/** Each must end soon, with a word about what is wrong. */
const bounded: readonly { says: string; text: string; message: RegExp }[] = [
  {
    says: 'macros that double each other do not fill the memory',
    text: `${doubling.map((name, i) => `${name} = ${doubling[i + 1] ?? 'x'} ${doubling[i + 1] ?? 'x'}\n`).join('')}smtp_banner = ${doubling[0]}\n`,
    message: /makes a line longer than/,
  },
  {
    says: 'a file that includes itself twice ends',
    text: '.include /c/main\n.include /c/main\n',
    message: /nested too deeply/,
  },
  {
    says: 'a hundred thousand lines of backslashes end',
    text: `${'\\\n'.repeat(100_000)}x\n`,
    message: /main option "x" unknown/,
  },
  {
    says: 'a hundred thousand empty continuations end',
    text: `${'\\\n\n'.repeat(100_000)}x\n`,
    message: /main option "x" unknown/,
  },
  {
    says: 'a hundred thousand unknown options end',
    text: Array.from({ length: 100_000 }, (_, i) => `smtp_baner${i} = x\n`).join(''),
    message: /main option "smtp_baner0" unknown/,
  },
  {
    says: 'a hundred thousand unknown options of a driver end',
    text: `begin routers\nr:\n driver = accept\n${Array.from({ length: 100_000 }, (_, i) => `x${i} = x\n`).join('')}`,
    message: /option "x0" unknown/,
  },
  {
    says: 'a hundred thousand nested conditionals end',
    text: '.ifdef A\n'.repeat(100_000),
    message: /\.endif missing/,
  },
]
for (const c of bounded) {
  test(c.says, () => {
    // Time of the processor: others use this machine too.
    const start = process.cpuUsage()
    const { diagnostics } = readText(c.text)
    assert.ok(process.cpuUsage(start).user / 1000 < 5000)
    assert.ok(diagnostics.some(({ message }) => c.message.test(message)))
  })
}
