/** `${perl`: the subroutines of perl_startup, beside a real Exim, and in sessions of a daemon. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { PerlCall } from '../src/language/expand/doors/doors.ts'
import { createPerl } from '../src/language/expand/doors/perl.ts'
import { eximToCompare } from './support/exim-oracle.ts'
import {
  type StartedServer,
  localUser,
  postern,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const skip = existsSync('/usr/bin/perl') ? false : 'no /usr/bin/perl on this machine'
const folder = temporaryFolder('embedded-perl')
const at = folder.path
after(() => folder.remove())
const code = join(at, 'code.pl')
const startup = `perl_startup = do '${code}'\n`

writeFileSync(
  code,
  String.raw`
our $n = 0;
my $hidden = 'kept';
sub hello { return "hello @_" }
sub hidden { return $hidden }
sub count { return ++$n }
sub nothing { return undef }
sub dies { die "oh no\n" }
sub dies_at { die 'oh no' }
sub expands { my $r = Exim::expand_string($_[0]); return defined $r ? "<$r>" : 'undef' }
sub caught { my $r = eval { Exim::expand_string($_[0]) }; return defined $r ? $r : "caught: $@" }
sub several { return (1, 2, 3) }
sub list { my @a = (4, 5, 6); return @a }
sub logs { Exim::log_write('from perl'); Exim::debug_write("for debugging\n"); warn 'a warning'; warn "w2\n"; return 'logged' }
sub number { return 1.50 }
sub empty { return '' }
sub wide { return "\x{263a}" }
sub latin { return "\xe9" }
sub zero { return "a\0b" }
sub arguments { return scalar(@_) . ':' . join '|', @_ }
sub prints { print "out\n"; return 'printed' }
sub nested { return Exim::expand_string('\${perl{count}}-\${perl{count}}') }
sub reads { my $l = <STDIN>; return defined $l ? $l : 'end' }
sub large { return 'x' x 200000 }
sub same { return $_[0] }
sub system_of { my $t = ` +
    '`/bin/echo hi`' +
    String.raw`; chomp $t; return "$t $?" }
sub ends { exit 3 }
sub sleeps { sleep 1000 }
sub kills { kill 9, $$; sleep 1 }
package Other;
sub greet { return "other @_" }
1;
`.replaceAll('\\${', '${'),
)

const questions = [
  '${perl{hello}}',
  '${perl{hello}{a}{b c}}',
  '${perl{hidden}}',
  '${perl{count}}${perl{count}}',
  '${perl{count}}',
  '${perl{nothing}}',
  '${if def:sender_address{${perl{nothing}}}{no}}',
  '${perl{dies}}',
  '${perl{dies_at}}',
  '${perl{expands}{\\$qualify_domain}}',
  '${perl{expands}{\\${if eq{a\\}{b\\}{c\\}fail\\}}}',
  '${perl{expands}{\\${bogus\\}}}',
  '${perl{expands}{\\${bogus}}',
  '${perl{expands}{\\${perl{dies\\}\\}}}',
  '${perl{expands}{\\${perl{nothing\\}\\}}}',
  '${perl{expands}{\\${perl{hello\\}{\\${perl{hello\\}{x\\}\\}\\}\\}}}',
  '${perl{caught}{\\${bogus\\}}}',
  '${perl{several}} ${perl{list}}',
  '${perl{logs}}',
  '${perl{number}}<${perl{empty}}>',
  '${perl{wide}}${perl{latin}}',
  '${perl{zero}}',
  '${perl{arguments}{1}{2}{3}{4}{5}{6}{7}{8}}',
  '${perl{arguments}{1}{2}{3}{4}{5}{6}{7}{8}{9}}',
  '${perl{arguments}{}{}}',
  '${perl{nobody}}',
  '${perl{}}',
  '${perl}',
  '${perl{hello}{a}{yes}fail}',
  '${perl{hello}',
  '${perl{POSIX::floor}{2.5}}',
  '${perl{Other::greet}{q}}',
  '${perl{main::hello}{q}}',
  '${perl{nested}}',
  '${strlen:${perl{large}}}',
  '${perl{system_of}}',
  '${sg{${perl{same}{a b}}}{ }{-}}',
]

interface Said {
  readonly lines: string
  readonly logged: string
}

function ask(
  configuration: string,
  words: readonly string[],
  temporary: string = at,
): Said & { readonly status: number | null } {
  const file = join(at, 'exim.conf')
  rmSync(join(at, 'mainlog'), { force: true })
  writeFileSync(
    file,
    `spool_directory = ${at}/spool\nlog_file_path = ${at}/%slog\nkeep_environment =\n${configuration}`,
  )
  const { stdout, stderr, status } = spawnSync(process.execPath, [postern, '-C', file, ...words], {
    encoding: 'latin1',
    input: '',
    env: { ...process.env, TMPDIR: temporary },
  })
  assert.deepEqual(sockets(at), [])
  return { lines: stdout, logged: stderr, status }
}

/** Folders for the sockets of Perl. */
const sockets = (temporary: string): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith('postern-perl-'))

