/** SPF through the real program: requirements S1 to S11, with a name server of the test's own. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import { type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const txt = (...strings: (string | Buffer)[]): ScriptedRecord => ({ type: 'TXT', data: strings })
const address = (data: string): ScriptedRecord => ({ type: 'A', data })

const longName = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.test`
const zone: Zone = {
  [`${longName} TXT`]: [txt('v=spf1 ', 'x'.repeat(250), 'y'.repeat(250), ' -all')],
  'pass.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  'fail.test TXT': [txt('v=spf1 -all')],
  'why.test TXT': [txt('v=spf1 -all exp=because.why.test')],
  'because.why.test TXT': [txt('%{i} is no host of %{d}')],
  'softfail.test TXT': [txt('v=spf1 ~all')],
  'neutral.test TXT': [txt('v=spf1 ?all')],
  'permerror.test TXT': [txt('v=spf1 foo:bar -all')],
  'temperror.test TXT': 'servfail',
  'none.test TXT': [txt('nothing to see')],
  'none.test A': [address('127.0.0.1')],
  'aol.com TXT': [txt('v=spf1 ip4:192.0.2.1 ?all')],
  'other.test TXT': [txt('v=spf1 ip4:192.0.2.1 ?all')],
  'helo.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  'badhelo.test TXT': [txt('v=spf1 -all')],
  'many.test TXT': [txt('v=spf1 include:one.many.test include:two.many.test a mx -all')],
  'one.many.test TXT': [txt('v=spf1 ip4:192.0.2.1 -all')],
  'two.many.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  // What strangers publish.
  'control.test TXT': [txt('v=spf1 exp=text.control.test -all')],
  'text.control.test TXT': [txt(Buffer.from('one\r\nX-Evil: two\0three'))],
  'evil.test TXT': [txt(Buffer.from('v=spf1 foo\r\nX-Evil:bar -all'))],
  'silent.test TXT': 'silence',
  'garbage.test TXT': 'garbage',
  'loop.test TXT': [txt('v=spf1 include:loop.test -all')],
  'rloop.test TXT': [txt('v=spf1 redirect=rloop.test')],
  'cname.test TXT': [{ type: 'CNAME', data: 'cname.test' }],
  'huge.test TXT': {
    truncated: [txt(...Array.from({ length: 240 }, () => 'v=spf1 ip4:192.0.2.1 '.padEnd(250)))],
  },
  'flood.test TXT': {
    truncated: Array.from({ length: 400 }, (_, i) => txt(`v=spf1 ip4:192.0.2.${i % 256} -all`)),
  },
  'mxflood.test TXT': [txt('v=spf1 mx -all')],
  'mxflood.test MX': Array.from({ length: 20 }, (_, i) => ({
    type: 'MX',
    data: { preference: 1, exchange: `h${i}.mxflood.test` },
  })),
  'voids.test TXT': [txt('v=spf1 a:a.voids.test a:b.voids.test a:c.voids.test ip4:127.0.0.1 -all')],
  'terms.test TXT': [
    txt(
      `v=spf1 ${Array.from({ length: 11 }, () => 'a:none.test')
        .join(' ')
        .replaceAll('a:', 'exists:x.')} -all`,
    ),
  ],
  'macro.test TXT': [txt('v=spf1 exists:%{p}.%{l}.p.macro.test -all')],
  '1.0.0.127.in-addr.arpa PTR': [{ type: 'PTR', data: 'host.pass.test' }],
  'host.pass.test A': [address('127.0.0.1')],
  'host.pass.test.x.p.macro.test A': [address('127.0.0.2')],
}
const results = ['pass', 'fail', 'softfail', 'none', 'neutral', 'permerror', 'temperror']

const configuration = `
primary_hostname = mx.test
domainlist local_domains = here.test
acl_smtp_mail = at_mail
acl_smtp_rcpt = at_rcpt
acl_smtp_data = at_data
acl_smtp_predata = at_predata
smtp_accept_max_nonmail = 1000
host_lookup =
dns_retrans = 1s
dns_retry = 1
log_selector = +spf +spf_verbose
never_users =
begin acl
at_mail:
  deny    senders = at-mail@*
          spf = fail
          message = MAIL says $spf_result
  accept
at_rcpt:
  deny    local_parts = before
          message = <$spf_result> <$spf_received> <$spf_header_comment> <$spf_smtp_comment> <$spf_used_domain>
  deny    local_parts = word
          spf = pass
          message = result pass
  deny    local_parts = word
          spf = fail
          message = result fail
  deny    local_parts = word
          spf = softfail
          message = result softfail
  deny    local_parts = word
          spf = none
          message = result none
  deny    local_parts = word
          spf = neutral
          message = result neutral
  deny    local_parts = word
          spf = permerror
          message = result permerror
  deny    local_parts = word
          spf = temperror
          message = result temperror
  deny    local_parts = errors
          spf = permerror
          message = your record is broken
  defer   local_parts = errors
          spf = temperror
          message = try later
  deny    local_parts = old
          spf = err_perm
          message = old word err_perm
  deny    local_parts = old
          spf = err_temp
          message = old word err_temp
  deny    local_parts = negated
          spf = !pass : !pass
          message = not pass
  deny    local_parts = both
          spf = !fail : !pass
          message = anything
  deny    local_parts = none-of
          !spf = pass : neutral
          message = neither
  deny    local_parts = list
          spf = neutral:softfail:!none
          message = listed
  deny    message = $sender_host_address is not allowed to send mail from \${if def:sender_address_domain {$sender_address_domain}{$sender_helo_name}}.  \\
              Please see http://www.example.org/Why?scope=\${if def:sender_address_domain {mfrom}{helo}};identity=\${if def:sender_address_domain {$sender_address}{$sender_helo_name}};ip=$sender_host_address
          local_parts = example
          spf = fail
  deny    message = AOL sender, but not from AOL-approved relay.
          local_parts = aol
          sender_domains = aol.com
          spf = fail:neutral
  deny    local_parts = variables
          spf = *
          message = R=$spf_result|H=$spf_header_comment|V=$spf_received|S=$spf_smtp_comment|U=$spf_used_domain|G=$spf_result_guessed
  deny    local_parts = received
          spf = *
          message = $spf_received
  deny    local_parts = comment
          spf_guess = *
          message = $spf_smtp_comment
  deny    local_parts = guess
          spf_guess = pass:fail:softfail:neutral:none:permerror:temperror
          message = R=$spf_result|G=$spf_result_guessed|$spf_guess
  deny    local_parts = lookup
          message = \${lookup{$sender_address}spf{$sender_host_address}} \${lookup{a@pass.test}spf{2001:db8::1}} \${lookup{a@pass.test}spf{nonsense}{found}{not found}}
  deny    local_parts = authresults
          spf = *
          message = \${sg{\${authresults{mx.test}}}{\\n\\t}{|}}
  warn    local_parts = twice : kept
          spf = *
  warn    local_parts = twice
          spf_guess = *
  warn    local_parts = kept
          add_header = :at_start:$spf_received
  require domains = +local_domains
  accept
at_predata:
  accept  spf = *
at_data:
  deny    condition = \${if eq{$h_subject:}{refuse}}
          spf = fail : softfail
          message = DATA says $spf_result
  accept
begin routers
r:
  driver = accept
  transport = t
begin transports
t:
  driver = appendfile
  file = FOLDER/mail/mbox
  user = mail
`

let dns: DnsServer
let server: StartedServer
const folder = temporaryFolder('spf')

before(async () => {
  dns = await startDnsServer(zone)
  // The delivery runs as another user.
  mkdirSync(join(folder.path, 'mail'))
  chmodSync(join(folder.path, 'mail'), 0o777)
  server = await startServer({
    configuration: configuration.replace('FOLDER', folder.path),
    folder: folder.path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
})
after(async () => {
  await server.stop()
  await dns.close()
  folder.remove()
})

async function session(use: (client: SmtpClient) => Promise<void>, helo = 'helo.test'): Promise<void> {
  const client = await connectSmtp(server.port)
  try {
    await client.say(`EHLO ${helo}`)
    await use(client)
  } finally {
    client.end()
  }
}

/** The reply to RCPT, on one line. */
async function ask(client: SmtpClient, sender: string, localPart: string): Promise<string> {
  await client.say('RSET')
  const mail = await client.say(`MAIL FROM:<${sender}>`)
  if (mail.code !== 250) return `${mail.code} ${mail.lines.join(' ')}`
  const reply = await client.say(`RCPT TO:<${localPart}@here.test>`)
  return `${reply.code} ${reply.lines.join(' ')}`
}

