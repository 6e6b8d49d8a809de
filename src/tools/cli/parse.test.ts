import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commands } from './commands/index.ts'
import type { FlagRow } from './flag.ts'
import { flagTable } from './flag-table.ts'
import { modes } from './modes/index.ts'
import { has, parseCommandLine, valueOf } from './parse.ts'
import { queueRunFlags } from './queue-flags.ts'

function parsed(line: string, calledAs = 'exim') {
  const result = parseCommandLine(calledAs, line === '' ? [] : line.split(' '))
  assert.equal(result.is, 'invocation', JSON.stringify(result))
  return result.is === 'invocation' ? result.invocation : assert.fail()
}

const modeCases = [
  { line: '-bd -q30m', mode: 'daemon' },
  { line: '-q30m -bd', mode: 'daemon' },
  { line: '-bdf', mode: 'daemon' },
  { line: '-q', mode: 'queue-run' },
  { line: '-qff', mode: 'queue-run' },
  { line: '-qqff', mode: 'queue-run' },
  { line: '-q30m', mode: 'queue-run' },
  { line: '-qfl', mode: 'queue-run' },
  { line: '-qGname/5m', mode: 'queue-run' },
  { line: '-Rff example.com', mode: 'queue-run' },
  { line: '-qR example.com', mode: 'queue-run' },
  { line: '-be $x', mode: 'expand' },
  { line: '-bem /tmp/m $x', mode: 'expand' },
  { line: '-be -Mset 1xXlUn-0007NX-2I $x', mode: 'expand' },
  { line: '-bV', mode: 'build-information' },
  { line: '--version', mode: 'build-information' },
  { line: '-bP', mode: 'print-options' },
  { line: '-M 1xVh2a-000000006jA-2B0y', mode: 'message-action' },
  { line: '-Mvh 1xVh2a-000000006jA-2B0y', mode: 'message-show' },
  { line: '-bp', mode: 'queue-list' },
  { line: '-bpc', mode: 'count-queue' },
  { line: '-bt a@b.example', mode: 'address-test' },
  { line: '-bvs a@b.example', mode: 'address-verify' },
  { line: '-bh 192.0.2.1', mode: 'host-check' },
  { line: '-bI:help', mode: 'information' },
  { line: '-i -f a@b.example c@d.example', mode: 'accept-message' },
  { line: '-t', mode: 'accept-message' },
  { line: '-ti', mode: 'accept-message' },
  { line: '-oem -oi -oMr local-x -Fname -- -x', mode: 'accept-message' },
  { line: '', mode: 'help' },
  { line: '', name: 'mailq', mode: 'queue-list' },
  { line: '', name: 'runq', mode: 'queue-run' },
  { line: '', name: 'rsmtp', mode: 'batch-smtp' },
  { line: '', name: 'newaliases', mode: 'newaliases' },
  { line: 'a@b.example', name: 'rmail', mode: 'accept-message' },
  { line: 'a@b.example', name: 'sendmail', mode: 'accept-message' },
] as const

for (const { line, mode, ...rest } of modeCases) {
  const name = 'name' in rest ? rest.name : 'exim'
  test(`"${name} ${line}" means ${mode}`, () => {
    assert.equal(parsed(line, name).mode, mode)
  })
}

const valueCases = [
  {
    says: 'attached and separate values are the same',
    line: '-fa@b.example x',
    flag: '-f',
    value: 'a@b.example',
  },
  {
    says: 'attached and separate values are the same',
    line: '-f a@b.example x',
    flag: '-f',
    value: 'a@b.example',
  },
  { says: 'the longest flag wins', line: '-oMaa plain x', flag: '-oMaa', value: 'plain' },
  {
    says: 'a flag may be a beginning of another',
    line: '-oMa 192.0.2.1 x',
    flag: '-oMa',
    value: '192.0.2.1',
  },
  { says: 'a list of files is one value', line: '-C/a:/b -bV', flag: '-C', value: '/a:/b' },
  { says: 'a macro keeps its equals sign', line: '-DNAME=a=b -bV', flag: '-D', value: 'NAME=a=b' },
  { says: 'debug categories are attached', line: '-d-all+route -bt x', flag: '-d', value: '-all+route' },
  { says: 'protocol and host of -p are attached', line: '-puucp:host x', flag: '-p', value: 'uucp:host' },
] as const

for (const { says, line, flag, value } of valueCases) {
  test(`${says}: ${line}`, () => assert.equal(valueOf(parsed(line), flag), value))
}

const refusals = [
  { line: '-Y', message: /^exim abandoned: unknown, malformed, or incomplete option -Y$/ },
  { line: '-bZ', message: /unknown, malformed, or incomplete option -bZ$/ },
  { line: '-oX', message: /incomplete option -oX$/ },
  { line: '-bt -bv x', message: /^exim: incompatible command-line options or arguments$/ },
  { line: '-Mset 1xXlUn-0007NX-2I x', message: /^exim: incompatible command-line options or arguments$/ },
  { line: '-MC a b c 1 x', message: /^exim: -MC: this flag is for calls of Exim by itself$/ },
]

for (const { line, message } of refusals) {
  test(`"exim ${line}" is refused`, () => {
    const result = parseCommandLine('exim', line.split(' '))
    assert.equal(result.is, 'refused')
    assert.match(result.is === 'refused' ? result.message : '', message)
  })
}

