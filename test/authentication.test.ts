/**
 * Authentication over real connections: the dialogues of a started server, held against a real Exim where there is
 * one; Postern as a client, against a scripted server and against itself; Dovecot's protocol against a stand-in.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { chmodSync, mkdirSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fetchExim } from './support/debian.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const encode = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
const good = encode('\0ph10\0secret')
const bad = encode('\0ph10\0wrong')

const main = `
primary_hostname = mx.example
qualify_domain = mx.example
acl_smtp_auth = check_auth
acl_smtp_mail = check_mail
acl_smtp_rcpt = accept
log_selector = +smtp_mailauth
smtp_accept_max_nonmail = 100
smtp_max_synprot_errors = 100
begin acl
check_auth:
  deny condition = \${if match{$smtp_command_argument}{^NOWAY}}
       message = no auth for you
  accept
check_mail:
  warn logwrite = mail: id=$authenticated_id failed=$authentication_failed by=$sender_host_authenticated as=$authenticated_sender a1=$auth1 1=$1
  accept
begin routers
hole:
  driver = redirect
  data = :blackhole:
begin authenticators
`

/** What a Debian Exim has as well. */
const authenticators = `
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{ph10}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
  server_mail_auth_condition = \${if eq{$authenticated_sender}{no@x.y}{no}{yes}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = User Name : Password
  server_condition = \${if and{{eq{$1}{ph10}}{eq{$2}{secret}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{$auth1}{ph10}{secret}fail}
  server_set_id = $auth1
deferer:
  driver = plaintext
  public_name = DEFER
  server_condition = please wait $auth1
  server_set_id = $auth1
failer:
  driver = plaintext
  public_name = FAILER
  server_condition = \${if eq{a}{b}{x}fail}
broken:
  driver = plaintext
  public_name = BROKEN
  server_condition = \${lookup{x}lsearch{/nonexistent}{x}}
  server_set_id = $auth1
noprompts:
  driver = plaintext
  public_name = NOPROMPTS
  server_condition = yes
crambroken:
  driver = cram_md5
  public_name = CRAMBROKEN
  server_secret = \${lookup{x}lsearch{/nonexistent}{x}}
ext:
  driver = external
  public_name = EXTERNAL
  server_param2 = p2:$auth1
  server_condition = \${if eq{$auth1/$auth2}{me/p2:me}}
  server_set_id = $auth1
noadv:
  driver = plaintext
  public_name = NOADV
  server_condition = true
  server_advertise_condition = no
advfail:
  driver = plaintext
  public_name = ADVFAIL
  server_condition = true
  server_advertise_condition = \${lookup{x}lsearch{/nonexistent}{x}}
clientonly:
  driver = plaintext
  public_name = CLIENTONLY
  client_send = ^a^b
`

/** SCRAM: Debian's Exim is built without it. */
const scram = `
scram1:
  driver = gsasl
  public_name = SCRAM-SHA-1
  server_password = \${if eq{$auth1}{ph10}{secret}fail}
  server_condition = yes
  server_set_id = $auth1
scram256:
  driver = gsasl
  public_name = SCRAM-SHA-256
  server_password = secret
  server_condition = \${if eq{$auth1}{ph10}}
  server_scram_salt = QSXCR+Q6sek8bf92
  server_set_id = $auth1
`

interface Row {
  readonly name: string
  /** A line to say and the reply, whole; `CRAM` in place of the answer to a challenge computes it. */
  readonly say: readonly (readonly [string, string])[]
  /** Lines of the main log, without time. */
  readonly log?: readonly string[]
}

const failed = (name: string, rest: string): string =>
  `${name} authenticator failed for (c) [127.0.0.1]: ${rest}`