test('S1: spf works in the MAIL, RCPT, predata and DATA ACLs', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'at-mail@fail.test', 'x'), '550 MAIL says fail')
    assert.equal(await ask(client, 'a@fail.test', 'word'), '550 result fail')
    await client.say('RSET')
    const reply = await client.deliver('a@softfail.test', ['x@here.test'], 'Subject: refuse\r\n\r\nText\r\n')
    assert.equal(`${reply.code} ${reply.lines.join(' ')}`, '550 DATA says softfail')
  }))

test('S1: in RCPT it can depend on the recipient', () =>
  session(async (client) => {
    assert.equal((await ask(client, 'a@fail.test', 'word')).slice(0, 3), '550')
    assert.equal((await ask(client, 'a@fail.test', 'optedout')).slice(0, 3), '250')
  }))

test('S1: use in another ACL is told with its place', () => {
  const file = join(folder.path, 'misplaced.conf')
  for (const [option, name] of [
    ['acl_smtp_connect', 'connection'],
    ['acl_smtp_helo', 'EHLO or HELO'],
    ['acl_not_smtp', 'non-SMTP'],
  ]) {
    writeFileSync(file, `${option} = it\nbegin acl\nit:\n  accept spf = pass\n`)
    const { stdout, stderr } = server.command('-C', file, '-bV')
    assert.match(stdout + stderr, new RegExp(`cannot test spf condition in ${name} ACL`))
  }
})

