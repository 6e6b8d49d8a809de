/**
 * Promise 14 of SECURITY: whatever stands in a configuration, reading it ends within ten seconds, with the place of the
 * mistake and exit code 1, and never with a stack trace; what only grows is bounded.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'
import { calledFor } from './support/timed.ts'

const promisedMs = 10_000
const folder = temporaryFolder('security-configuration')
after(() => folder.remove())
const at = (name: string): string => join(folder.path, name)
const head = `primary_hostname = mx.example\nspool_directory = ${at('spool')}\nlog_file_path = ${at('%slog')}\n`
const many = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('')
const letters = (n: number): string => String.fromCharCode(65 + Math.floor(n / 26), 65 + (n % 26))

interface Bomb {
  readonly says: string
  readonly text: string | (() => string)
  /** What is told, with its place; absent: it is a configuration like another. */
  readonly told?: RegExp
  /** Found only at use, which `check` tells and a start warns of; or too long for both here. */
  readonly only?: 'check' | 'start'
}

const bombs: readonly Bomb[] = [
  {
    says: 'macros that double forty times',
    text: `M${letters(0)}X = xx\n${many(40, (i) => `M${letters(i + 1)}X = M${letters(i)}XM${letters(i)}X\n`)}log_selector = M${letters(40)}X\n`,
    told: /too long|too large|longer than/,
  },
  {
    says: 'a macro that stands for itself',
    text: 'LOOP = x LOOP LOOP\nhosts_lookup = LOOP\n',
    told: /hosts_lookup/,
  },
  {
    says: 'two macros that stand for each other',
    text: 'AONE = x BTWO\nBTWO = AONE AONE\nhost_lookup = AONE\nno_such = BTWO\n',
    told: /no_such/,
  },
  {
    says: 'a file that includes itself',
    text: () => `.include ${at('bomb.conf')}\n`,
    told: /nested too deeply/,
  },
  {
    says: 'two files that include each other, many times',
    only: 'start',
    text: () => (
      writeFileSync(at('other'), `.include ${at('bomb.conf')}\n`.repeat(50)),
      `.include ${at('other')}\n`.repeat(50)
    ),
    told: /nested too deeply/,
  },
  {
    says: 'thirty files that each include the next twice',
    only: 'start',
    text() {
      for (let i = 0; i < 30; i++)
        writeFileSync(at(`i${i}`), `.include ${at(`i${i + 1}`)}\n.include ${at(`i${i + 1}`)}\n`)
      writeFileSync(at('i30'), 'host_lookup =\n')
      return `.include ${at('i0')}\n`
    },
    told: /nested too deeply|too many|too large/,
  },
  {
    says: 'an include of an endless device',
    text: '.include /dev/zero\n',
    told: /\/dev\/zero|too large|NUL/,
  },
  { says: 'an include of random bytes', text: '.include /dev/urandom\n', told: /\/dev\/urandom|too large/ },
  {
    says: 'an include of a folder',
    text: () => `.include ${folder.path}\n`,
    told: /included configuration file|directory/,
  },
  {
    says: 'an include of a pipe that nobody writes into',
    text: () => (spawnSync('mkfifo', [at('pipe')]), `.include ${at('pipe')}\n`),
    told: /pipe/,
  },
  {
    says: 'an include of a link that leads to itself',
    text: () => (symlinkSync(at('loop'), at('loop')), `.include ${at('loop')}\n`),
    told: /loop/,
  },
  {
    says: 'a list of 60 MB in one line',
    only: 'start',
    text: () => `domainlist big = ${'aaaaaaaaaa.example:'.repeat(3_300_000)}x\n`,
  },
  {
    says: 'a list of 80 MB in one line',
    text: () => `domainlist big = ${'aaaaaaaaaa.example:'.repeat(4_400_000)}x\nno_such_option = 1\n`,
    told: /larger than 64 MB/,
  },
  {
    says: '300,000 lines that go on',
    only: 'start',
    text: () => `host_lookup = ${'a : \\\n'.repeat(300_000)}b\n`,
  },
  {
    says: '100,000 lines of nonsense',
    text: () => many(100_000, (i) => `no_such_${i} = 1\n`),
    told: /bomb\.conf:4:/,
  },
  {
    says: '100,000 macros',
    text: () => `${many(100_000, (i) => `MACRO${i}_ = x${i}\n`)}no_such = MACRO99999_\n`,
    told: /no_such/,
  },
  {
    says: 'braces 100,000 deep',
    only: 'check',
    text: () => `begin acl\nx:\n  deny condition = ${'${if eq{'.repeat(100_000)}\n`,
    told: /nested too deep|too deep|missing|too long|too large/,
  },
  {
    says: 'closed braces 20,000 deep',
    only: 'check',
    text: () => `begin acl\nx:\n  deny condition = ${'${lc:'.repeat(20_000)}x${'}'.repeat(20_000)}\n`,
    told: /too deep/,
  },
  {
    says: 'conditions 20,000 deep',
    only: 'check',
    text: () => `begin acl\nx:\n  deny condition = \${if ${'!'.repeat(20_000)}${'and{{'.repeat(20_000)}\n`,
    told: /too deep|unknown condition|missing/,
  },
  {
    says: 'lists that name each other',
    text: 'domainlist a = +b : +b\ndomainlist b = +a : +a\nhostlist h = +h\n',
  },
  {
    says: 'an ACL that calls itself',
    text: 'acl_smtp_rcpt = x\nbegin acl\nx:\n  deny acl = x\n  accept acl = x\n',
  },
  {
    says: 'routers that redirect to each other',
    only: 'start',
    text: `begin routers\n${many(1000, (i) => `r${i}:\n  driver = redirect\n  data = $local_part@r${i + 1}\n  redirect_router = r${(i + 1) % 1000}\n`)}`,
  },
  { says: 'a regular expression of a megabyte', text: () => `domainlist p = ^${'(a|'.repeat(300_000)}\n` },
  { says: 'NUL bytes and bare CR', text: 'host_lookup = \0\0\r\r\nno\0such = 1\n', told: /bomb\.conf:5/ },
  {
    says: 'one line of 1 MB of quotes',
    only: 'start',
    text: () => `host_lookup = "${'\\"'.repeat(500_000)}\n`,
    told: /quote/,
  },
]

