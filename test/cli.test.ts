/** The command line of the real program: its names, modes, words and exit codes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('cli')
const root = process.getuid?.() === 0
const file = (name: string, text: string): string => {
  const path = join(folder.path, name)
  writeFileSync(path, text)
  return path
}
const configuration = file(
  'exim.conf',
  `spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/log/%slog
primary_hostname = mail.example
qualify_domain = local.example
hide admin_groups = 4711
domainlist local_domains = local.example : other.example
begin routers
people:
  driver = accept
  domains = +local_domains
  local_parts = alice : bob
  transport = file
begin transports
file:
  driver = appendfile
  directory = ${folder.path}/mail
  maildir_format
begin retry
*@local.example quota_3d F,1h,15m
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
begin rewrite
*@old.example $1@new.example
`,
)
for (const name of ['exim', 'mailq', 'sendmail']) symlinkSync(postern, join(folder.path, name))
after(() => folder.remove())

interface Done {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}
function call(
  words: readonly string[],
  options: { as?: string; input?: string; config?: string | null } = {},
): Done {
  const program = options.as === undefined ? postern : join(folder.path, options.as)
  const config = options.config === null ? [] : ['-C', options.config ?? configuration]
  return spawnSync(program, [...config, ...words], {
    encoding: 'latin1',
    input: options.input ?? '',
    timeout: 60_000,
  })
}

test('-D: a macro is defined once, and its name begins with a capital letter', () => {
  const { status, stdout } = call(['-DNAME=x y', '-bP', 'macro', 'NAME'])
  assert.deepEqual([status, stdout], [0, 'NAME=x y\n'])
  assert.match(call(['-DNAME=x', '-DNAME=y', '-bV']).stderr, /^postern: duplicated -D in command line\n/)
  assert.match(
    call(['-Dname=x', '-bV']).stderr,
    /^postern: a macro of -D must begin with an upper case letter/,
  )
})

for (const [setting, says, column] of [
  ['never_users = root : ${lc:NOSUCH}', 'user nosuch was not found', 15],
  [
    'trusted_users = ${lookup{x}nosuch{/y}}',
    'failed to expand trusted_users: unknown lookup type "nosuch"',
    17,
  ],
  ['admin_groups = ${if', 'failed to expand admin_groups: condition name expected, but found ""', 16],
  ['localhost_number = ${eval:8+9}', 'localhost_number value is not a number from 0 to 16: 17', 20],
] as const)
  test(`what is needed before anything runs is found out at the start: ${setting}`, () => {
    const name = file('start.conf', `spool_directory = ${folder.path}/spool\n${setting}\n`)
    const { status, stderr } = call(['-bV'], { config: name })
    assert.equal(status, 1)
    assert.match(stderr, /Exim configuration error in line 2 of /)
    assert.ok(stderr.includes(`  ${says}\n`) && stderr.includes(`${name}:2:${column}: error: `), stderr)
  })

test('G2: -bV says what is supported, in Exim’s lines', () => {
  const { status, stdout } = call(['-bV'])
  assert.equal(status, 0)
  assert.match(stdout, /^Postern version \d+\.\d+\.\d+ \(Exim 4\.99 configurations\)\n/)
  assert.match(stdout, /^Support for: .*\bIPv6\b/m)
  assert.match(stdout, /^Lookups \(built-in\): .*\blsearch\b/m)
  assert.match(stdout, /^Authenticators:/m)
  assert.match(stdout, /^Routers: accept dnslookup /m)
  assert.match(stdout, /^Transports: appendfile\/maildir\/mailstore .* smtp$/m)
  assert.match(stdout, /^Malware: avast clamd cmdline f-prot6d sock sophie$/m)
  assert.match(stdout, /^Fixed never_users: 0$/m)
  assert.match(
    stdout,
    /^Configuration file search path is \/etc\/postern\/postern\.conf:\/etc\/exim4\/exim4\.conf:/m,
  )
  assert.match(stdout, new RegExp(`^Configuration file is ${configuration}$`, 'm'))
})

test('called as exim, -bV begins as Exim’s', {
  skip: process.env.POSTERN_TEST_PROGRAM !== undefined && 'needs bin/postern',
}, () => {
  assert.match(call(['-bV'], { as: 'exim' }).stdout, /^Exim version 4\.99 \(Postern \d+\.\d+\.\d+\)\n/)
})

test('a configuration that cannot be used ends -bV with 1, the place and no stack trace', () => {
  const bad = file('bad.conf', 'primary_hostname = x\nqualify_domian = y\n')
  const { status, stderr } = call(['-bV'], { config: bad })
  assert.equal(status, 1)
  assert.match(
    stderr,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Exim configuration error in line 2 of .*bad\.conf:\n {2}main option "qualify_domian" unknown\n/,
  )
  assert.match(stderr, /\n2 \| qualify_domian = y\n {2}\| \^{14}\n/)
  assert.match(stderr, /did you mean "?qualify_domain/)
  assert.doesNotMatch(stderr, /\n {4}at /)
})

test('a configuration that is not there', () => {
  const { status, stderr } = call(['-bV'], { config: '/nonexistent' })
  assert.equal(status, 1)
  assert.match(stderr, /non-existent configuration file\(s\): \/nonexistent\n$/)
})

test('-C takes the first file of a list that exists; -D defines a macro', () => {
  const macro = file(
    'macro.conf',
    `.ifdef NAME\nprimary_hostname = NAME\n.endif\nspool_directory = ${folder.path}/spool\n`,
  )
  assert.equal(
    call(['-DNAME=one.example', '-bP', '-n', 'primary_hostname'], { config: `/nonexistent:${macro}` }).stdout,
    'one.example\n',
  )
})

const prints = [
  { words: ['-bP', 'qualify_domain'], stdout: 'qualify_domain = local.example\n' },
  { words: ['-bP', '-n', 'qualify_domain'], stdout: 'local.example\n' },
  { words: ['-bP', '+local_domains'], stdout: 'domainlist local_domains = local.example : other.example\n' },
  { words: ['-bP', 'router_list'], stdout: 'people\n' },
  { words: ['-bP', 'transport_list'], stdout: 'file\n' },
]
for (const { words, stdout } of prints) {
  test(words.join(' '), () => assert.deepEqual([call(words).status, call(words).stdout], [0, stdout]))
}

test('-bP of a name that does not exist ends with 1', () => {
  const done = call(['-bP', 'no_such_option'])
  assert.equal(done.status, 1)
  assert.match(done.stdout + done.stderr, /no_such_option is not a known option/)
})

test('-be expands arguments, one line each', () => {
  const done = call(['-be', '$primary_hostname', '${lc:ABC}', '${if eq{a}{b}{x}fail}', '${lc:x'])
  assert.equal(
    done.stdout,
    'mail.example\nabc\nFailed: "if" failed and "fail" requested\nFailed: missing } at end of string\n',
  )
  assert.equal(done.status, 0)
})

test('-be without arguments reads lines, with macros and continuations', () => {
  const input = '$qualify_domain\n${lc:ABC\\\n   DEF}\nFOO=bar\nx FOO\nset acl_m_a = 17\n$acl_m_a\n'
  assert.equal(
    call(['-be'], { input }).stdout,
    "> local.example\n> abcdef\n> Defined macro 'FOO'\n> x bar\n> > 17\n> \n",
  )
})

test('expansions are tested with the sender of -f, else of who runs them', () => {
  const text = '$sender_address ${if def:authenticated_id{known}}'
  assert.equal(call(['-f', 'u@x.example', '-be', text]).stdout, 'u@x.example known\n')
  assert.equal(call(['-f', '<>', '-be', text]).stdout, ' known\n')
  assert.match(call(['-be', text]).stdout, /^[^@]+@\S+ known\n$/)
})

test('-be -Mset lets expansions see a message of the queue', () => {
  const sent = call(['-odq', '-f', 'a@b.example', 'q@w.example'], {
    input: 'Subject: hi\n\nqueued text\n',
  })
  assert.equal(sent.status, 0, sent.stderr)
  const id = /^\s*\S+\s+\S+\s+(\S+)/.exec(call(['-bpr']).stdout)?.[1] ?? ''
  const { stdout } = call([
    '-be',
    '-Mset',
    id,
    '$message_id|$sender_address|$h_subject:|$message_body|$recipients',
  ])
  assert.equal(stdout, `${id}|a@b.example|hi|queued text |q@w.example\n`)
  assert.equal(
    call(['-be', '-Mset', '1xXlUL-000000001f8-0000', 'goes on']).stdout,
    'Failed to load message 1xXlUL-000000001f8-0000\ngoes on\n',
  )
  const wrong = call(['-be', '-Mset', 'x', 'y'])
  assert.match(wrong.stderr, /malformed message id x after -Mset option/)
  assert.equal(wrong.status, 1)
  assert.equal(call(['-Mrm', id]).status, 0)
})

test('-bem lets expansions see a message', () => {
  const message = file(
    'message',
    'From: a@b.example\nTo: q@w.example, z@z.example\nSubject: hi\n\nbody text\n',
  )
  assert.equal(call(['-bem', message, '$h_subject:|$message_body|$recipients']).stdout, 'hi|body text |\n')
  assert.equal(call(['-t', '-bem', message, '$recipients']).stdout, 'q@w.example, z@z.example\n')
})

test('-bt and -bv: lines and exit codes', () => {
  const good = call(['-bt', 'alice@local.example'])
  assert.deepEqual(
    [good.status, good.stdout],
    [0, 'alice@local.example\n  router = people, transport = file\n'],
  )
  const bad = call(['-bt', 'alice@local.example', 'nobody@local.example'])
  assert.equal(bad.status, 2)
  assert.match(bad.stdout, /^nobody@local\.example is undeliverable: Unrouteable address$/m)
  assert.equal(call(['-bv', 'bob@other.example']).stdout, 'bob@other.example verified\n')
  assert.equal(call(['-bv', 'nobody@other.example']).status, 2)
  assert.equal(
    call(['-bt'], { input: 'alice\n' }).stdout,
    '> alice@local.example\n  router = people, transport = file\n> \n',
  )
})

test('-brt and -brw', () => {
  assert.equal(
    call(['-brt', 'a@local.example', 'quota_3d']).stdout,
    'Retry rule: *@local.example  quota_3d  F,1h,15m; \n',
  )
  assert.equal(call(['-brt', 'c.example']).stdout, 'Retry rule: *  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h; \n')
  assert.deepEqual(
    [call(['-brt']).status, call(['-brt']).stderr],
    [1, '-brt needs a domain or address argument\n'],
  )
  assert.match(call(['-brt', 'c.example', 'zork']).stderr, /^unknown or malformed retry error "zork"\n$/)
  assert.match(
    call(['-brw', 'a@old.example']).stdout,
    /^ {2}sender: a@new\.example\n {4}from: a@new\.example\n(?:.*\n){5} {2}env-to: a@new\.example\n$/,
  )
})

test('-bh plays a session, logs to standard error, and keeps nothing', () => {
  const done = call(['-bh', '192.0.2.7'], { input: 'HELO x\r\nQUIT\r\n' })
  assert.match(done.stdout, /^\n\*\*\*\* SMTP testing session as if from host 192\.0\.2\.7\n/)
  assert.match(
    done.stdout,
    /\n250 mail\.example Hello x \[192\.0\.2\.7\]\r\n221 mail\.example closing connection\r\n$/,
  )
  assert.match(call(['-bh', '1.2.3']).stderr, /"1\.2\.3" is not an IP address\n$/)
})

test('-bs speaks SMTP on standard input and output', () => {
  assert.match(
    call(['-bs'], { input: 'QUIT\r\n' }).stdout,
    /^220 mail\.example ESMTP .*\r\n221 mail\.example closing connection\r\n$/,
  )
})

test('sendmail style: the message goes into the queue; the exit code says so', () => {
  const done = call(['-odq', '-i', '-f', 'bob@local.example', 'alice@local.example'], {
    input: 'Subject: x\n\nhello\n.\nmore\n',
  })
  assert.deepEqual([done.status, done.stderr], [0, ''])
  const id = call(['-bpi']).stdout.trim()
  assert.match(call(['-Mvc', id]).stdout, /^From: /m)
  assert.match(call(['-Mvb', id]).stdout, /\nhello\n\.\nmore\n$/)
  assert.match(
    call([], { as: 'mailq', config: configuration }).stdout + call(['-bp']).stdout,
    new RegExp(`${id} <bob@local\\.example>\\n`),
  )
  assert.equal(call(['-Mrm', id]).status, 0)
})

test('an address that is none is refused before anything is queued', () => {
  const done = call(['-odq', '-oep', 'a@@b'], { input: 'Subject: x\n\nhello\n' })
  assert.equal(done.status, 1)
  assert.match(done.stderr, /bad recipient address "a@@b"/)
  assert.equal(call(['-bpc']).stdout, '0\n')
})

test('without anything to do: a short text and exit code 1', () => {
  assert.equal(call([], { config: null }).status, 1)
  assert.match(call(['--help'], { config: null }).stdout, /^Postern is a mail transfer agent/)
})

test('postern check tells every mistake at once and counts them', () => {
  const bad = file(
    'check.conf',
    'qualify_domian = a\nsmtp_accept_max = many\nprimary_hostname = ok.example\n',
  )
  const done = spawnSync(postern, ['check', bad], { encoding: 'utf8' })
  assert.equal(done.status, 1)
  assert.match(done.stdout, /check\.conf:1:1: error: main option "qualify_domian" unknown/)
  assert.match(done.stdout, /check\.conf:2:\d+: error: /)
  assert.match(done.stdout, /check\.conf: 2 errors, no warnings\n$/)
  const good = file('good.conf', 'primary_hostname = ok.example\n')
  assert.equal(spawnSync(postern, ['check', good], { encoding: 'utf8' }).status, 0)
})

test('postern spool export writes Exim’s files, import takes them', () => {
  call(['-odq', '-i', 'alice@local.example'], { input: 'Subject: x\n\nhello\n' })
  const target = join(folder.path, 'exported')
  mkdirSync(target, { mode: 0o777 })
  spawnSync('chmod', ['777', target])
  const out = spawnSync(postern, ['spool', 'export', target, '-C', configuration], { encoding: 'utf8' })
  assert.deepEqual([out.status, out.stdout], [0, '1 message written\n'], out.stderr)
  const id = call(['-bpi']).stdout.trim()
  call(['-Mrm', id])
  const back = spawnSync(postern, ['spool', 'import', target, '-C', configuration], { encoding: 'utf8' })
  assert.deepEqual([back.status, back.stdout], [0, '1 message taken over\n'], back.stderr)
  assert.equal(call(['-bpi']).stdout.trim(), id)
  call(['-Mrm', id])
})

test('who is no admin: permission denied', { skip: !root && 'needs root, to call as somebody else' }, () => {
  for (const words of [['-bp'], ['-Mrm', '1xVgYm-0003YL-0F'], ['-bd'], ['-q']]) {
    const done = spawnSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', postern, '-C', configuration, ...words],
      {
        encoding: 'utf8',
      },
    )
    assert.equal(done.status, 1)
    assert.match(done.stderr, /: permission denied\n$/)
  }
})

test('an empty configuration is one: /dev/null', () => {
  const done = call(['-be', '$version_number'], { config: '/dev/null' })
  assert.deepEqual([done.status, done.stdout, done.stderr], [0, '4.99\n', ''])
})

test('-d takes categories; one that is none is refused in Exim’s words', () => {
  const routed = call(['-d-all+route', '-bt', 'alice@local.example'])
  assert.deepEqual(
    [routed.status, routed.stderr],
    [0, '--------> people router <--------\npeople router: assign\n'],
  )
  const wrong = call(['-d+nonsense', '-be', 'x'])
  assert.equal(wrong.status, 1)
  assert.match(wrong.stderr, /: unknown debug_selector setting: \+nonsense\n$/)
})

test('-Mvl begins with where the message came from', () => {
  call(['-odq', '-oMr', 'uucp', '-f', 'bob@local.example', 'alice@local.example'], {
    input: `Subject: x\nX-Long: ${'a'.repeat(1200)}\n\nhello\n`,
  })
  const id = call(['-bpi']).stdout.trim()
  assert.match(
    call(['-Mvl', id]).stdout,
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Received from bob@local\.example U=\S+ P=(?:uucp|local) S=\d+\n$/,
  )
  // Debian's data ACL refuses lines that are too long by this number; headers count.
  assert.match(call(['-Mvh', id]).stdout, /^-max_received_linelength 1208$/m)
  assert.equal(call(['-Mrm', id]).status, 0)
})

test('-G leaves the headers as they are', () => {
  call(['-G', '-odq', 'alice@local.example'], { input: 'Subject: x\n\nhello\n' })
  const id = call(['-bpi']).stdout.trim()
  assert.match(call(['-Mvc', id]).stdout, /^Received: [^\n]*\n(?:\t[^\n]*\n)*Subject: x\n\nhello\n$/)
  assert.equal(call(['-Mrm', id]).status, 0)
})

test('-bS tells programs on standard output, people on standard error', () => {
  const done = call(['-bS'], { input: 'FOO\n' })
  assert.deepEqual(
    [done.status, done.stdout],
    [2, '500 Command unrecognized\nTransaction started in line 0\nError detected in line 1\nFOO\n'],
  )
  assert.match(done.stderr, /^An error was detected while processing a file of BSMTP input\.\n/)
})

test('a domain literal on the command line is an address', () => {
  assert.equal(call(['-odq', 'alice@[192.0.2.1]'], { input: 'Subject: x\n\nhello\n' }).status, 0)
  const id = call(['-bpi']).stdout.trim()
  assert.equal(call(['-Mrm', id]).status, 0)
})

test('$initial_cwd, $queue_name and $queue_size have values', () => {
  assert.equal(
    call(['-be', '[$initial_cwd] [$queue_name] [$queue_size]']).stdout,
    `[${process.cwd()}] [] []\n`,
  )
})
