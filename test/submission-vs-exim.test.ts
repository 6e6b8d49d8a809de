/** What becomes of a message given on standard input, and what -Mvh and -bP show, beside a real Exim. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchExim } from './support/debian.ts'
import { postern, temporaryFolder } from './support/server.ts'

const exim = fetchExim()
const eximPath = 'path' in exim ? exim.path : ''
const skip =
  'missing' in exim
    ? exim.missing
    : process.getuid?.() === 0
      ? false
      : 'Exim gives up its rights for a file given with -C unless root calls it'

const folder = temporaryFolder('submission')
after(() => folder.remove())
let count = 0

/** The program that is asked; it calls itself by this path. */
let program = ''
const head = (place: string, more: string): string => `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
exim_path = ${program}
tls_advertise_hosts =
acl_smtp_rcpt = accept
${more}
`

interface Said {
  readonly status: number | null
  readonly output: string
}

/** Runs both with a place of their own. */
function both(
  configuration: (place: string) => string,
  work: (say: (args: readonly string[], input?: string) => Said, place: string) => string,
): readonly [exim: string, postern: string] {
  const one = (path: string): string => {
    program = path
    const place = join(folder.path, String(++count))
    for (const name of ['', '/log']) mkdirSync(`${place}${name}`, { recursive: true })
    // Exim writes its log as its own user.
    if (program === eximPath) {
      mkdirSync(`${place}/spool`)
      chmodSync(`${place}/spool`, 0o777)
      chmodSync(`${place}/log`, 0o777)
    }
    const file = `${place}/exim.conf`
    writeFileSync(file, configuration(place))
    const say = (args: readonly string[], input: string = ''): Said => {
      const done = spawnSync(program, ['-C', file, ...args], {
        encoding: 'latin1',
        input,
        cwd: '/',
        timeout: 60_000,
      })
      return { status: done.status, output: done.stdout }
    }
    return work(say, place)
  }
  return [one(eximPath), one(postern)]
}

const idForm = /\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b/g

/** Ids, times, names of the program and of its user are not those of the other. */
function alike(text: string): string {
  return text
    .replaceAll(/<E(?=\d)/g, '<E ')
    .replaceAll(idForm, 'ID')
    .replaceAll(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [-+]\d{4}/g, 'DATE')
    .replaceAll(/\((?:Exim|Postern) [\d.]+\)/g, '(PROGRAM)')
    .replaceAll(/^\d{3}([A-Z* ]) /gm, 'NNN$1 ')
    .replaceAll(/^-received_time_(usec|complete) .*$/gm, '-received_time_$1')
    .replaceAll(/^\d{10} \d$/gm, 'TIME 0')
    .replaceAll(/^-tls_resumption A\n/gm, '')
    .replaceAll(/^(?:Debian-exim|postern|mail) \d+ \d+$/gm, 'USER')
    .replaceAll(/(from|-ident) (?:Debian-exim|postern|mail)\b/g, '$1 USER')
}