/** The commands that read a configuration; `check` expands and looks further. */
const ways: readonly (readonly string[])[] = [
  ['-C', at('bomb.conf'), '-bV'],
  ['check', at('bomb.conf')],
]

for (const { says, text, told, only } of bombs) {
  test(`${says}: ${told === undefined ? 'read' : 'told'} within ten seconds of processor time, without a stack trace`, () => {
    writeFileSync(at('bomb.conf'), head + (typeof text === 'string' ? text : text()))
    chmodSync(at('bomb.conf'), 0o644)
    for (const words of ways) {
      if (only !== undefined && (only === 'check') !== (words[0] === 'check')) continue
      const done = calledFor(postern, words)
      const said = done.stdout + done.stderr
      assert.doesNotMatch(
        said,
        /^\s+at .*(?:\.js|\.ts|node:)|RangeError|TypeError|heap out of memory|unexpected error/m,
      )
      assert.equal(done.signal, null)
      assert.ok((done.status ?? 255) < 128)
      assert.ok(done.cpuMs < promisedMs, `${words[0]} took ${done.cpuMs} ms of processor time`)
      assert.equal(said.includes('\0'), false)
      if (told === undefined) continue
      assert.equal(done.status, 1, said.slice(0, 500))
      assert.match(said, told)
    }
  })
}

test('the start of a daemon tells the same and ends with 1', () => {
  mkdirSync(at('none'), { recursive: true })
  writeFileSync(at('bomb.conf'), `${head}begin acl\nx:\n  deny no_such_condition = x\n`)
  const done = spawnSync(postern, ['-C', at('bomb.conf'), '-bdf', '-oX', '127.0.0.1.9'], {
    encoding: 'latin1',
    timeout: 60_000,
  })
  assert.equal(done.status, 1)
  assert.match(done.stderr, /bomb\.conf:6:.*no_such_condition/)
})