const rows: readonly Row[] = [
  {
    name: 'PLAIN with the command',
    say: [
      [`AUTH PLAIN ${good}`, '235 Authentication succeeded'],
      ['MAIL FROM:<a@b.c>', '250 OK'],
      ['RSET', '250 Reset OK'],
      [`AUTH PLAIN ${good}`, '503 already authenticated'],
    ],
    log: ['mail: id=ph10 failed=0 by=plain as= a1= 1='],
  },
  { name: 'PLAIN in small letters', say: [[`auth plain ${good}`, '235 Authentication succeeded']] },
  { name: 'PLAIN among blanks', say: [[`AUTH  PLAIN  ${good}  `, '235 Authentication succeeded']] },
  {
    name: 'PLAIN after the prompt',
    say: [
      ['AUTH PLAIN', '334 '],
      [good, '235 Authentication succeeded'],
    ],
  },
  {
    name: 'PLAIN with the wrong password, then the right one',
    say: [
      [`AUTH PLAIN ${bad}`, '535 Incorrect authentication data'],
      ['MAIL FROM:<a@b.c>', '250 OK'],
      ['RSET', '250 Reset OK'],
      [`AUTH PLAIN ${good}`, '235 Authentication succeeded'],
    ],
    log: [
      failed('plain', '535 Incorrect authentication data (set_id=ph10)'),
      'mail: id= failed=1 by= as= a1= 1=',
    ],
  },
  {
    name: 'PLAIN cancelled',
    say: [
      ['AUTH PLAIN', '334 '],
      ['*', '501 Authentication cancelled'],
    ],
    log: [failed('plain', '501 Authentication cancelled')],
  },
  ...['!!!!', 'YWJ', '====', '*', '* '].map((text): Row => {
    return {
      name: `no base 64: ${text}`,
      say: [
        ['AUTH PLAIN', '334 '],
        [text === '*' ? '*x' : text, '501 Invalid base64 data'],
      ],
    }
  }),
  { name: 'no base 64 with the command', say: [['AUTH PLAIN !!!!', '501 Invalid base64 data']] },
  { name: 'base 64 with a blank', say: [['AUTH PLAIN YW Jj', '535 Incorrect authentication data']] },
  { name: 'empty data', say: [['AUTH PLAIN =', '535 Incorrect authentication data']] },
  {
    name: 'an empty answer',
    say: [
      ['AUTH PLAIN', '334 '],
      ['', '535 Incorrect authentication data'],
    ],
  },
  {
    name: 'more values than there are variables',
    say: [[`AUTH PLAIN ${encode('a\0b\0c\0d\0e\0f')}`, '535 Incorrect authentication data']],
    log: [failed('plain', '535 Incorrect authentication data (set_id=b)')],
  },
  {
    name: 'LOGIN',
    say: [
      ['AUTH LOGIN', `334 ${encode('User Name')}`],
      [encode('ph10'), `334 ${encode('Password')}`],
      [encode('secret'), '235 Authentication succeeded'],
    ],
  },
  {
    name: 'LOGIN with the name in the command',
    say: [
      [`AUTH LOGIN ${encode('ph10')}`, `334 ${encode('Password')}`],
      [encode('secret'), '235 Authentication succeeded'],
    ],
  },
  {
    name: 'LOGIN with both in the command',
    say: [[`AUTH LOGIN ${encode('ph10\0secret')}`, '235 Authentication succeeded']],
  },
  {
    name: 'LOGIN with the wrong password',
    say: [
      ['AUTH LOGIN', `334 ${encode('User Name')}`],
      [encode('ph10'), `334 ${encode('Password')}`],
      [encode('nope'), '535 Incorrect authentication data'],
    ],
    log: [failed('login', '535 Incorrect authentication data (set_id=ph10)')],
  },
  {
    name: 'LOGIN cancelled at the password',
    say: [
      ['AUTH LOGIN', `334 ${encode('User Name')}`],
      [encode('ph10'), `334 ${encode('Password')}`],
      ['*', '501 Authentication cancelled'],
    ],
    log: [failed('login', '501 Authentication cancelled')],
  },
  {
    name: 'CRAM-MD5',
    say: [
      ['AUTH CRAM-MD5', '334 CHALLENGE'],
      ['CRAM ph10 secret', '235 Authentication succeeded'],
    ],
  },
  {
    name: 'CRAM-MD5 with the wrong secret',
    say: [
      ['AUTH CRAM-MD5', '334 CHALLENGE'],
      ['CRAM ph10 wrong', '535 Incorrect authentication data'],
    ],
    log: [failed('cram', '535 Incorrect authentication data (set_id=ph10)')],
  },
  {
    name: 'CRAM-MD5 for nobody',
    say: [
      ['AUTH CRAM-MD5', '334 CHALLENGE'],
      ['CRAM joe secret', '535 Incorrect authentication data'],
      ['AUTH CRAM-MD5', '334 CHALLENGE'],
      [encode('nospace'), '535 Incorrect authentication data'],
    ],
    log: [
      failed('cram', '535 Incorrect authentication data (set_id=joe)'),
      failed('cram', '535 Incorrect authentication data (set_id=nospace)'),
    ],
  },
  {
    name: 'CRAM-MD5 with data in the command',
    say: [[`AUTH CRAM-MD5 ${encode('ph10')}`, '553 Initial data not expected']],
    log: [failed('cram', '553 Initial data not expected')],
  },
  {
    name: 'a secret that cannot be looked up',
    say: [
      ['AUTH CRAMBROKEN', '334 CHALLENGE'],
      ['CRAM ph10 secret', '435 Unable to authenticate at present'],
    ],
  },
  {
    name: 'a condition that says neither yes nor no',
    say: [[`AUTH DEFER ${encode('ph10')}`, '435 Unable to authenticate at present: please wait ph10']],
    log: [failed('deferer', '435 Unable to authenticate at present (set_id=ph10): please wait ph10')],
  },
  {
    name: 'a condition forced to fail',
    say: [[`AUTH FAILER ${encode('ph10')}`, '535 Incorrect authentication data']],
  },
  {
    name: 'a condition that cannot be expanded',
    say: [[`AUTH BROKEN ${encode('ph10')}`, '435 Unable to authenticate at present']],
    log: [
      failed(
        'broken',
        '435 Unable to authenticate at present (set_id=ph10): failed to open /nonexistent for linear search: No such file or directory',
      ),
    ],
  },
  {
    name: 'nothing was asked for, nothing came: the condition alone decides',
    say: [['AUTH NOPROMPTS', '235 Authentication succeeded']],
  },
  {
    name: 'EXTERNAL',
    say: [
      [`AUTH EXTERNAL ${encode('you')}`, '535 Incorrect authentication data'],
      [`AUTH EXTERNAL ${encode('me')}`, '235 Authentication succeeded'],
    ],
    log: [failed('ext', '535 Incorrect authentication data (set_id=you)')],
  },
  {
    name: 'EXTERNAL after the prompt',
    say: [
      ['AUTH EXTERNAL', '334 '],
      [encode('me'), '235 Authentication succeeded'],
    ],
  },
  {
    name: 'mechanisms that are not there or not offered',
    say: [
      ['AUTH', '504  authentication mechanism not supported'],
      ['AUTH NOPE', '504 NOPE authentication mechanism not supported'],
      ['AUTH NOADV', '504 NOADV authentication mechanism not supported'],
      ['AUTH ADVFAIL', '504 ADVFAIL authentication mechanism not supported'],
      ['AUTH CLIENTONLY', '504 CLIENTONLY authentication mechanism not supported'],
    ],
  },
  {
    name: 'acl_smtp_auth refuses',
    say: [['AUTH NOWAY', '503 no auth for you']],
    log: ['H=(c) [127.0.0.1] rejected AUTH NOWAY: no auth for you'],
  },
  {
    name: 'not within a message',
    say: [
      ['MAIL FROM:<a@b.c>', '250 OK'],
      [`AUTH PLAIN ${good}`, '503 not permitted in mail transaction'],
    ],
  },
  {
    name: 'AUTH= of MAIL from an authenticated client',
    say: [
      [`AUTH PLAIN ${good}`, '235 Authentication succeeded'],
      ['MAIL FROM:<a@b.c> AUTH=s@x.y', '250 OK'],
      ['RSET', '250 Reset OK'],
      ['MAIL FROM:<a@b.c> AUTH=no@x.y', '250 OK'],
      ['RSET', '250 Reset OK'],
      ['MAIL FROM:<a@b.c> AUTH=<>', '250 OK'],
      ['RSET', '250 Reset OK'],
      ['MAIL FROM:<a@b.c> AUTH=a+3Db@x.y', '250 OK'],
    ],
    log: [
      'mail: id=ph10 failed=0 by=plain as=s@x.y a1= 1=',
      'ignoring AUTH=no@x.y from H=(c) [127.0.0.1] (server_mail_auth_condition failed: authenticated ID="ph10")',
      'mail: id=ph10 failed=0 by=plain as= a1= 1=',
      'mail: id=ph10 failed=0 by=plain as= a1= 1=',
      'mail: id=ph10 failed=0 by=plain as=a=b@x.y a1= 1=',
    ],
  },
  {
    name: 'AUTH= of MAIL from one who is not',
    say: [['MAIL FROM:<a@b.c> AUTH=s@x.y', '250 OK']],
    log: [
      'ignoring AUTH=s@x.y from H=(c) [127.0.0.1] (client not authenticated)',
      'mail: id= failed=0 by= as= a1= 1=',
    ],
  },
  {
    name: 'AUTH is offered no more to whom it is of no use',
    say: [
      [`AUTH PLAIN ${good}`, '235 Authentication succeeded'],
      ['HELO d', '250 mx.example Hello d [127.0.0.1]'],
      [`AUTH PLAIN ${good}`, '503 AUTH command used when not advertised'],
    ],
  },
]

