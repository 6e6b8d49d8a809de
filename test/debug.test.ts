/** `-d` and `-v`: every category says something where its subject acts. Source: Exim manual, "-d<debug options>". */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { startSink } from './support/smtp-sink.ts'
import { freePort, postern, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('debug')
const root = process.getuid?.() === 0
const file = join(folder.path, 'exim.conf')
let sink: Awaited<ReturnType<typeof startSink>>
before(async () => {
  sink = await startSink()
  mkdirSync(join(folder.path, 'mail'))
  chmodSync(join(folder.path, 'mail'), 0o777)
  writeFileSync(join(folder.path, 'aliases'), 'alias: local@near.example\n')
  if (noOpenssl === false) new TestAuthority(folder.path).leaf('mx.example')
  const certificate = join(folder.path, 'mx.example')
  writeFileSync(
    file,
    `spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/log/%slog
primary_hostname = mx.example
qualify_domain = near.example
keep_environment =
acl_smtp_rcpt = check
acl_smtp_expn = listed
rfc1413_hosts = 127.0.0.1
rfc1413_query_timeout = 5s
rfc1413_port = ${await freePort()}
${noOpenssl === false ? `tls_certificate = ${certificate}.chain\ntls_privatekey = ${certificate}.key` : ''}
host_lookup = 127.0.0.1
queue_only_load = 1000
begin acl
check:
  accept verify = recipient
         condition = \${if match{\${run{/bin/true}}}{}}
listed:
  deny dnslists = list.invalid
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{$auth3}{secret}}
  server_set_id = $auth2
begin routers
filtered:
  driver = redirect
  domains = near.example
  local_parts = filtered : sieved
  allow_filter
  user = ${root ? 'mail' : userInfo().username}
  data = "#\${if eq{$local_part}{filtered}{Exim filter\\ndeliver local@near.example}{Sieve filter\\nredirect \\"local@near.example\\";}}"
aliases:
  driver = redirect
  domains = near.example
  data = \${lookup{$local_part}lsearch{${folder.path}/aliases}}
near:
  driver = accept
  domains = near.example
  debug_print = at the near router
  transport = box
far:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  file = ${folder.path}/mail/box
  ${root ? 'user = mail' : ''}
command:
  driver = pipe
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
begin retry
* * F,1h,10m
begin rewrite
*@old.example $1@near.example h
`,
  )
})
after(async () => {
  await sink.close()
  folder.remove()
})

const session =
  'EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alias@near.example>\r\nRCPT TO:<x@far.example>\r\nDATA\r\nTo: y@old.example\r\n\r\nx\r\n.\r\nQUIT\r\n'

/** Not a synchronous call: the sink is in this process. */
async function debugged(
  selector: string,
  words: readonly string[],
  input: string = session,
): Promise<string> {
  const child = spawn(postern, ['-C', file, selector, ...words], { stdio: ['pipe', 'ignore', 'pipe'] })
  let output = ''
  child.stderr.on('data', (piece: Buffer) => (output += piece.toString('utf8')))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const status = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  assert.equal(status, 0, output)
  return output
}

const smtp = ['-oMa', '127.0.0.1', '-odi', '-bs'] as const
const cases: readonly { category: string; words?: readonly string[]; input?: string; shows: RegExp }[] = [
  { category: 'acl', shows: /^processing "accept" \(.*exim\.conf \d+\)$/m },
  {
    category: 'deliver',
    shows: /^delivering \S+$[\s\S]*^After routing:\n {2}Local deliveries:\n {4}local@near\.example$/m,
  },
  { category: 'exec', shows: /^exec \/bin\/true$/m },
  { category: 'expand', words: ['-be', '${uc:ab}'], shows: /^╭considering: \$\{uc:ab\}\n╰─────result: AB$/m },
  { category: 'hints_lookup', shows: /^dbfn_read: retry key=/m },
  { category: 'host_lookup', shows: /^looking up host name for 127\.0\.0\.1$/m },
  { category: 'lists', shows: /^near\.example in "?near\.example"?\? yes \(matched "near\.example"\)$/m },
  {
    category: 'load',
    words: ['-oMa', '127.0.0.1', '-bs'],
    shows: /^system load average = \d+\.\d\d \(queue_only_load 1000\)$/m,
  },
  {
    category: 'lookup',
    shows: /^search_find: type=lsearch key="alias" in ".*\/aliases"\nlookup yielded: local@near\.example$/m,
  },
  { category: 'memory', shows: /^memory at the end: resident \d+K, heap \d+K, outside of it \d+K$/m },
  { category: 'receive', shows: /^SMTP<< EHLO client\.example\nSMTP>> 250-mx\.example Hello/m },
  { category: 'rewrite', shows: /^rewrote y@old\.example as y@near\.example \(.*, rule 1\)$/m },
  { category: 'route', shows: /^-{8}> near router <-{8}$/m },
  {
    category: 'transport',
    shows:
      /^remote delivery to x@far\.example\nout transport entered \(driver smtp\)\nConnecting to 127\.0\.0\.1 \[127\.0\.0\.1\]:\d+ \.\.\. connected\n {2}SMTP<< 220 /m,
  },
  { category: 'uid', shows: root ? /^user mail: uid=\d+ gid=\d+$/m : /./ },
  {
    category: 'verify',
    shows: /^verifying recipient alias@near\.example$[\s\S]*^recipient alias@near\.example: ok$/m,
  },
  {
    category: 'auth',
    input: 'EHLO client.example\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nAUTH PLAIN AGFubgB3cm9uZw==\r\nQUIT\r\n',
    shows: /^plain authenticator \(PLAIN\): ok$/m,
  },
  {
    category: 'dnsbl',
    input: 'EHLO client.example\r\nEXPN x\r\nQUIT\r\n',
    shows: /^dnslists check: list\.invalid\nDNS lookup for 1\.0\.0\.127\.list\.invalid (?:failed|deferred)$/m,
  },
  {
    category: 'filter',
    input: session.replace('alias@', 'filtered@'),
    shows: /^Deliver message to: local@near\.example$/m,
  },
  { category: 'filter', input: session.replace('alias@', 'sieved@'), shows: /^Sieve: address$/m },
  { category: 'queue_run', words: ['-q'], shows: /^queue running/m },
  {
    category: 'dns',
    words: ['-be', '${lookup dnsdb{a=name.invalid}{$value}{none}}'],
    shows: /^DNS lookup of name\.invalid \(A\) (?:succeeded|gave HOST_NOT_FOUND|gave TRY_AGAIN)$/m,
  },
]
for (const { category, words = smtp, input, shows } of cases) {
  test(`-d-all+${category} tells of its subject, and of nothing else`, {
    skip: category === 'uid' && !root ? 'only root looks users up here' : false,
  }, async () => {
    const output = await debugged(`-d-all+${category}`, words, input)
    assert.match(output, shows)
    if (category !== 'memory') assert.doesNotMatch(output, /^memory /m)
    if (category !== 'route') assert.doesNotMatch(output, /router <---/)
  })
}

test('-v shows log lines, the dialogue and debug_print; -d-all shows nothing', async () => {
  const output = await debugged('-v', smtp)
  assert.match(output, /^LOG: MAIN\n {2}<= a@b\.example /m)
  assert.match(output, /^ {2}SMTP>> EHLO mx\.example$/m)
  assert.match(output, /^at the near router$/m)
  assert.doesNotMatch(output, /considering|router <---/)
  assert.equal(await debugged('-d-all', smtp), '')
})

test('-d+all is all but memory; noutf8, pid and timestamp shape the lines', async () => {
  const all = await debugged('-d+all', smtp)
  assert.match(all, /considering/)
  assert.doesNotMatch(all, /memory at the end/)
  const shaped = await debugged('-d-all+expand+noutf8+pid+timestamp', ['-be', '${uc:ab}'])
  assert.match(
    shaped,
    /^\d\d:\d\d:\d\d +\d+ \/considering: \$\{uc:ab\}\n\d\d:\d\d:\d\d +\d+ \\_____result: AB$/m,
  )
})

test('a daemon tells of its interfaces and of itself, each line with its process; -dd is silent in its workers', async () => {
  const port = await freePort()
  const run = async (selector: string, wanted: RegExp): Promise<string> => {
    const child = spawn(
      postern,
      ['-C', file, selector, '-bdf', '-oX', `127.0.0.1.${port}`, '-oP', join(folder.path, 'pid')],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    let output = ''
    child.stderr.on('data', (piece: Buffer) => (output += piece.toString('utf8')))
    await until(() => (wanted.test(output) ? true : undefined), 20_000)
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
    assert.match(output, wanted)
    return output
  }
  const parent = /^ *\d+ set_process_info: \d+ daemon\(4\.99\): /m
  const output = await run('-d-all+interface+process_info', parent)
  assert.match(output, new RegExp(`^ *\\d+ listening on 127\\.0\\.0\\.1 port ${port}$`, 'm'))
  const silent = await run('-dd-all+interface+process_info', parent)
  assert.doesNotMatch(silent, /listening on 127/)
})

test('-tls-on-connect: TLS begins with the first byte on every port; -d-all+tls+ident tells of it and of the ident query', {
  skip: noOpenssl,
}, async () => {
  const port = await freePort()
  const child = spawn(
    postern,
    [
      ...['-C', file, '-d-all+tls+ident', '-tls-on-connect', '-bdf'],
      ...['-oX', `127.0.0.1.${port}`, '-oP', join(folder.path, 'pid')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let output = ''
  child.stderr.on('data', (piece: Buffer) => (output += piece.toString('utf8')))
  try {
    const said = await until(
      () =>
        new Promise<string | undefined>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
          let text = ''
          socket.on('data', (piece) => {
            text += piece.toString('latin1')
            if (text.startsWith('220 ') && !text.includes('221 ')) socket.write('EHLO c.example\r\nQUIT\r\n')
          })
          socket.on('error', () => undefined)
          socket.on('close', () => resolve(text === '' ? undefined : text))
        }),
      20_000,
    )
    assert.match(said ?? '', /^220 mx\.example ESMTP/)
    assert.match(said ?? '', /^221 mx\.example/m)
    assert.doesNotMatch(said ?? '', /STARTTLS/)
    const shown = /^ *\d+ TLS session: version TLS1\.3, cipher \S+, SNI "", peer verified: no$/m
    await until(() => (shown.test(output) ? true : undefined), 10_000)
    assert.match(output, shown)
    assert.match(output, /^ *\d+ ident connection to 127\.0\.0\.1 failed: /m)
  } finally {
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
  }
})