const stamps = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /gm

describe('beside Exim', { skip }, () => {
  const settings = `${startup}qualify_domain = here.test\n`
  const exim = eximToCompare(settings)
  test('what subroutines give and do', { skip: exim.skip }, () => {
    const theirs = exim.run(['-be', ...questions])
    const ours = ask(settings, ['-be', ...questions])
    assert.deepEqual(ours.lines.replace(/\n$/, '').split('\n'), theirs.lines)
    assert.deepEqual(
      readFileSync(join(at, 'mainlog'), 'latin1').replaceAll(stamps, '').trimEnd().split('\n'),
      theirs.logged.filter((line) => !line.startsWith('Warning: purging')),
    )
  })

  const starts: readonly (readonly [code: string, flags: readonly string[]])[] = [
    ['syntax error (', []],
    ['syntax error (', ['-ps']],
    ['syntax error (', ['-pd']],
    ["die 'at once'", ['-ps']],
    ["do '/nonexistent/file'", ['-ps']],
    ['our $x = 3; sub hello { return "x is $x" }', ['-ps']],
    ['use strict; my $y = 4; sub hello { return "y is $y" }', []],
    ['use strict; sub hello { return "z is $z" }', []],
  ]
  for (const [text, flags] of starts)
    test(`perl_startup = ${text} ${flags.join(' ')}`, () => {
      const configuration = `perl_startup = ${text}\n`
      const words = [...flags, '-be', '${perl{hello}}']
      const beside = eximToCompare(configuration)
      const ours = ask(configuration, words)
      if (beside.skip === false) {
        const theirs = beside.run(words)
        assert.equal(ours.lines.replace(/\n$/, ''), theirs.lines.join('\n'))
        assert.equal(ours.status, theirs.exitCode)
      }
      assert.doesNotMatch(ours.logged, /unexpected/)
      if (flags.includes('-ps') && text.startsWith('syntax'))
        assert.match(ours.logged, /: error in perl_startup code: Compilation error\n/)
    })

  test('without a folder for its socket', () => {
    const { lines } = ask(startup, ['-be', '${perl{hello}}'], '/nonexistent/folder')
    assert.equal(lines, 'Failed: cannot start Perl: no such file or directory\n')
  })

  test('without perl_startup', () => {
    const { lines } = ask('', ['-be', '${perl{hello}}'])
    assert.equal(lines, 'Failed: A setting of perl_startup is needed when using the Perl interpreter\n')
  })
})

describe('what Perl cannot do', { skip }, () => {
  const call = (name: string, of: object, more: Partial<PerlCall> = {}): PerlCall => ({
    startup: `do '${code}'`,
    taintMode: false,
    atStart: false,
    environment: {},
    name,
    values: [],
    of,
    within: undefined,
    expand: (text) => Promise.resolve({ is: 'value', text }),
    log: () => undefined,
    debug: () => undefined,
    ...more,
  })

  test('end, kill or hold up more than its own state', async () => {
    const perl = createPerl(1000)
    const [one, other] = [{}, {}]
    const value = (text: string) => ({ is: 'value', text })
    assert.deepEqual(await perl(call('count', one)), value('1'))
    assert.deepEqual(await perl(call('count', other)), value('1'))
    assert.deepEqual(await perl(call('count', one)), value('2'))
    for (const name of ['ends', 'kills'])
      assert.deepEqual(await perl(call(name, one)), { is: 'failed', message: 'Perl has ended' })
    assert.deepEqual(await perl(call('count', one)), value('1'))
    const began = Date.now()
    const slow = perl(call('sleeps', one))
    // Others are not held up.
    assert.deepEqual(await perl(call('count', other)), value('2'))
    assert.ok(Date.now() - began < 1000)
    assert.deepEqual(await slow, {
      is: 'failed',
      message: 'Perl subroutine "sleeps" took more than 1 seconds',
    })
    assert.deepEqual(await perl(call('reads', one)), value('end'))
  })

  test('many states at once', async () => {
    const perl = createPerl()
    const found = await Promise.all(
      Array.from({ length: 150 }, async () => {
        const of = {}
        await perl(call('count', of))
        return perl(call('count', of))
      }),
    )
    // Of so many the states of some may have been given up in between.
    assert.ok(
      found.every((each) => each.is === 'value' && /^[12]$/.test(each.text)),
      JSON.stringify(found),
    )
  })

  test('a file of the code that changes is read anew, unless it is that of the start', async () => {
    const changing = join(at, 'changing.pl')
    const perl = createPerl()
    const ask_ = (atStart: boolean) => perl(call('version', {}, { startup: `do '${changing}'`, atStart }))
    for (const atStart of [false, true]) {
      writeFileSync(changing, 'sub version { return 1 } 1;\n')
      assert.deepEqual(await ask_(atStart), { is: 'value', text: '1' })
      writeFileSync(changing, 'sub version { return "two" } 1;\n')
      assert.deepEqual(await ask_(atStart), { is: 'value', text: atStart ? '1' : 'two' })
    }
  })

  test('taint mode is that of Perl', async () => {
    const perl = createPerl()
    const open = { startup: "sub opens { open(my $f, '>', $ENV{PLACE}) ? 'opened' : 'not' }" }
    const place = { environment: { PLACE: '/dev/null', PATH: '/bin' } }
    assert.deepEqual(await perl(call('opens', {}, { ...open, ...place })), { is: 'value', text: 'opened' })
    const refused = await perl(call('opens', {}, { ...open, ...place, taintMode: true }))
    assert.match(refused.is === 'failed' ? refused.message : '', /^Insecure dependency in open/)
  })
})