async function greeted(port: number): Promise<SmtpClient> {
  const client = await connectSmtp(port)
  await client.say('EHLO c')
  return client
}

/** Plays a row; gives what was really said, `CHALLENGE` for one of CRAM-MD5. */
async function play(port: number, row: Row): Promise<[string, string][]> {
  const client = await greeted(port)
  const heard: [string, string][] = []
  let challenge = ''
  for (const [line] of row.say) {
    const [, user = '', secret = ''] = /^CRAM (\S+) (\S+)$/.exec(line) ?? []
    const digest = createHmac('md5', secret).update(challenge).digest('hex')
    const reply = await client.say(user === '' ? line : encode(`${user} ${digest}`))
    const text = reply.raw.trimEnd() === '334' ? '334 ' : reply.raw.replace(/\r\n$/, '')
    challenge = Buffer.from(text.slice(4), 'base64').toString('latin1')
    const isChallenge = /^<.*@mx\.example>$/.test(challenge)
    heard.push([line, isChallenge ? '334 CHALLENGE' : text])
  }
  client.send('QUIT\r\n')
  await client.closed()
  return heard
}

/** New lines of a main log, without time, those of other topics left out. */
function logged(log: string): string[] {
  return log
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ /, ''))
    .filter((line) => /authenticator failed|^mail: |ignoring AUTH|rejected AUTH/.test(line))
}

