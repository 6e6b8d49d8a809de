/** The words of Postern's own commands: `--help`, and what is said of words that are wrong. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { commands, namedPrograms } from '../src/tools/cli/commands/index.ts'
import { postern } from './support/server.ts'

function call(...words: readonly string[]): {
  readonly status: number | null
  readonly out: string
  readonly err: string
} {
  const done = spawnSync(process.execPath, [postern, ...words], { encoding: 'utf8', input: '' })
  return { status: done.status, out: done.stdout, err: done.stderr }
}

for (const command of Object.keys(commands))
  test(`${command} --help and -h tell its words on the standard output`, () => {
    for (const word of ['--help', '-h']) {
      const { status, out, err } = call(command, word)
      assert.equal(err, '')
      assert.equal(status, 0)
      // That of exiqgrep is Exim's.
      assert.match(out, namedPrograms.includes(command) ? /^usage:|^Exim message queue/i : /^usage: postern /)
    }
  })

test('--help counts beside other words, and not behind --', () => {
  assert.match(call('explain', '--from', '192.0.2.1', '--help').out, /^usage: postern explain/)
  assert.match(call('test', '--record', '--help').out, /^usage: postern test/)
  const { status, err } = call('check', '--', '--help')
  assert.equal(status, 1)
  assert.match(err, /--help/)
})

test('help tells the commands, help COMMAND the words of one', () => {
  assert.equal(call('help').out, call('--help').out)
  assert.equal(call('help', 'check').out, call('check', '--help').out)
  assert.match(call('help', 'chek').err, /did you mean "check"\?/)
})

const cases: readonly {
  readonly says: string
  readonly words: readonly string[]
  readonly told: string
}[] = [
  {
    says: 'a letter is missing',
    words: ['check', '--jsn'],
    told: 'postern check: there is no option --jsn; did you mean --json?',
  },
  {
    says: 'a dash is missing',
    words: ['check', '-strict'],
    told: 'postern check: there is no option -strict; did you mean --strict?',
  },
  {
    says: 'the word is longer',
    words: ['explain', '--configuration', '/x'],
    told: 'postern explain: there is no option --configuration; did you mean --config?',
  },
  {
    says: 'the word is shorter',
    words: ['queue', '--recip', 'a@b.example'],
    told: 'postern queue: there is no option --recip; did you mean --recipient?',
  },
  {
    says: 'nothing is near',
    words: ['top', '--wibble=3'],
    told: 'postern top: there is no option --wibble',
  },
  { says: 'a letter that is none', words: ['reload', '-x'], told: 'postern reload: there is no option -x' },
  {
    says: 'a value is missing at the end',
    words: ['explain', '--mail'],
    told: 'postern explain: --mail needs a value',
  },
  {
    says: 'a value is missing before another option',
    words: ['explain', '--mail', '--rcpt', 'a@b.example'],
    told: 'postern explain: --mail needs a value; if that is "--rcpt", write --mail=--rcpt',
  },
  {
    says: 'a value that is none of its own',
    words: ['replay', '--json=yes', '.'],
    told: 'postern replay: --json takes no value',
  },
  {
    says: 'an argument where there is none',
    words: ['start', '2525'],
    told: 'postern start: what is "2525"?',
  },
  {
    says: 'dmarc, too, says what it does not know',
    words: ['dmarc', 'report', '--todya'],
    told: 'postern dmarc: there is no option --todya; did you mean --today?',
  },
  {
    says: 'a command that is not there',
    words: ['chek'],
    told: 'postern: there is no command "chek"; did you mean "check"?',
  },
  {
    says: 'a command like no other',
    words: ['wibble'],
    told: 'postern: there is no command "wibble"; "postern --help" lists them',
  },
  {
    says: 'a message that is not there',
    words: ['explain', '--from', '192.0.2.1', '--message', '/nope'],
    told: 'postern explain: --message /nope: no such file or directory',
  },
  {
    says: 'a message to record that is not there',
    words: ['test', '--record', '--from', '192.0.2.1', '--message', '/nope'],
    told: 'postern test --record: /nope: no such file or directory',
  },
]
for (const { says, words, told } of cases)
  test(`${says}: ${told}`, () => {
    const { status, out, err } = call(...words)
    assert.equal(err.split('\n')[0], told)
    assert.equal(out, '')
    assert.ok(status === 1 || status === 2, String(status))
  })