const messages: readonly { says: string; args?: readonly string[]; text: string }[] = [
  { says: 'a plain message', text: 'To: b@local.example\nSubject: x\n\nb\n' },
  { says: 'To: with nothing but a comment', text: 'To: (none)\nCc: b@local.example\n\nb\n' },
  { says: 'an empty group', text: 'To: undisclosed:;\nBcc: b@local.example\n\nb\n' },
  { says: '-bnq', args: ['-bnq'], text: 'To: b@local.example\n\nb\n' },
  { says: 'another sender', args: ['-f', 'other@x.example'], text: 'To: b@local.example\n\nb\n' },
  { says: 'From: with the login', args: ['-F', 'Full Name'], text: 'From: ROOT\nTo: b\n\nb\n' },
  { says: 'Resent-To: alone', text: 'Resent-To: b\nFrom: a@b.example\n\nb\n' },
  {
    says: 'Resent-From: with the login goes last',
    text: 'Resent-From: root\nResent-Sender: root\nResent-To: b\nFrom: a@b.example\nTo: u@v.example\n\nb\n',
  },
  {
    says: 'a login in From: of a message sent again is only qualified',
    text: 'Resent-From: Me <root>\nResent-To: b\nFrom: ROOT\n\nb\n',
  },
  { says: 'a host given with -oMa', args: ['-oMa', '192.0.2.4'], text: 'To: b@local.example\n\nb\n' },
]
for (const { says, args = [], text } of messages) {
  test(`-t: ${says}: the headers, and -Mvh, are Exim's`, { skip }, () => {
    const [theirs, ours] = both(
      (place) => head(place, 'queue_only'),
      (say, place) => {
        const done = say([...args, '-t'], text)
        const id = idForm.exec(readFileSync(`${place}/log/mainlog`, 'latin1'))?.[0] ?? ''
        idForm.lastIndex = 0
        return alike([done.status, say(['-Mvh', id]).output, say(['-Mvc', id]).output].join('\n'))
      },
    )
    assert.equal(
      ours.replaceAll('\n--host_address', '\n-host_address'),
      theirs.replaceAll('\n--host_address', '\n-host_address'),
    )
  })
}

for (const [says, text] of [
  ['no recipients', 'To: (none)\nSubject: x\n\nb\n'],
  ['a bad address', 'To: <a@local.example\nSubject: x\n\nbody\n'],
] as const) {
  test(`-oem: the report about ${says} is Exim's, line for line`, { skip }, () => {
    const [theirs, ours] = both(
      (place) => head(place, 'queue_only'),
      (say, place) => {
        const done = say(['-oem', '-t'], text)
        const log = readFileSync(`${place}/log/mainlog`, 'latin1')
        const id = new RegExp(`(${idForm.source}) <= <>`).exec(log)?.[1] ?? ''
        return alike(`${done.status}\n${say(['-Mvc', id]).output}`)
      },
    )
    assert.match(theirs, /This is a copy of your message/)
    assert.equal(ours, theirs)
  })
}

for (const [says, args, input] of [
  [
    '-bs',
    ['-bs'],
    'HELO x\r\nMAIL FROM:<root>\r\nRCPT TO:<b@local.example>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n',
  ],
  ['-bS', ['-bS'], 'MAIL FROM:<root>\r\nRCPT TO:<b>\r\nDATA\r\n\r\nx\r\n.\r\n'],
] as const) {
  test(`${says}: a trusted caller who names a sender has chosen it, be it the own address`, { skip }, () => {
    const [theirs, ours] = both(
      (place) => head(place, 'queue_only'),
      (say, place) => {
        say(args, input)
        const id = idForm.exec(readFileSync(`${place}/log/mainlog`, 'latin1'))?.[0] ?? ''
        idForm.lastIndex = 0
        return alike(say(['-Mvh', id]).output.replace('--helo_name x\n', ''))
      },
    )
    assert.equal(ours, theirs)
  })
}

test('+outgoing_port shows the port on lines about a host that failed', { skip }, () => {
  const [theirs, ours] = both(
    (place) => `${head(place, 'log_selector = +outgoing_port')}
begin routers
far:
  driver = manualroute
  route_list = * 127.0.0.1::3
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
begin retry
* * F,2h,15m
`,
    (say, place) => {
      say(['-odi', 'b@far.example'], '\nx\n')
      return alike(
        readFileSync(`${place}/log/mainlog`, 'latin1')
          .split('\n')
          .filter((line) => / H=| == /.test(line))
          .map((line) => line.replace(/^.{19} /, ''))
          .join('\n'),
      )
    },
  )
  assert.match(theirs, /H=127\.0\.0\.1 \[127\.0\.0\.1\]:3 Connection refused/)
  assert.equal(ours, theirs)
})

