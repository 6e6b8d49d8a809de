/** The programs that come with Exim, under their old names, held against Debian's own on the same mail. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { libraryPath } from './support/debian.ts'
import { freePort, postern, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
/** Where the fetched package lies; its tools stand in usr/sbin. */
const root = dirname(exim)
const debian = (name: string): string =>
  existsSync(join(root, 'usr/sbin', name)) ? join(root, 'usr/sbin', name) : join(root, name)
const skip = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to start Exim with a configuration of its own'
    : false

interface Said {
  readonly out: string
  readonly code: number | null
}

function call(program: string, args: readonly string[], input = ''): Said {
  const done = spawnSync(program, args, {
    input,
    encoding: 'latin1',
    timeout: 60_000,
    env: { ...process.env, LC_ALL: 'C' },
  })
  return { out: done.stdout + done.stderr, code: done.status }
}

const folder = temporaryFolder('tools')
const bin = join(folder.path, 'bin')
mkdirSync(bin)
const own = (name: string): string => {
  const link = join(bin, name)
  if (!existsSync(link)) symlinkSync(postern, link)
  return link
}
after(() => folder.remove())

const listing = `25m  2.9K 0t5C6f-0000c8-00 <alice@wonderland.fict.example>
          red.king@looking-glass.fict.example
          q@big.example

 3h   98K 0t5C6f-0000c8-01 <bob@x.example>
        D w@big.example
          v@big.example

12d  9.9M 0t5C6f-0000c8-02 <> *** frozen ***
          v@small.example
          w@small.example

91m  9.7K 0t5C6f-0000c8-03 <carol@x.example>
          v@BIG.example

`

describe('exiqsumm', () => {
  test('the form of the manual', () => {
    const said = call(own('exiqsumm'), [], listing)
    assert.equal(said.code, 0)
    assert.match(said.out, /^\nCount {2}Volume {2}Oldest {2}Newest {2}Domain\n/)
    assert.match(said.out, /\n {4}1 {4}2969 {5}25m {5}25m {2}looking-glass\.fict\.example\n/)
  })
  for (const flags of [[], ['-a'], ['-c'], ['-b'], ['-f'], ['-s'], ['-b', '-s']]) {
    test(`as Debian's: ${flags.join(' ')}`, { skip }, () => {
      assert.deepEqual(
        call(own('exiqsumm'), flags, listing),
        call('perl', [debian('exiqsumm'), ...flags], listing),
      )
    })
  }
})

const configuration = (spool: string, port: number, more: string): string => `
spool_directory = ${spool}/spool
log_file_path = ${spool}/log/%slog
primary_hostname = mta.example
qualify_domain = mta.example
${more}
acl_not_smtp = ok
begin acl
ok:
  accept
begin routers
defer:
  driver = redirect
  domains = defer.test
  allow_defer
  data = :defer: not now
local:
  driver = accept
  domains = local.test
  transport = box
from_one:
  driver = manualroute
  route_list = one.test 127.66.0.8
  self = send
  transport = out_from
remote:
  driver = manualroute
  route_list = *.test 127.66.0.9
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  file = /etc/nothing/here
  create_file = anywhere
  user = 65534
  group = 65534
out:
  driver = smtp
  port = ${port}
out_from:
  driver = smtp
  port = ${port}
  interface = 127.0.0.1
begin retry
* * F,1h,15m; G,4d,1h,2
`