describe('in a daemon', { skip }, () => {
  let server: StartedServer
  const temporary = join(at, 'daemon')
  before(async () => {
    mkdirSync(join(at, 'mail'))
    spawnSync('chmod', ['777', join(at, 'mail')])
    mkdirSync(temporary)
    spawnSync('chmod', ['777', temporary])
    server = await startServer({
      folder: temporary,
      environment: { TMPDIR: temporary },
      configuration: `${startup}perl_at_start
primary_hostname = mx.test
tls_advertise_hosts =
domainlist local_domains = here.test
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny local_parts = stranger
       message = \${perl{hello}{$local_part}{\${perl{count}}}}
  deny local_parts = dies
       condition = \${perl{dies}}
  deny local_parts = named
       condition = \${perl{$local_part}}
  accept set acl_m_n = \${perl{count}}
data:
  accept add_header = X-Count: $acl_m_n \${perl{expands}{\\$acl_m_n of \\$h_subject:}}
begin routers
all:
  driver = accept
  address_data = \${perl{same}{$local_part}}
  transport = box
begin transports
box:
  driver = appendfile
  file = ${at}/mail/\${perl{same}{$address_data}}.\${perl{count}}
  user = ${localUser}
`,
    })
  })
  after(() => server.stop())

  test('a session has one state; each delivery has its own', async () => {
    for (let round = 0; round < 2; round++) {
      const client = await connectSmtp(server.port)
      await client.say('EHLO c.test')
      await client.say('MAIL FROM:<a@b.test>')
      assert.equal((await client.say('RCPT TO:<stranger@here.test>')).raw, '550 hello stranger 1\r\n')
      assert.equal((await client.say('RCPT TO:<stranger@here.test>')).raw, '550 hello stranger 2\r\n')
      assert.match((await client.say('RCPT TO:<dies@here.test>')).raw, /^451 /)
      assert.match((await client.say('RCPT TO:<named@here.test>')).raw, /^451 /)
      assert.match((await client.say('RCPT TO:<joe@here.test>')).raw, /^250 /)
      await client.say('DATA')
      assert.match((await client.say(`Subject: hi\r\n\r\ntext ${round}\r\n.`)).raw, /^250 /)
      await client.say('QUIT')
    }
    assert.match(server.log('reject'), /temporarily rejected RCPT <dies@here.test>: .*oh no/)
    assert.match(server.log('reject'), /Tainted name 'named' for Perl subroutine not permitted/)
    const box = join(at, 'mail', 'joe.1')
    const both = await until(() => {
      const text = existsSync(box) ? spawnSync('cat', [box], { encoding: 'utf8' }).stdout : ''
      return text.includes('text 0') && text.includes('text 1') ? text : undefined
    }, 20_000)
    assert.equal(both?.match(/^X-Count: 3 <3 of hi>$/gm)?.length, 2, both ?? server.log())
    const boxes = readdirSync(join(at, 'mail')).filter((name) => !name.includes('.lock'))
    assert.deepEqual(boxes, ['joe.1'])
  })

  test('nothing is left when it has ended', async () => {
    assert.equal(sockets(temporary).length, 1)
    await server.stop()
    assert.ok(await until(() => (sockets(temporary).length > 0 ? undefined : true), 10_000))
  })

  test('code that does not compile keeps it from starting, with perl_at_start', () => {
    const { status, logged } = ask('perl_startup = (\nperl_at_start\ndaemon_smtp_ports = 0\n', ['-bdf'])
    assert.equal(status, 1)
    assert.match(logged, /^postern: error in perl_startup code: Compilation error$/m)
  })
})