const drivers = `
begin routers
r1:
  driver = accept
  transport = box
r2:
  driver = dnslookup
  transport = out
r3:
  driver = manualroute
  route_list = * a.example
  transport = out
r4:
  driver = redirect
  file = /etc/passwd
  user = mail
  check_local_user
r5:
  driver = redirect
  file = /etc/passwd
  group = mail
  owners = root
r6:
  driver = queryprogram
  command = /bin/true
  command_user = mail
begin transports
box:
  driver = appendfile
  file = /tmp/x
box2:
  driver = appendfile
  directory = /tmp/x
  maildir_format
  user = mail
box3:
  driver = appendfile
  file = /tmp/x
  use_bsmtp
box4:
  driver = appendfile
  file = /tmp/x
  use_fcntl_lock
  check_string =
pi:
  driver = pipe
  command = /bin/true
pi2:
  driver = pipe
  command = /bin/true
  use_bsmtp
au:
  driver = autoreply
  text = hi
lm:
  driver = lmtp
  command = /bin/true
lms:
  driver = smtp
  protocol = lmtp
smtps:
  driver = smtp
  protocol = smtps
out:
  driver = smtp
out2:
  driver = smtp
  port = 26
begin authenticators
pl:
  driver = plaintext
  public_name = PLAIN
  server_condition = true
cr:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = x
cr2:
  driver = cram_md5
  public_name = CRAM-MD5
  client_secret = x
`
for (const kind of ['routers', 'transports', 'authenticators']) {
  test(`-bP ${kind} shows what the drivers work out, as Exim does`, { skip }, () => {
    const [theirs, ours] = both(
      (place) => head(place, '') + drivers,
      (say) => say(['-bP', kind]).output,
    )
    // What Exim 4.96 of Debian has no name for is not its matter.
    const known = new Set(theirs.split('\n').map(nameOf))
    const kept = ours.split('\n').filter((line) => line === '' || known.has(nameOf(line)))
    assert.deepEqual(
      kept,
      theirs.split('\n').filter((line) => !line.startsWith('*')),
    )
    assert.ok(kept.length > 20)
  })
}

function nameOf(line: string): string {
  return line.replace(/ =.*/, '').replace(/^no_/, '')
}

const asked =
  '$sender_host_address|$sender_host_port|$received_ip_address|${if def:received_ip_address{$received_port}}|$received_protocol|$sender_host_name|$sender_ident|$sender_host_authenticated|$authenticated_id|$authenticated_sender'
const clients: readonly (readonly string[])[] = [
  [],
  ...['192.0.2.9', '192.0.2.9.', '192.0.2.9.25', '[192.0.2.9]:25', '2001:db8::1.25', '192.0.2', ''].map(
    (value) => ['-oMa', value],
  ),
  ['-oMi', '192.0.2.1.587'],
  ['-oMi', '192.0.2.1.'],
  ['-oMr', 'asmtp', '-oMs', 'client.example', '-oMt', 'bill'],
  ['-oMaa', 'plain', '-oMai', 'bill', '-oMas', 'bill@a.example'],
]

for (const client of clients) {
  test(`a client that is told of in tests: ${client.join(' ')}`, { skip }, () => {
    const [theirs, ours] = both(
      (place) =>
        head(
          place,
          `begin routers\nall:\n  driver = redirect\n  data = x-\${sg{${asked}}{[^a-z0-9]}{-}}@far.example\n  domains = local.example\nfar:\n  driver = accept\n  domains = far.example\n  transport = t\nbegin transports\nt:\n  driver = appendfile\n  file = /dev/null\n  user = nobody`,
        ),
      (say, place) => {
        writeFileSync(`${place}/filter`, `# Exim filter\ntestprint "${asked}"\n`)
        const filtered = say(['-bf', `${place}/filter`, ...client], 'From: a@b.example\n\nx\n').output
        return [
          say(['-be', ...client, asked]).output,
          say(['-bt', ...client, 'x@local.example']).output,
          say(['-bv', '-v', ...client, 'x@local.example']).output,
          ...filtered.split('\n').filter((line) => line.startsWith('Testprint')),
        ].join('\n')
      },
    )
    assert.equal(ours, theirs)
  })
}
