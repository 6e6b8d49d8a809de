/** Bounces and warnings of Exim 4.96 and of Postern for the same message and options, as a server gets them. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'
import { startSink } from './support/smtp-sink.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const skip = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to start Exim with a configuration of its own'
    : false

interface Case {
  readonly says: string
  /** Lines of the main section; FOLDER stands for the folder of the run. */
  readonly main: string
  readonly to?: string
  readonly body?: string
  readonly headers?: string
  readonly template?: string
  /** Before the others. */
  readonly routers?: string
  readonly transports?: string
}

/** Each way to be late: a router and a transport of its own for `late@NAME.late.test`. */
const waysToBeLate: Readonly<Record<string, readonly [string, string?]>> = {
  said: ['driver = redirect\n  allow_defer\n  data = :defer: not before noon'],
  forbidden: ['driver = redirect\n  data = :defer: not before noon'],
  secret: ['driver = redirect\n  data = ${lookup mysql{servers=127.0.0.1::1/db/user/password; select 1}}'],
  list: ['driver = accept\n  senders = ${bogus}\n  transport = out'],
  program: ['driver = queryprogram\n  command = /bin/echo defer ask later\n  command_user = nobody'],
  quota: [accepting('quota'), 'driver = appendfile\n  file = FOLDER/box\n  quota = 10'],
  closed: [accepting('closed'), 'driver = appendfile\n  file = /root/box'],
  tainted: [accepting('tainted'), 'driver = appendfile\n  file = FOLDER/$local_part'],
  command: [
    accepting('command'),
    'driver = pipe\n  command = /bin/sh -c "echo oops; exit 75"\n  return_output',
  ],
  lmtp: [accepting('lmtp'), 'driver = lmtp\n  command = /bin/echo 421 busy'],
  refused: [
    accepting('refused'),
    'driver = smtp\n  hosts = 127.0.0.1\n  allow_localhost\n  port = 1\n  hosts_try_dane =',
  ],
  child: [
    'driver = redirect\n  data = FOLDER/box\n  user = nobody\n  file_transport = child',
    'driver = appendfile\n  quota = 10',
  ],
  hidden: [
    'driver = redirect\n  hide_child_in_errmsg\n  data = FOLDER/box\n  user = nobody\n  file_transport = hidden',
    'driver = appendfile\n  quota = 10',
  ],
}

function accepting(transport: string): string {
  return `driver = accept\n  transport = ${transport}\n  user = nobody`
}

const lateNames = Object.keys(waysToBeLate)

const template = `Subject: \${if def:bounce_recipient{Returned}{Late}} mail for $bounce_recipient$warn_message_recipients
****
We are $primary_hostname, and the limit is $bounce_return_size_limit.
****
Text three.
****
Text four.
****
Text five.
****
Text six.
`

const cases: readonly Case[] = [
  { says: 'plain', main: '' },
  {
    says: 'a message with References',
    main: '',
    headers: 'References: <r1@sink.test>\n <r2@sink.test>\nIn-Reply-To: <r2@sink.test>\n',
  },
  {
    says: 'a message with In-Reply-To alone, late',
    main: 'delay_warning = 1s',
    to: 'late@defer.test',
    headers: 'In-Reply-To: <r2@sink.test>\n',
  },
  { says: 'another server refused', main: '', to: 'refused@sink.test' },
  { says: 'bounce_message_text', main: 'bounce_message_text = Please ask our helpdesk.\\n' },
  { says: 'bounce_return_body = false', main: 'bounce_return_body = false' },
  { says: 'bounce_return_size_limit', main: 'bounce_return_size_limit = 2K', body: 'x\n'.repeat(30_000) },
  {
    says: 'bounce_return_linesize_limit',
    main: 'bounce_return_linesize_limit = 20',
    body: `${'y'.repeat(50)}\n`,
  },
  {
    says: 'errors_reply_to and dsn_from',
    main: 'errors_reply_to = help@mta.example\ndsn_from = Postmaster <pm@mta.example>',
  },
  { says: 'errors_copy', main: 'errors_copy = *@sink.test copy@sink.test' },
  { says: 'bounce_message_file', main: 'bounce_message_file = FOLDER/template', template },
  {
    says: 'a warning: what a sender may know of each way to be late',
    main: 'delay_warning = 1s',
    to: lateNames.map((name) => `late@${name}.late.test`).join(' '),
    routers: lateNames
      .map((name) => `${name}:\n  domains = ${name}.late.test\n  ${waysToBeLate[name]?.[0]}\n`)
      .join(''),
    transports: lateNames
      .filter((name) => waysToBeLate[name]?.[1] !== undefined)
      .map((name) => `${name}:\n  ${waysToBeLate[name]?.[1]}\n`)
      .join(''),
  },
  {
    says: 'a warning of a message that is frozen',
    main: 'delay_warning = 1s',
    to: 'late@frozen.test',
    routers:
      'frozen:\n  driver = manualroute\n  domains = frozen.test\n  route_list = * none.invalid byname\n  transport = out\n',
  },
  { says: 'a warning', main: 'delay_warning = 1s', to: 'late@defer.test' },
  {
    says: 'warn_message_file and errors_reply_to',
    main: 'delay_warning = 1s\nwarn_message_file = FOLDER/template\nerrors_reply_to = help@mta.example',
    to: 'late@defer.test',
    template,
  },
]

