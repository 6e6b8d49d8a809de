/** Flags of tiers A and B that no other test calls: each works, or says why not. Source: Exim manual, "The Exim command line". */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('flagtable')
after(() => folder.remove())
chmodSync(folder.path, 0o777)
const root = process.getuid?.() === 0
let count = 0

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A place of its own, with two messages in the queue: one for b, one for c which is frozen. */
function makePlace(): (words: readonly string[], input?: string) => Ran {
  const place = join(folder.path, String(++count))
  mkdirSync(`${place}/mail`, { recursive: true })
  chmodSync(`${place}/mail`, 0o777)
  writeFileSync(
    `${place}/filter`,
    '# Exim filter\nif $local_part is "bob" and $domain is "d.example" then deliver x@y.example endif\n',
  )
  writeFileSync(`${place}/sieve`, 'keep;\n')
  writeFileSync(
    `${place}/exim.conf`,
    `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
acl_smtp_rcpt = accept
begin routers
near:
  driver = accept
  domains = local.example
  transport = box
begin transports
box:
  driver = appendfile
  file = ${place}/mail/box
  ${root ? 'user = mail' : ''}
`,
  )
  return (words, input = '') => {
    const args = words.map((word) => word.replace('PLACE', place))
    const done = spawnSync(postern, ['-C', `${place}/exim.conf`, ...args], {
      encoding: 'latin1',
      input,
      timeout: 60_000,
    })
    return { status: done.status, stdout: done.stdout, stderr: done.stderr }
  }
}

const message = 'Subject: x\n\nhi\n'
const shared = makePlace()
const queue = (...recipients: string[]): void =>
  assert.equal(shared(['-odq', ...recipients], message).status, 0)
queue('b@local.example')
queue('c@local.example')
const ids = shared(['-bpi']).stdout.trim().split('\n')
shared(['-Mf', ids[1] ?? ''])

const cases: readonly {
  flag: string
  words: readonly string[]
  input?: string
  shows: RegExp
  /** In a place of its own. */
  alone?: true
}[] = [
  {
    flag: '-bm',
    words: ['-bm', '-odq', '-v', 'x@local.example'],
    input: message,
    shows: /LOG: MAIN\n {2}<= /,
    alone: true,
  },
  {
    flag: '-odb',
    words: ['-odb', '-v', 'x@nowhere.example'],
    input: message,
    shows: /LOG: MAIN\n {2}<= /,
    alone: true,
  },
  { flag: '-oee', words: ['-oee', '-t'], input: 'To: (none)\n\nx\n', shows: /^$/, alone: true },
  { flag: '-oew', words: ['-oew', '-t'], input: 'To: (none)\n\nx\n', shows: /^$/, alone: true },
  {
    flag: '-oitrue',
    words: ['-oitrue', '-odq', '-v', 'x@local.example'],
    input: 'Subject: x\n\na\n.\nb\n',
    shows: / S=3\d\d/,
    alone: true,
  },
  {
    flag: '-or',
    words: ['-or', '1m', '-odq', '-v', 'x@local.example'],
    input: message,
    shows: /<= /,
    alone: true,
  },
  { flag: '-ov', words: ['-ov', '-odq', 'x@local.example'], input: message, shows: /LOG: MAIN/, alone: true },
  {
    flag: '-oMt, -oMai, -oMas',
    words: [
      '-odq',
      '-v',
      '-oMa',
      '192.0.2.1',
      '-oMt',
      'idt',
      '-oMaa',
      'pl',
      '-oMai',
      'who',
      '-oMas',
      's@x.example',
      'x@local.example',
    ],
    input: message,
    shows: root ? /\[192\.0\.2\.1\] U=idt .*A=pl:who/ : /U=/,
    alone: true,
  },
  { flag: '-bpr', words: ['-bpr'], shows: /b@local\.example[\s\S]*c@local\.example/ },
  { flag: '-bpra', words: ['-bpra'], shows: /b@local\.example[\s\S]*c@local\.example/ },
  { flag: '-bpru', words: ['-bpru'], shows: /b@local\.example[\s\S]*c@local\.example/ },
  { flag: '-bpri', words: ['-bpri'], shows: /^(?:\S{23}\n){2}$/ },
  {
    flag: '-bf with -bfd, -bfl, -bfp, -bfs',
    words: ['-bf', 'PLACE/filter', '-bfd', 'd.example', '-bfl', 'bob', '-bfp', 'pre-', '-bfs', '-suf'],
    input: message,
    shows: /Deliver message to: x@y\.example/i,
  },
  { flag: '-bF', words: ['-bF', 'PLACE/filter'], input: message, shows: /Filter/i },
  { flag: '-bI:sieve', words: ['-bI:sieve'], shows: /fileinto/ },
  {
    flag: '-bhc',
    words: ['-bhc', '192.0.2.9'],
    input: 'EHLO x\r\nQUIT\r\n',
    shows: /SMTP testing session as if from host 192\.0\.2\.9[\s\S]*^221 /m,
  },
]
for (const { flag, words, input = '', shows, alone } of cases) {
  test(`${flag} works`, () => {
    const done = (alone === true ? makePlace() : shared)(words, input)
    assert.match(done.stdout + done.stderr, shows)
    assert.doesNotMatch(done.stderr, /unknown|not work|^\s+at /m)
  })
}

test('-oee ends with 0 when an error was reported by mail, -oew with 1', () => {
  assert.equal(makePlace()(['-oee', '-t'], 'To: (none)\n\nx\n').status, 0)
  assert.equal(makePlace()(['-oew', '-t'], 'To: (none)\n\nx\n').status, 1)
})

test('-Mmad marks all recipients as delivered, -Mc delivers, -S and -qS choose by sender', () => {
  const say = makePlace()
  say(['-odq', '-f', 'one@s.example', 'b@local.example'], message)
  say(['-odq', '-f', 'two@s.example', 'c@local.example'], message)
  say(['-odq', '-f', 'three@s.example', 'd@local.example'], message)
  const left = (): number => Number(say(['-bpc']).stdout)
  const [first = ''] = say(['-bpi']).stdout.trim().split('\n')
  if (!root) return
  assert.equal(left(), 3)
  assert.match(say(['-Mmad', first]).stdout, new RegExp(`Message ${first} `))
  assert.equal(say(['-Mc', first]).status, 0)
  assert.equal(left(), 2)
  say(['-S', 'two@s.example'])
  assert.equal(left(), 1)
  say(['-qS', 'three@s.example'])
  assert.equal(left(), 0)
})