test('S2: each result has its word', () =>
  session(async (client) => {
    for (const word of results) {
      assert.match(await ask(client, `a@${word}.test`, 'word'), new RegExp(`^550 result ${word}$`))
    }
  }))

test('S3: permerror may be refused and temperror put off', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'a@permerror.test', 'errors'), '550 your record is broken')
    assert.equal(await ask(client, 'a@temperror.test', 'errors'), '451 try later')
    assert.equal((await ask(client, 'a@neutral.test', 'errors')).slice(0, 3), '250')
  }))

test('S4: err_perm and err_temp mean what their names say, with a warning', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'a@permerror.test', 'old'), '550 old word err_perm')
    assert.equal(await ask(client, 'a@temperror.test', 'old'), '550 old word err_temp')
    assert.match(server.output(), /"err_perm" is deprecated: it means permerror/)
  }))

test('S5: ! inverts an item, items stand alone, and nothing that matches is false', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'a@fail.test', 'negated'), '550 not pass')
    assert.equal((await ask(client, 'a@pass.test', 'negated')).slice(0, 3), '250')
    for (const word of ['pass', 'fail', 'none'])
      assert.equal(await ask(client, `a@${word}.test`, 'both'), '550 anything')
    assert.equal(await ask(client, 'a@fail.test', 'none-of'), '550 neither')
    assert.equal((await ask(client, 'a@neutral.test', 'none-of')).slice(0, 3), '250')
    assert.equal(await ask(client, 'a@fail.test', 'list'), '550 listed')
    assert.equal((await ask(client, 'a@none.test', 'list')).slice(0, 3), '250')
    assert.match(server.output(), /"spf = !fail : !pass" is true for every result/)
  }))

test('S6: the example with the message before its condition; an empty sender asks for the HELO name', async () => {
  await session(async (client) => {
    assert.equal(
      await ask(client, 'a@fail.test', 'example'),
      '550 127.0.0.1 is not allowed to send mail from fail.test.  Please see http://www.example.org/Why?scope=mfrom;identity=a@fail.test;ip=127.0.0.1',
    )
    assert.equal((await ask(client, '', 'example')).slice(0, 3), '250')
  })
  await session(async (client) => {
    assert.equal(
      await ask(client, '', 'example'),
      '550 127.0.0.1 is not allowed to send mail from badhelo.test.  Please see http://www.example.org/Why?scope=helo;identity=badhelo.test;ip=127.0.0.1',
    )
  }, 'badhelo.test')
})

