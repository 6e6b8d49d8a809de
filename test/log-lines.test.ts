/** Log lines with all selectors and with none, beside a real Exim; where the log goes; the JSON twin of each line. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchExim } from './support/debian.ts'
import { postern, temporaryFolder, until } from './support/server.ts'
import { startSink } from './support/smtp-sink.ts'

const exim = fetchExim()
const eximPath = 'path' in exim ? exim.path : ''
const root = process.getuid?.() === 0
const skip = 'missing' in exim ? exim.missing : root ? false : 'Exim reads a file given with -C as root only'
const folder = temporaryFolder('loglines')
chmodSync(folder.path, 0o777)
const sink = await startSink({
  extensions: ['PIPELINING', '8BITMIME'],
  rcpt: (line) => (/<bad/.test(line) ? '550 no such user' : '250 OK'),
})
after(async () => {
  await sink.close()
  folder.remove()
})

const configuration = (
  place: string,
  program: string,
  more: string,
): string => `spool_directory = ${place}/spool
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
exim_path = ${program}
tls_advertise_hosts =
host_lookup =
deliver_drop_privilege
message_size_limit = 2K
acl_smtp_rcpt = check
${more}
begin acl
check:
  deny local_parts = refused
       message = no
  deny local_parts = verify
       !verify = sender
  accept
begin routers
alias:
  driver = redirect
  local_parts = alias
  data = final@far.example
near:
  driver = accept
  domains = local.example
  transport = box
far:
  driver = manualroute
  domains = far.example
  route_list = * 127.0.0.1::${sink.port}
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  file = ${place}/mail/box
out:
  driver = smtp
  allow_localhost
begin retry
* * F,2h,15m
`

const session = `EHLO c.example
FOO
MAIL FROM:<a b@>
RCPT TO:<b@local.example>
MAIL FROM:<from@b.example> BODY=8BITMIME
RCPT TO:<alias@local.example>
RCPT TO:<b@local.example>
RCPT TO:<bad@far.example>
RCPT TO:<refused@local.example>
DATA
Subject: the subject
Message-Id: <given@id.example>

body
.
MAIL FROM:<nosuch@unrouteable.example>
RCPT TO:<verify@local.example>
RSET
MAIL FROM:<a@b.example> SIZE=100000
MAIL FROM:<a@b.example>
RCPT TO:<b@local.example>
QUIT
`.replaceAll('\n', '\r\n')

let count = 0
async function converse(program: string, more: string): Promise<string> {
  const place = join(folder.path, String(++count))
  for (const name of ['', '/log', '/mail', ...(program === eximPath ? ['/spool'] : [])]) {
    mkdirSync(`${place}${name}`)
    chmodSync(`${place}${name}`, 0o777)
  }
  writeFileSync(`${place}/exim.conf`, configuration(place, program, more.replaceAll('PLACE', place)))
  const args = ['-odi', '-bs', '-oMa', '192.0.2.1.1234', '-oMi', '192.0.2.2.25', '-oMs', 'h.example']
  const child = spawnAsync(program, ['-C', `${place}/exim.conf`, ...args], session)
  assert.equal(await child, 0)
  const settled = await until(() => {
    const text = existsSync(`${place}/log/mainlog`) ? readFileSync(`${place}/log/mainlog`, 'latin1') : ''
    return / Completed/.test(text) && / Frozen/.test(text) ? true : undefined
  }, 20_000)
  if (more.includes('log/%slog')) assert.equal(settled, true)
  return place
}

function spawnAsync(program: string, args: readonly string[], input: string): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end(input)
    child.once('close', resolve)
  })
}

/** The lines without what differs from run to run, sorted: Exim delivers between the commands, we after them. */
function lines(place: string, log: string): string[] {
  const path = `${place}/log/${log}log`
  if (!existsSync(path)) return []
  return readFileSync(path, 'latin1')
    .split('\n')
    .filter(
      (line) =>
        line !== '' &&
        !/lost privilege|unable to set gid|delivery status|returned non-zero|SMTP connection from/.test(line),
    )
    .map((line) =>
      line
        .replace(/^\S+ [\d:.]+ /, '')
        .replaceAll(/\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b/g, 'ID')
        .replaceAll(/id\*=E\S+/g, 'id*=CREATED')
        .replaceAll(/U=(?:Debian-exim|postern|mail)\b/g, 'U=USER')
        .replaceAll(/\b(S|RT|DT|QT)=[\d.]+s?/g, '$1=N')
        .replaceAll(`127.0.0.1]:${sink.port}`, '127.0.0.1]:PORT')
        .replaceAll(/I=\[127\.0\.0\.1\]:\d+/g, 'I=[127.0.0.1]:N')
        // Exim on standard input does not notice that commands came together.
        .replace(/ L[.*]-? /, ' L '),
    )
    .toSorted((a, b) => (a < b ? -1 : 1))
}