test('bounces and warnings as Exim writes them', { skip }, async (t) => {
  const folder = temporaryFolder('bounces-exim')
  const sink = await startSink({
    rcpt: (line) => (line.includes('refused@') ? '550-5.1.1 not\n550 5.1.1 here' : '250 ok'),
  })
  try {
    for (const [i, each] of cases.entries()) {
      await t.test(each.says, async () => {
        const got: string[][] = []
        for (const program of [postern, exim]) {
          sink.messages.length = 0
          await send(
            program,
            join(folder.path, `${program === exim ? 'exim' : 'postern'}${i}`),
            sink.port,
            each,
          )
          got.push(sink.messages.map(({ rcpts, data }) => plain(`${rcpts.join(' ')}\n${data}`)).sort())
        }
        assert.ok((got[1] ?? []).length > 0)
        assert.deepEqual(got[0], got[1])
      })
    }
  } finally {
    await sink.close()
    folder.remove()
  }
})

async function send(program: string, folder: string, port: number, each: Case): Promise<void> {
  for (const name of ['', 'spool', 'log']) {
    mkdirSync(join(folder, name), { recursive: true })
    chmodSync(join(folder, name), 0o777)
  }
  if (each.template !== undefined) writeFileSync(join(folder, 'template'), each.template)
  const file = join(folder, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
keep_environment =
${program === exim ? `exim_path = ${exim}` : ''}
primary_hostname = mta.example
qualify_domain = mta.example
${each.main.replaceAll('FOLDER', folder)}
acl_not_smtp = ok
begin acl
ok:
  accept
begin routers
${(each.routers ?? '').replaceAll('FOLDER', folder)}
fail:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: no such place
defer:
  driver = redirect
  domains = defer.test
  allow_defer
  data = :defer: not now
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
${(each.transports ?? '').replaceAll('FOLDER', folder)}
out:
  driver = smtp
  port = ${port}
  hosts_avoid_tls = *
  hosts_try_chunking =
begin retry
* * F,1h,1s
`,
  )
  const run = async (args: readonly string[], input: string): Promise<void> => {
    const child = spawn(program, ['-C', file, ...args], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end(input)
    await new Promise<void>((resolve) => child.once('close', () => resolve()))
  }
  const text = `${each.headers ?? ''}From: s@sink.test\nTo: x@y.test\nSubject: hello\nMessage-Id: <one@sink.test>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\n${each.body ?? 'hi\n'}`
  await run(['-odq', '-f', 's@sink.test', ...(each.to ?? 'a@fail.test').split(' ')], text)
  if (each.main.includes('delay_warning')) await new Promise((resolve) => setTimeout(resolve, 2100))
  await run(['-qf'], '')
}

/** Without ids, times, boundaries and what names the program. */
function plain(text: string): string {
  const boundary = /boundary=(\S+)/.exec(text)?.[1] ?? 'none'
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(boundary, 'BOUNDARY')
    .replaceAll(/\/\S+\/(?:exim|postern)\d+\//g, 'FOLDER/')
    .replaceAll(/<E[\w-]+@mta\.example>/g, '<ID>')
    .replaceAll(/\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b/g, 'ID')
    .replaceAll(/Received: [\s\S]*?\n(?=\S)/g, '')
    .replaceAll(/^(?:Date: |    Date: |The date of the message is: ).*\n/gm, '')
}