/** The whole table against one program. */
function dialogues(program: () => StartedServer): void {
  for (const row of rows) {
    test(row.name, async () => {
      const server = program()
      const seen = server.log().length
      assert.deepEqual(await play(server.port, row), row.say)
      if (row.log === undefined) return
      const wanted = row.log
      await until(() => (logged(server.log().slice(seen)).length >= wanted.length ? true : undefined), 3000)
      assert.deepEqual(logged(server.log().slice(seen)), wanted)
    })
  }
}

describe('dialogues of Postern', () => {
  const folder = temporaryFolder('auth')
  let server: StartedServer
  before(async () => {
    server = await startServer({ configuration: main + authenticators, folder: folder.path })
  })
  after(async () => {
    await server.stop()
    folder.remove()
  })
  dialogues(() => server)

  test('mechanisms in the order of the file', async () => {
    const client = await connectSmtp(server.port)
    const { lines } = await client.say('EHLO c')
    const offered = lines.filter((line) => line.startsWith('AUTH'))
    assert.deepEqual(offered, ['AUTH PLAIN LOGIN CRAM-MD5 DEFER FAILER BROKEN NOPROMPTS CRAMBROKEN EXTERNAL'])
    client.end()
  })
  test('the arrival line has A=', async () => {
    const client = await greeted(server.port)
    await client.say(`AUTH PLAIN ${good}`)
    await client.say('MAIL FROM:<a@b.c> AUTH=s@x.y')
    await client.say('RCPT TO:<r@b.c>')
    await client.say('DATA')
    assert.equal((await client.say('Subject: x\r\n\r\nhi\r\n.')).code, 250)
    client.end()
    await server.logged(/ <= a@b\.c H=\(c\) \[127\.0\.0\.1\] P=esmtpa A=plain:ph10:s@x\.y /)
  })
  test('a line far too long is no base 64', async () => {
    const client = await greeted(server.port)
    await client.say('AUTH PLAIN')
    assert.equal((await client.say('A'.repeat(20_000))).raw, '501 Invalid base64 data\r\n')
    client.end()
  })
  test('before EHLO and after HELO, AUTH was not advertised', async () => {
    const client = await connectSmtp(server.port)
    for (const line of ['AUTH PLAIN', 'HELO c', 'AUTH PLAIN']) {
      const { raw } = await client.say(line)
      if (line !== 'HELO c') assert.equal(raw, '503 AUTH command used when not advertised\r\n')
    }
    client.end()
  })
})

