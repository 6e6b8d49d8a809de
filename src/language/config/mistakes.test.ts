import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableRegistries } from '../../../test/support/registries.ts'
import { singleMistakes } from '../../../test/support/config-mistakes.ts'
import { brief, mistakes, readText } from '../../../test/support/read.ts'
import { renderDiagnostic } from '../../base/diagnostic-frame.ts'

/** A line of a configuration, and what is said of it: column, message, help. */
type Planted = readonly [line: string, column?: number | undefined, message?: string, help?: string]

const planted: readonly Planted[] = [
  ['smtp_bannner = hello', 1, 'main option "smtp_bannner" unknown', 'did you mean "smtp_banner"?'],
  [
    'queue_only = maybe',
    14,
    '"maybe" is not a valid value for the "queue_only" option',
    'write yes, no, true or false',
  ],
  [
    'smtp_accept_max = 10x',
    21,
    'extra characters follow integer value for smtp_accept_max',
    'an integer is decimal, 0x hexadecimal or 0 octal, and may end in K, M or G',
  ],
  [
    'auto_thaw = 3 hours',
    13,
    'invalid time value for auto_thaw',
    'a time is numbers with a unit each: s, m, h, d or w, such as 1h30m',
  ],
  [
    'qualify_domain = "a.example',
    18,
    'missing quote at end of string value for qualify_domain',
    'the value begins with " and must end with one',
  ],
  ['host_lookup *', 13, 'missing "=" after host_lookup', 'write host_lookup = value'],
  [
    'no_primary_hostname',
    1,
    'negation prefix applied to a non-boolean option',
    'primary_hostname takes a value',
  ],
  ['domainlist local = a', undefined],
  [
    'domainlist local = b',
    12,
    'duplicate name "local" for a named domain list',
    'give one of them another name',
  ],
  ['MAC = 1', undefined],
  [
    'MAC = 2',
    1,
    'macro "MAC" is already defined (use "==" if you want to redefine it)',
    'write MAC == to change its text from here on',
  ],
  [
    '.include /no/such/file',
    10,
    'failed to open included configuration file /no/such/file',
    'No such file or directory',
  ],
  ['.endif', 1, '.endif without matching .ifdef', 'no .ifdef or .ifndef is open here'],
  [
    'begin tranports',
    7,
    '"tranports" is not a known configuration section name',
    'did you mean "transports"?',
  ],
  ['begin routers', undefined],
  ['one:', undefined],
  ['  driver = acept', 12, 'router one: cannot find router driver "acept"', 'did you mean "accept"?'],
  [
    'two:',
    1,
    'no driver defined for router "two"',
    'add "driver = ..." with one of accept, dnslookup, ipliteral, iplookup, manualroute, queryprogram, redirect',
  ],
  ['  domains = a', undefined],
  ['three:', undefined],
  ['  driver = accept', undefined],
  [
    '  transport = remote_smpt',
    15,
    'three router: transport "remote_smpt" is not defined',
    'did you mean "remote_smtp"?',
  ],
  [
    '  pass_router = nowhere',
    3,
    'new_router "nowhere" not found for "three" router',
    'defined are one, two, three',
  ],
  ['  more_or_less = a', 3, 'option "more_or_less" unknown', 'no option has this name or one like it'],
  ['begin transports', undefined],
  ['remote_smtp:', undefined],
  ['  driver = smtp', undefined],
  ['files:', undefined],
  ['  driver = appendfile', undefined],
  ['  file = /x', undefined],
  [
    '  mode = 0888',
    11,
    'extra characters follow octal integer value for mode',
    'only the digits 0 to 7 stand in it',
  ],
  ['  mode = 0600', undefined],
  ['begin retry', undefined],
  [
    '*  quota_8  F,1h,5m',
    4,
    'bad time value',
    'such as quota_7d: the mailbox has not been read for that long',
  ],
  ['*  *  F,1h', 11, 'comma expected', 'F,cutoff,interval, such as F,2h,15m'],
  ['begin rewrite', undefined],
  [
    '*@a  b@c  X',
    11,
    "unknown rewrite flag character 'X' (could be missing quotes round replacement item)",
    'flags are EFTbcfhrstSQqRw',
  ],
  [
    '.ifdef NOTHING',
    1,
    'Unexpected end of configuration file: .endif missing',
    'this conditional is still open at the end',
  ],
]