test('S7: the example for one domain, its list without spaces', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'a@aol.com', 'aol'), '550 AOL sender, but not from AOL-approved relay.')
    assert.equal((await ask(client, 'a@other.test', 'aol')).slice(0, 3), '250')
  }))

test('S8: the variables are empty before the check and say what was found after it', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'a@fail.test', 'before'), '550 <> <> <> <> <>')
    assert.equal(
      await ask(client, 'a@pass.test', 'variables'),
      '550 R=pass|H=mx.test: domain of pass.test designates 127.0.0.1 as permitted sender|V=Received-SPF: pass (mx.test: domain of pass.test designates 127.0.0.1 as permitted sender) client-ip=127.0.0.1; envelope-from="a@pass.test"; helo=helo.test; receiver=mx.test; identity=mailfrom; mechanism="ip4:127.0.0.1";|S=|U=pass.test|G=no',
    )
    assert.match(
      await ask(client, 'a@why.test', 'variables'),
      /\|S=SPF: 127\.0\.0\.1 is not allowed to send mail from why\.test; why\.test explains: 127\.0\.0\.1 is no host of why\.test\|U=why\.test\|G=no$/,
    )
    assert.match(
      await ask(client, '', 'variables'),
      /^550 R=pass\|.*envelope-from="postmaster@helo\.test"; helo=helo\.test; receiver=mx\.test; identity=helo;/,
    )
    // The next message knows nothing of the last.
    assert.equal(await ask(client, 'a@fail.test', 'before'), '550 <> <> <> <> <>')
  }))

test('S8: $spf_smtp_comment says no more than the result, and does not call a guess SPF', () =>
  session(async (client) => {
    const rows: readonly (readonly [sender: string, comment: string])[] = [
      ['fail.test', 'SPF: 127.0.0.1 is not allowed to send mail from fail.test'],
      ['softfail.test', 'SPF: 127.0.0.1 is not known to be allowed to send mail from softfail.test'],
      ['neutral.test', 'SPF: 127.0.0.1 is not known to be allowed to send mail from neutral.test'],
      ['unknown.test', '127.0.0.1 is not known to be allowed to send mail from unknown.test'],
    ]
    for (const [sender, comment] of rows)
      assert.equal(await ask(client, `a@${sender}`, 'comment'), `550 ${comment}`)
  }))

test('S8: $spf_received stands at the top of the message; the line of arrival tells the result', () =>
  session(async (client) => {
    const reply = await client.deliver('a@pass.test', ['kept@here.test'], 'Subject: kept\r\n\r\nText\r\n')
    assert.equal(reply.code, 250)
    await server.logged(/=> kept <kept@here\.test>/)
    const mailbox = readFileSync(join(folder.path, 'mail', 'mbox'), 'latin1')
    const lines = mailbox.slice(mailbox.lastIndexOf('From a@pass.test')).split('\n')
    const top = lines.findIndex((line) => line.startsWith('Received-SPF: pass (mx.test: domain of pass.test'))
    const received = lines.findIndex((line) => line.startsWith('Received: '))
    assert.ok(top > 0 && top < received, lines.join('\n'))
    assert.match(server.log(), /<= a@pass\.test .* SPF=pass/)
    assert.match(
      server.log(),
      /SPF: pass mfrom=pass\.test ip=127\.0\.0\.1 helo=helo\.test \(ip4:127\.0\.0\.1\)/,
    )
  }))