const exim = process.getuid?.() === 0 ? fetchExim() : { missing: 'only root may start an Exim daemon' }
describe('the same dialogues of a real Exim', { skip: 'missing' in exim ? exim.missing : false }, () => {
  const folder = temporaryFolder('auth-exim')
  let server: StartedServer
  before(async () => {
    if ('missing' in exim) return
    const configuration = `exim_path = ${exim.path}\nkeep_environment =\n${main}${authenticators}`
    server = await startServer({ configuration, folder: folder.path, program: exim.path })
  })
  after(async () => {
    await server.stop()
    folder.remove()
  })
  dialogues(() => server)
})

describe('Postern as a client of Postern', { concurrency: 6 }, () => {
  const folder = temporaryFolder('auth-client')
  const other = temporaryFolder('auth-server')
  let server: StartedServer
  before(async () => {
    const configuration = `${main.replace('acl_smtp_rcpt = accept', 'acl_smtp_rcpt = check_rcpt')}${authenticators}${scram}`
    server = await startServer({
      configuration: configuration.replace(
        'check_mail:',
        'check_rcpt:\n  accept authenticated = *\n  deny message = authenticate first\ncheck_mail:',
      ),
      folder: other.path,
    })
  })
  after(async () => {
    await server.stop()
    folder.remove()
    other.remove()
  })

  const clients: readonly {
    readonly name: string
    readonly authenticator: string
    readonly transport?: string
    /** Of the delivery line, or of the line that says why not. */
    readonly expect: RegExp
  }[] = [
    {
      name: 'PLAIN, with client_set_id',
      authenticator:
        'public_name = PLAIN\n driver = plaintext\n client_send = ^ph10^secret\n client_set_id = me',
      expect: / => r@dest\.example .* A=mine:me .*C="250/,
    },
    {
      name: 'LOGIN',
      authenticator: 'public_name = LOGIN\n driver = plaintext\n client_send = : ph10 : secret',
      expect: / => r@dest\.example .* A=mine .*C="250/,
    },
    {
      name: 'CRAM-MD5',
      authenticator:
        'public_name = CRAM-MD5\n driver = cram_md5\n client_name = ph10\n client_secret = secret',
      expect: / => r@dest\.example .* A=mine .*C="250/,
    },
    {
      name: 'EXTERNAL',
      authenticator: 'public_name = EXTERNAL\n driver = external\n client_send = me',
      expect: / => r@dest\.example .* A=mine .*C="250/,
    },
    ...['SCRAM-SHA-1', 'SCRAM-SHA-256'].map((mechanism) => ({
      name: mechanism,
      authenticator: `public_name = ${mechanism}\n driver = gsasl\n client_username = ph10\n client_password = secret\n client_set_id = $auth1/$auth2`,
      expect: / => r@dest\.example .* A=mine:ph10\/4096 .*C="250/,
    })),
    {
      name: 'SCRAM with the wrong password',
      authenticator:
        'public_name = SCRAM-SHA-256\n driver = gsasl\n client_username = ph10\n client_password = no',
      transport: 'hosts_require_auth = *',
      expect: /defer \(-42\): authentication required but authentication attempt\(s\) failed/,
    },
    {
      name: 'the wrong password is not required',
      authenticator: 'public_name = PLAIN\n driver = plaintext\n client_send = ^ph10^wrong',
      expect: / \*\* r@dest\.example .*: 550 authenticate first/,
    },
    {
      name: 'no mechanism in common',
      authenticator: 'public_name = ELSE\n driver = plaintext\n client_send = ^ph10^wrong',
      transport: 'hosts_require_auth = *',
      expect: /defer \(-42\): authentication required but no common mechanisms were found/,
    },
    {
      name: 'a condition that says no',
      authenticator:
        'public_name = PLAIN\n driver = plaintext\n client_send = ^ph10^secret\n client_condition = ${if !eq{$tls_out_cipher}{}}',
      transport: 'hosts_require_auth = *',
      expect: /defer \(-42\): authentication required but no common mechanisms were found/,
    },
    {
      name: 'an expansion that fails',
      authenticator:
        'public_name = PLAIN\n driver = plaintext\n client_send = ${lookup{x}lsearch{/nonexistent}}',
      expect:
        /defer \(-48\): expansion of "\$\{lookup\{x\}lsearch\{\/nonexistent\}\}" failed in mine authenticator: failed to open/,
    },
  ]
  for (const [i, { name, authenticator, transport, expect }] of clients.entries()) {
    test(name, async () => {
      const path = join(folder.path, String(i))
      mkdirSync(path)
      chmodSync(path, 0o755)
      const client = await startServer({
        folder: path,
        configuration: `
primary_hostname = client.example
acl_smtp_rcpt = accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${server.port}
  authenticated_sender = as@c.example
  ${transport ?? 'hosts_try_auth = *'}
begin retry
* * F,1h,10m
begin authenticators
mine:
 ${authenticator}
`,
      })
      try {
        const smtp = await greeted(client.port)
        const reply = await smtp.deliver('s@c.example', ['r@dest.example'], 'Subject: x\n\nhi\n')
        assert.equal(reply.code, 250)
        smtp.end()
        await client.logged(expect)
        if (/ => /.test(expect.source)) await server.logged(/ <= s@c\.example .* P=esmtpa A=.*as@c\.example /)
      } finally {
        await client.stop()
      }
    })
  }
})