for (const selector of ['+all -pid -arguments', '-all']) {
  test(`log_selector = ${selector}: the main and the reject log say what Exim's say`, { skip }, async () => {
    const more = `log_file_path = PLACE/log/%slog\nlog_selector = ${selector}`
    const [theirs, ours] = await Promise.all([converse(eximPath, more), converse(postern, more)])
    for (const log of ['main', 'reject']) assert.deepEqual(lines(ours, log), lines(theirs, log))
    assert.ok(lines(theirs, 'main').length > 8)
  })
}

test('the JSON twin names file and line of the statement or router that decided, for each kind of line', async () => {
  const place = await converse(
    postern,
    'log_file_path = PLACE/log/%slog\nlog_format_json = PLACE/log/json\nlog_selector = +all -pid -arguments',
  )
  const records = readFileSync(`${place}/log/json`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { text: string })
  const text = readFileSync(`${place}/exim.conf`, 'utf8').split('\n')
  const lineOf = (content: string): number => text.indexOf(content) + 1
  const cases: readonly [says: string, line: RegExp, decided: string][] = [
    ['a message that was taken', /^<= from@b/, '  accept'],
    ['a recipient that was refused', /rejected RCPT <refused/, '  deny local_parts = refused'],
    ['a sender that could not be verified', /rejected RCPT <verify/, '  deny local_parts = verify'],
    ['a delivery', /^=> b /, 'near:'],
    ['a delivery to another host', /^=> final@/, 'far:'],
    ['a failure', /^\*\* bad@/, 'far:'],
  ]
  for (const [says, line, decided] of cases) {
    const record = records.find((one) => line.test(one.text))
    const shown = JSON.stringify(record)
    assert.ok(
      shown.includes(`exim.conf"`) && shown.includes(`"line":${lineOf(decided)}`),
      `${says}: ${shown} (line ${lineOf(decided)})`,
    )
  }
})

test('log_file_path: several paths, %D and %M, stderr and syslog side by side', () => {
  const place = join(folder.path, String(++count))
  mkdirSync(`${place}/log`, { recursive: true })
  chmodSync(`${place}/log`, 0o777)
  const file = `${place}/exim.conf`
  writeFileSync(
    file,
    configuration(
      place,
      postern,
      `log_file_path = ${place}/log/%slog : ${place}/log/%s.%D : ${place}/log/%s.%M : stderr`,
    ),
  )
  const done = spawnSync(postern, ['-C', file, '-odq', 'b@local.example'], {
    encoding: 'latin1',
    input: 'Subject: x\n\nx\n',
    timeout: 60_000,
  })
  assert.equal(done.status, 0)
  assert.match(done.stderr, /<= \S+ U=/)
  const names = readdirSync(`${place}/log`)
  for (const form of [/^mainlog$/, /^main\.\d{8}$/, /^main\.\d{6}$/]) {
    const name = names.find((one) => form.test(one))
    assert.ok(name, names.join(' '))
    assert.match(readFileSync(`${place}/log/${name}`, 'latin1'), /<= \S+ U=/)
  }
})

test('the JSON twin names the router of addresses that no transport gets', () => {
  const place = join(folder.path, String(++count))
  for (const name of ['', '/log', '/spool']) {
    mkdirSync(`${place}${name}`)
    chmodSync(`${place}${name}`, 0o777)
  }
  writeFileSync(
    `${place}/exim.conf`,
    `primary_hostname = h.example
spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
log_format_json = ${place}/log/json
begin routers
said:
  driver = redirect
  data = \${if eq{$local_part}{hole}{:blackhole:}{\${if eq{$local_part}{no}{:fail: no}{:defer: wait}}}}
  allow_fail
  allow_defer
`,
  )
  const to = ['hole@h.example', 'no@h.example', 'later@h.example']
  spawnSync(postern, ['-C', `${place}/exim.conf`, '-odf', '-f', '<>', ...to], { input: 'Subject: x\n\nx\n' })
  const records = readFileSync(`${place}/log/json`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; decidedBy?: { name: string; line: number } })
  for (const line of [/^=> :blackhole: <hole@/, /^\*\* no@/, /^== later@/]) {
    const { decidedBy } = records.find(({ text }) => line.test(text)) ?? {}
    assert.deepEqual([decidedBy?.name, decidedBy?.line], ['said', 6], String(line))
  }
})