test('after -- arguments may begin with a hyphen', () => {
  assert.deepEqual(parsed('-i -- -x@b.example').args, ['-x@b.example'])
})

test('-n may stand before and behind -bP', () => {
  for (const line of ['-n -bP qualify_domain', '-bP -n qualify_domain']) {
    const invocation = parsed(line)
    assert.ok(has(invocation, '-n'))
    assert.deepEqual(invocation.flags.find(({ flag }) => flag === '-bP')?.rest, ['qualify_domain'])
  }
})

const runCases = [
  { line: '-q', force: false, thaw: false, every: undefined },
  { line: '-qf', force: true, thaw: false, every: undefined },
  { line: '-qff', force: true, thaw: true, every: undefined },
  { line: '-q30m', force: false, thaw: false, every: 1800 },
  { line: '-q 1h30m', force: false, thaw: false, every: 5400 },
  { line: '-qff5m', force: true, thaw: true, every: 300 },
  { line: '-Rff example.com', force: true, thaw: true, every: undefined },
  { line: '-R example.com -qf', force: true, thaw: false, every: undefined },
  { line: '-q 1xXlUn-0007NX-2I 1xXlUn-0007NX-2J -v', force: false, thaw: false, every: undefined },
  { line: '-bd -R example.com -q30m', force: false, thaw: false, every: 1800 },
  { line: '-bd -qGslow/5m', force: false, thaw: false, every: 300 },
]

for (const { line, force, thaw, every } of runCases) {
  test(`${line} is read as a queue run`, () => {
    const result = queueRunFlags(parsed(line))
    assert.equal(result.is, 'flags')
    if (result.is !== 'flags') return
    assert.deepEqual([result.flags.request.force, result.flags.request.thaw], [force, thaw])
    assert.equal(result.flags.everySeconds, every)
  })
}

test('-R takes text in any case, -Rr a regular expression', () => {
  const plain = queueRunFlags(parsed('-R Example.COM'))
  const regex = queueRunFlags(parsed('-Rr ^a.*com$'))
  assert.ok(plain.is === 'flags' && plain.flags.request.recipient?.('a@example.com'))
  assert.ok(regex.is === 'flags' && regex.flags.request.recipient?.('a@x.com'))
  assert.ok(regex.is === 'flags' && regex.flags.request.recipient?.('b@x.com') === false)
})

// Each seen with Exim 4.96.
for (const [line, described] of [
  ['-q', undefined],
  ['-qf', '-qf'],
  ['-Rff x', '-qff -R x'],
  ['-Rrf x', '-qf -Rr x'],
  ['-qiffl -R x -Sf y', '-qiffl -R x -S y'],
  ['-R x -S y', '-R x -S y'],
  ['-qq -Sr y', '-qq -Sr y'],
  ['-qff -Rf x', '-qff -R x'],
] as const) {
  test(`${line} is logged as a queue run ${described ?? 'without more'}`, () => {
    const result = queueRunFlags(parsed(line))
    assert.equal(result.is === 'flags' ? result.flags.request.described : 'wrong', described)
  })
}

test('of -R and -S a message must match both', () => {
  const result = queueRunFlags(parsed('-R x.example -S y.example'))
  assert.ok(result.is === 'flags')
  assert.equal(result.flags.request.recipient?.('a@x.example'), true)
  assert.equal(result.flags.request.sender?.('a@x.example'), false)
})

const wrongRuns = [
  { line: '-q1x', message: 'bad time value -q1x: abandoned' },
  { line: '-q 30x', message: 'bad time value 30x: abandoned' },
  { line: '-qf now', message: 'bad time value now: abandoned' },
  { line: '-R', message: 'string expected after -R' },
  { line: '-R x y', message: 'incompatible command-line options or arguments' },
  { line: '-R x 1xXlUn-0007NX-2I', message: 'incompatible command-line options or arguments' },
  { line: '-q 1xXlUn-0007NX-2I x', message: 'incompatible command-line options or arguments' },
  { line: '-bd -q', message: 'incompatible command-line options or arguments' },
  { line: '-bd -R x', message: 'incompatible command-line options or arguments' },
]

// Each seen with Exim 4.96.
for (const { line, message } of wrongRuns) {
  test(`a wrong queue run is refused: ${line}`, () =>
    assert.deepEqual(queueRunFlags(parsed(line)), { is: 'wrong', message: `exim: ${message}` }))
}

test('every flag has a sentence and works, is ignored with a reason, or is refused with one', () => {
  for (const [name, row] of Object.entries<FlagRow>(flagTable)) {
    assert.match(row.doc, /^[A-Z].*\.$/, name)
    const ways = [row.since, row.ignored, row.refused].filter((way) => way !== undefined)
    assert.equal(ways.length, 1, name)
    if (row.tier !== 'C') assert.equal(row.ignored, undefined, name)
    if (row.mode !== undefined) assert.ok(row.mode in modes, name)
  }
})

test('every mode and command can be loaded', async () => {
  for (const row of [...Object.values(modes), ...Object.values(commands)]) {
    assert.equal(typeof (await row.load()).run, 'function')
  }
})