describe('Dovecot', () => {
  const folder = temporaryFolder('auth-dovecot')
  const path = join(folder.path, 'socket')
  const asked: string[] = []
  let stand: Server
  let server: StartedServer
  before(async () => {
    stand = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write(
        'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n',
      )
      socket.on('data', (bytes: Buffer) => {
        for (const line of bytes.toString('latin1').split('\n')) {
          const [word, id, first = '', ...more] = line.split('\t')
          if (word !== 'AUTH' && word !== 'CONT') continue
          asked.push(line)
          const data =
            word === 'CONT' ? first : (more.find((part) => part.startsWith('resp='))?.slice(5) ?? '')
          if (word === 'AUTH' && data === '') socket.write(`CONT\t${id}\t\n`)
          else if (data === good) socket.write(`OK\t${id}\tuser=ph10@mx\n`)
          else if (data === bad) socket.write(`FAIL\t${id}\tuser=ph10\n`)
          else socket.write(`FAIL\t${id}\tuser=ph10\ttemp\treason=database down\n`)
        }
      })
    })
    await new Promise<void>((resolve) => stand.listen(path, resolve))
    chmodSync(path, 0o777)
    server = await startServer({
      folder: folder.path,
      configuration: `${main}
dove:
  driver = dovecot
  public_name = PLAIN
  server_socket = ${path}
  server_set_id = $auth1
other:
  driver = dovecot
  public_name = NTLM
  server_socket = ${path}
gone:
  driver = dovecot
  public_name = LOGIN
  server_socket = ${path}.none
`,
    })
  })
  after(async () => {
    await server.stop()
    stand.close()
    folder.remove()
  })
  const facts: readonly (readonly [name: string, lines: readonly string[], last: string, log: string])[] = [
    ['accepts', [`AUTH PLAIN ${good}`], '235 Authentication succeeded', ''],
    ['accepts after a prompt', ['AUTH PLAIN', good], '235 Authentication succeeded', ''],
    [
      'refuses',
      [`AUTH PLAIN ${bad}`],
      '535 Incorrect authentication data',
      failed('dove', '535 Incorrect authentication data (set_id=ph10)'),
    ],
    [
      'cannot tell',
      [`AUTH PLAIN ${encode('x')}`],
      '435 Unable to authenticate at present',
      failed('dove', '435 Unable to authenticate at present (set_id=ph10): database down'),
    ],
    ['has not the mechanism', ['AUTH NTLM'], '435 Unable to authenticate at present', ''],
    [
      'is not there',
      ['AUTH LOGIN'],
      '435 Unable to authenticate at present',
      failed(
        'gone',
        `435 Unable to authenticate at present: unable to connect to UNIX socket (${path}.none): No such file or directory`,
      ),
    ],
  ]
  for (const [name, lines, last, log] of facts) {
    test(`Dovecot ${name}`, async () => {
      const client = await greeted(server.port)
      let reply = ''
      for (const line of lines) ({ raw: reply } = await client.say(line))
      client.end()
      assert.equal(reply, `${last}\r\n`)
      if (log !== '') {
        const found = await until(() => (logged(server.log()).includes(log) ? true : undefined), 3000)
        assert.ok(found, server.log())
      }
    })
  }
  test('Dovecot learns of the client', () => {
    assert.equal(
      asked[0],
      `AUTH\t1\tPLAIN\tservice=smtp\tsecured\trip=127.0.0.1\tlip=127.0.0.1\tnologin\tresp=${good}`,
    )
  })
})