test('twenty planted mistakes and more are all told in one run, each with its line, column and help', () => {
  const text = planted.map(([line]) => `${line}\n`).join('')
  const found = mistakes(readText(text)).map((d) => [brief(d), d.help])
  const expected = planted.flatMap(([, column, message, help], index) =>
    column === undefined ? [] : [[`${index + 1}:${column} ${message}`, help]],
  )
  assert.ok(expected.length >= 20)
  assert.deepEqual(found, expected)
})

for (const c of singleMistakes) {
  test(`told: ${c.says}`, () => assert.deepEqual(mistakes(readText(c.text)).map(brief), [c.says]))
}

test('a user that does not exist is told at its place in the list', () => {
  const registries = {
    ...tableRegistries,
    accounts: { userExists: (name: string) => name === 'root', groupExists: () => true },
  }
  const text = 'never_users = root : nixnix : 0\nbegin transports\nt:\n driver = smtp\n user = $x\n'
  assert.deepEqual(mistakes(readText(text, { registries })).map(brief), ['1:22 user nixnix was not found'])
})

test('the options of an unknown driver are not judged, nor is a reference to its instance', () => {
  const text =
    'begin transports\nt:\n driver = smpt\n hosts = a\nbegin routers\nr:\n driver = accept\n transport = t\n'
  const said = mistakes(readText(text)).map(brief)
  assert.deepEqual(said, ['3:11 transport t: cannot find transport driver "smpt"'])
})

test('a mistake in a file that is included twice is told once', () => {
  const files = { '/c/inc': 'domains = x\n' }
  assert.deepEqual(mistakes(readText('.include inc\n.include inc\n', { files })).length, 1)
})

test('the text of an error: sentence, frame, help', () => {
  const [error] = mistakes(readText('# one\n\tsmtp_bannner = hello\n'))
  assert.ok(error)
  assert.equal(
    renderDiagnostic(error),
    `/c/main:2:2: error: main option "smtp_bannner" unknown [option-unknown]
  |
2 |  smtp_bannner = hello
  |  ^^^^^^^^^^^^
  |
  = help: did you mean "smtp_banner"?`,
  )
})

test('the text of an error that came through a macro: its use and its definition', () => {
  const [error] = mistakes(
    readText('COUNT = many\n# 2\n# 3\n# 4\n# 5\n# 6\n# 7\n# 8\n# 9\nsmtp_accept_max = COUNT\n'),
  )
  assert.ok(error)
  assert.equal(
    renderDiagnostic(error),
    `/c/main:10:19: error: integer expected for smtp_accept_max [value-not-integer]
   |
10 | smtp_accept_max = COUNT
   |                   ^^^^^
   = macro COUNT defined at /c/main:1:9
   |
 1 | COUNT = many
   |         ^^^^
   |
   = help: an integer is decimal, 0x hexadecimal or 0 octal, and may end in K, M or G`,
  )
})

test('the text of an error with another place that belongs to it', () => {
  const [error] = mistakes(readText('qualify_domain = a\nqualify_domain = b\n'))
  assert.ok(error)
  assert.equal(
    renderDiagnostic(error),
    `/c/main:2:1: error: "qualify_domain" option set for the second time [option-set-twice]
  |
2 | qualify_domain = b
  | ^^^^^^^^^^^^^^
  = first set here at /c/main:1:1
  |
1 | qualify_domain = a
  | ^^^^^^^^^^^^^^
  |
  = help: remove one of the two settings`,
  )
})