/** Puts messages into a queue and runs it once: all are deferred, one is frozen. */
async function fill(program: string, name: string, port: number, more = ''): Promise<string> {
  const place = join(folder.path, name)
  for (const each of ['', 'spool', 'log']) {
    mkdirSync(join(place, each), { recursive: true })
    chmodSync(join(place, each), 0o777)
  }
  const file = join(place, 'conf')
  writeFileSync(file, configuration(place, port, more))
  const run = async (args: readonly string[], input: string): Promise<void> => {
    const child = spawn(program, ['-C', file, ...args], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end(input)
    await new Promise<void>((resolve) => child.once('close', () => resolve()))
  }
  for (const [from, ...to] of [
    ['s@from.example', 'a@x.test'],
    ['s@from.example', 'b@defer.test'],
    ['t@elsewhere.example', 'c@x.test', 'd@y.test'],
    ['', 'z@x.test'],
    ['s@from.example', 'e@one.test'],
  ] as const) {
    await run(['-odq', '-f', from === '' ? '<>' : from, ...to], 'Subject: x\n\nhi\n')
  }
  await run(['-q'], '')
  const frozen = /(\S+) <>/.exec(call(program, ['-C', file, '-bp']).out)?.[1] ?? ''
  await run(['-Mf', frozen], '')
  return place
}

/** Without times, ids and what differs from one queue to another. */
function plain(text: string): string {
  return text
    .replaceAll(/\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d/g, 'TIME')
    .replaceAll(/\b\w{6}-\w{6,11}-\w{2,4}\b/g, 'ID')
    .replaceAll(/^ ?\d+m +[\d.]+K? /gm, 'AGE SIZE ')
    .split('\n')
    .filter((line) => !/lost privilege|LOG:/.test(line))
    .join('\n')
}

describe('programs for the queue and for hints', { skip }, () => {
  let port = 0
  let ours = ''
  let theirs = ''
  before(async () => {
    port = await freePort()
    ours = await fill(postern, 'postern', port)
    theirs = await fill(exim, 'exim', port, `exim_path = ${exim}\nkeep_environment =`)
    process.env.LD_LIBRARY_PATH = libraryPath(root)
  })
  const pairs = (text: string): string[] =>
    text
      .split(/\n(?= {2}\S)/)
      .map((each) => each.trimEnd())
      .sort()

  for (const flags of [[], ['-k'], ['-z']]) {
    test(`exim_dumpdb ${flags.join(' ')} retry`, () => {
      const found = call(own('exim_dumpdb'), [...flags, `${ours}/spool`, 'retry'])
      const expected = call(debian('exim_dumpdb'), [...flags, `${theirs}/spool`, 'retry'])
      assert.deepEqual(pairs(plain(found.out)), pairs(plain(expected.out)))
      assert.equal(found.code, expected.code)
    })
  }
  for (const name of ['exim_dumpdb', 'exim_fixdb', 'exim_tidydb']) {
    test(`${name} without its arguments tells how it is used`, () => {
      const found = call(own(name), ['/nowhere', 'unknown'])
      assert.deepEqual(found, call(debian(name), ['/nowhere', 'unknown']))
    })
  }
  test('exim_fixdb changes a record', () => {
    const dialogue = [`T:127.66.0.9:127.66.0.9:${port}`, '4 301201:1000', '5 yes', 'x', ''].join('\n')
    const said = [
      call(own('exim_fixdb'), [`${ours}/spool`, 'retry'], dialogue),
      call(debian('exim_fixdb'), [`${theirs}/spool`, 'retry'], dialogue),
    ].map(({ out, code }) => ({ out: plain(out).replace(/^Modifying.*\n/, ''), code }))
    assert.deepEqual(said[0], said[1])
    assert.match(call(own('exim_dumpdb'), [`${ours}/spool`, 'retry']).out, /01-Dec-2030 10:00:00 \*/)
  })
  for (const subject of [
    'x.test',
    'a@x.test',
    'y.test',
    'defer.test',
    '127.66.0.9',
    'e@one.test',
    'b@defer.test',
    'nothing',
  ]) {
    test(`exinext ${subject}`, () => {
      const found = call(own('exinext'), ['-C', `${ours}/conf`, subject])
      assert.equal(found.code, 0)
      assert.match(
        plain(found.out),
        subject === 'nothing'
          ? /No retry data found for nothing/
          : subject.includes('defer.test')
            ? /cannot be resolved at this time: not now\nNo remote hosts found for \S+\n(?:Route: defer\.test error -1: not now\n {2}first failed: TIME\n {2}last tried: {3}TIME\n {2}next try at: {2}TIME\n)/
            : subject === 'e@one.test'
              ? /Transport: 127\.66\.0\.8 \[127\.66\.0\.8\]:\d+\/127\.0\.0\.1 error 111: Connection refused\n {2}first failed: TIME\n/
              : /Transport: 127\.66\.0\.9 \[127\.66\.0\.9\]:\d+ error 111: Connection refused\n {2}first failed: TIME\n {2}last tried: {3}TIME\n {2}next try at: {2}TIME\n {2}past final cutoff time\n$/,
      )
    })
  }
  for (const flags of [
    '-c',
    '-c -f from',
    '-b -r x.test',
    '-l -z',
    '-b -x',
    '-f ^<>',
    '-b -s ^[23]',
    '-c -y 1000',
    '-c -o 1000',
    '-b -a -f FROM',
    '-R -i',
    '-h',
  ]) {
    test(`exiqgrep ${flags}`, () => {
      const args = flags.split(' ')
      const expected = call('perl', [debian('exiqgrep'), '-C', `${theirs}/conf`, '-E', exim, ...args])
      const found = call(own('exiqgrep'), ['-C', `${ours}/conf`, ...args])
      const blocks = (text: string): string[] =>
        plain(text)
          .replace(/\t-E.*\n/, '')
          .split(args.includes('-b') ? '\n' : '\n\n')
          .sort()
      assert.deepEqual(blocks(found.out), blocks(expected.out))
    })
  }
  for (const flags of [
    '',
    '-i',
    '-bpc',
    '-c',
    '-x',
    '-z',
    '-b -f from',
    '--flatq',
    '-bpc -r x.test',
    '-i --not -z',
    '-bpc $sender_address_=_FROM',
    '-bpc $message_size_>_100 $message_age_<_1h',
    '-bpc --or $deliver_freeze $recipients_=~_/y.test/',
    '-bpc !$deliver_freeze',
    '-bpc $sender_address_eq_s@from.example',
  ]) {
    test(`exipick ${flags}`, () => {
      const args =
        flags === ''
          ? []
          : flags.split(' ').map((arg) => arg.replaceAll('_=_', ' = ').replaceAll(/_(>|<|=~|eq)_/g, ' $1 '))
      const expected = call('perl', [debian('exipick'), '--spool', `${theirs}/spool`, ...args])
      const found = call(own('exipick'), ['-C', `${ours}/conf`, ...args])
      const words = (text: string): string[] => plain(text).split(/\s+/).sort()
      assert.deepEqual(words(found.out), words(expected.out))
    })
  }
  test('exim_tidydb removes what is old, and what is about messages that are gone', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const lines = (text: string): string[] =>
      text
        .replaceAll(/^Tidying Exim.*$/gm, '')
        .split('\n')
        .sort()
    const found = call(own('exim_tidydb'), ['-t', '1s', `${ours}/spool`, 'retry'])
    const expected = call(debian('exim_tidydb'), ['-t', '1s', `${theirs}/spool`, 'retry'])
    assert.deepEqual(lines(found.out), lines(expected.out))
    assert.match(found.out, /deleted R:defer\.test \(too old\)/)
    assert.equal(call(own('exim_dumpdb'), [`${ours}/spool`, 'retry']).out, '')
  })
})

test('exiwhat shows what each process is doing', async () => {
  const place = temporaryFolder('exiwhat')
  const server = await startServer({ folder: place.path, configuration: 'primary_hostname = mta.example\n' })
  try {
    const client = await connectSmtp(server.port)
    const said = call(own('exiwhat'), ['-C', server.configurationFile])
    assert.equal(said.code, 0, said.out)
    assert.match(said.out, /^ *\d+ daemon\([^)]*\): -q1m, listening for SMTP on \[127\.0\.0\.1\]:\d+/m)
    client.end()
  } finally {
    await server.stop()
    place.remove()
  }
})