test('S9: spf_guess asks the guessed record for domains that have none', () =>
  session(async (client) => {
    const guess = 'v=spf1 a/24 mx/24 ptr ?all'
    assert.equal(await ask(client, 'a@none.test', 'guess'), `550 R=pass|G=yes|${guess}`)
    assert.equal(await ask(client, 'a@fail.test', 'guess'), `550 R=fail|G=no|${guess}`)
    assert.equal(await ask(client, 'a@temperror.test', 'guess'), `550 R=temperror|G=no|${guess}`)
    // After it, spf gives its own result again.
    assert.equal(await ask(client, 'a@none.test', 'word'), '550 result none')
  }))

test('S10: the lookup gives the word of the result, for IPv4 and IPv6', () =>
  session(async (client) => {
    for (const word of results) {
      assert.equal(await ask(client, `a@${word}.test`, 'lookup'), `550 ${word} fail not found`)
    }
  }))

test('S11: one evaluation for a sender and a message, whatever asks; the limits of the RFC', () =>
  session(async (client) => {
    const lines = () => server.log().match(/SPF: \w+ mfrom=many\.test/g)?.length ?? 0
    await client.say('RSET')
    await client.say('MAIL FROM:<a@many.test>')
    for (const name of ['twice', 'variables', 'twice', 'word'])
      await client.say(`RCPT TO:<${name}@here.test>`)
    // One for spf, one for spf_guess.
    assert.equal(lines(), 2)
    assert.equal(dns.queries.filter((query) => query === 'two.many.test TXT').length, 1)
    for (const name of ['loop', 'rloop', 'mxflood', 'voids', 'terms', 'flood', 'evil']) {
      assert.equal(await ask(client, `a@${name}.test`, 'word'), '550 result permerror', name)
    }
  }))

test('authresults has an SPF part', () =>
  session(async (client) => {
    assert.equal(
      await ask(client, 'a@pass.test', 'authresults'),
      '550 Authentication-Results: mx.test;|spf=pass smtp.mailfrom=pass.test',
    )
    assert.equal(
      await ask(client, '', 'authresults'),
      '550 Authentication-Results: mx.test;|spf=pass smtp.helo=helo.test',
    )
  }))

test('control characters of the DNS and of clients reach neither replies, nor headers, nor logs', () =>
  session(async (client) => {
    assert.match(await ask(client, 'a@control.test', 'variables'), /R=fail\|.*\|S=SPF: [^;]* control\.test\|/)
    const evil = await ask(client, 'a@evil.test', 'variables')
    assert.match(evil, /^550 R=permerror\|/)
    assert.doesNotMatch(evil + server.log(), /X-Evil/)
  }))

test('Received-SPF: is a line of lawful length, whatever the names and the record are', async () => {
  const client = await connectSmtp(server.port)
  try {
    await client.say(`EHLO ${longName}`)
    const reply = await ask(client, `${'l'.repeat(60)}@${longName}`, 'received')
    assert.match(
      reply,
      /Received-SPF: permerror \(mx\.test: error in processing .*; identity=mailfrom; problem=".*";$/,
    )
    // The code and the blank after it are none of it.
    assert.ok(reply.length - 4 <= 998, `${reply.length - 4}`)
  } finally {
    client.end()
  }
})

test('names from macros: %{p} and %{l}', () =>
  session(async (client) => {
    assert.equal(await ask(client, 'x@macro.test', 'word'), '550 result pass')
    assert.equal(await ask(client, 'y@macro.test', 'word'), '550 result fail')
  }))

test('servers that say nonsense or nothing: temperror, while other sessions go on', async () => {
  await session(async (client) => {
    assert.equal(await ask(client, 'a@cname.test', 'word'), '550 result temperror')
    assert.equal(await ask(client, 'a@huge.test', 'word'), '550 result permerror')
  })
  const slow = Promise.all(
    ['silent', 'garbage'].map((name) =>
      session(async (client) =>
        assert.equal(await ask(client, `a@${name}.test`, 'word'), '550 result temperror'),
      ),
    ),
  )
  await session(async (client) => {
    const start = performance.now()
    assert.equal(await ask(client, 'a@fail.test', 'word'), '550 result fail')
    assert.ok(performance.now() - start < 2000)
  })
  await slow
})

test('nothing was left behind in the panic log', () => {
  assert.equal(server.log('panic'), '')
})