test('what has no effect yet is told once for each option, what secures stops the start', () => {
  const rows = {
    pending: { type: 'string', default: undefined, tier: 'A', doc: 'x' },
    guard: { type: 'string', default: undefined, tier: 'A', secures: true, doc: 'x' },
    idle: { type: 'string', default: undefined, tier: 'A', noEffect: 'x', doc: 'x' },
    works: { type: 'string', default: undefined, tier: 'A', since: '0.1', doc: 'x' },
  } as const
  const drivers = { made: { options: rows }, later: { options: {}, works: false } }
  const registries = { ...tableRegistries, transports: drivers }
  const options = ' driver = made\n pending = a\n guard = b\n idle = c\n works = d\n'
  const { diagnostics } = readText(`begin transports\na:\n${options}b:\n${options}c:\n driver = later\n`, {
    registries,
  })
  const told = diagnostics.filter((d) => !d.message.includes('"driver"'))
  assert.deepEqual(
    told.map((d) => [brief(d), d.severity, d.fatal === true]),
    [
      ['4:2 made transport option "pending" is read but has no effect yet', 'warning', false],
      [
        '5:2 made transport option "guard" does not work in this version, and without it the server would be less safe than asked for',
        'error',
        true,
      ],
      [
        '11:2 made transport option "guard" does not work in this version, and without it the server would be less safe than asked for',
        'error',
        true,
      ],
      ['14:1 transport c: the driver "later" does not work in this version', 'error', true],
    ],
  )
})

test('a switch turned off asks nothing of what does not work yet', () => {
  const options = { guard: { type: 'boolean', default: true, tier: 'A', secures: true, doc: 'x' } } as const
  const registries = { ...tableRegistries, transports: { made: { options } } }
  const { diagnostics } = readText('begin transports\na:\n driver = made\n no_guard\n', { registries })
  assert.deepEqual(
    diagnostics.filter((d) => d.message.includes('guard')).map((d) => [d.code, d.severity]),
    [['option-pending', 'warning']],
  )
})

test('config_strict makes everything that is told stop the start', () => {
  const text =
    'begin transports\na:\n driver = made\n later = b\nbegin routers\nr:\n driver = accept\n transport = b\n'
  const options = { later: { type: 'string', default: undefined, tier: 'A', doc: 'x' } } as const
  const registries = { ...tableRegistries, transports: { made: { options } } }
  const fatal = (before: string): string[] =>
    readText(before + text, { registries })
      .diagnostics.filter((d) => d.severity === 'error' && d.fatal === true)
      .map((d) => d.message)
      .filter((message) => /later|not defined/.test(message))
  assert.deepEqual(fatal(''), [])
  assert.deepEqual(fatal('config_strict\n'), [
    'made transport option "later" is read but has no effect yet',
    'r router: transport "b" is not defined',
  ])
})

test('an option in the wrong place is told where it belongs', () => {
  const text =
    'data = x\nbegin routers\nr:\n driver = accept\n transport = t\n no_forbid_pipe\nbegin transports\nt:\n driver = smtp\n qualify_recipient = x\n'
  assert.deepEqual(
    mistakes(readText(text)).map((d) => [brief(d), d.help]),
    [
      ['1:1 main option "data" unknown', 'it is an option of the redirect router'],
      ['6:2 option "no_forbid_pipe" unknown', 'it is an option of the redirect router'],
      [
        '10:2 option "qualify_recipient" unknown',
        'it is an option of the main section, before the first "begin"',
      ],
    ],
  )
})

test('a misspelt driver line is told as such, and nothing else of its instance', () => {
  const text = 'begin transports\nt:\n hosts = x\n drivr = smtp\n port = 1\n'
  assert.deepEqual(
    mistakes(readText(text)).map((d) => [brief(d), d.help]),
    [
      [
        '4:2 option "drivr" unknown ("driver" must be specified before any private options)',
        'did you mean "driver"?',
      ],
    ],
  )
})
