/** DKIM verification through the real program: a started daemon, a client over TCP, a name server of the test's own. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ed25519Key, rsaKey, signOddly } from './support/dkim-world.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const rsa = rsaKey(2048)
const ed = ed25519Key()
const short = rsaKey(768)
const txt = (text: string): ScriptedRecord[] => [{ type: 'TXT', data: text.match(/.{1,200}/g) ?? [''] }]
const zone: Zone = {
  'sel._domainkey.example.test TXT': txt(`v=DKIM1; k=rsa; p=${rsa.data}`),
  'ed._domainkey.example.test TXT': txt(`v=DKIM1; k=ed25519; p=${ed.data}`),
  'short._domainkey.example.test TXT': txt(`v=DKIM1; p=${short.data}`),
  'flags._domainkey.example.test TXT': txt(
    `v=DKIM1; t=y:s; n=a=20note; g=a*; s=email; h=sha256; p=${rsa.data}`,
  ),
  'sel._domainkey.other.test TXT': txt(`p=${rsa.data}`),
  'silent._domainkey.example.test TXT': 'silence',
  'garbage._domainkey.example.test TXT': 'garbage',
  'sf._domainkey.example.test TXT': 'servfail',
  'loop._domainkey.example.test TXT': [{ type: 'CNAME', data: 'loop._domainkey.example.test' }],
  'alias._domainkey.example.test TXT': [
    { type: 'CNAME', data: 'sel._domainkey.other.test' },
    ...txt(`p=${rsa.data}`).map((record) => ({ ...record, name: 'sel._domainkey.other.test' })),
  ],
  'huge._domainkey.example.test TXT': {
    truncated: [{ type: 'TXT', data: Array.from({ length: 250 }, () => 'p'.repeat(250)) }],
  },
}

const names = [
  'cur_signer',
  'verify_status',
  'verify_reason',
  'signers',
  'domain',
  'identity',
  'selector',
  'algo',
  'canon_body',
  'canon_headers',
  'copiedheaders',
  'bodylength',
  'created',
  'expires',
  'headernames',
  'key_testing',
  'key_nosubdomains',
  'key_srvtype',
  'key_granularity',
  'key_notes',
  'key_length',
] // prettier-ignore
const all = names.map((name) => `${name}=<$dkim_${name}>`).join(' ')

const configuration = `
primary_hostname = mx.test
acl_smtp_rcpt = at_rcpt
acl_smtp_predata = at_predata
acl_smtp_dkim = at_dkim
acl_smtp_data = at_data
dkim_verify_signers = \${if eq{$acl_m_signers}{}{$dkim_signers}{$acl_m_signers:$dkim_signers}}
host_lookup =
dns_retrans = 1s
dns_retry = 1
log_selector = +dkim_verbose
never_users =
begin acl
at_rcpt:
  accept  local_parts = relay
          control = dkim_disable_verify
  warn    set acl_m_what = $local_part
  warn    local_parts = paypal
          set acl_m_signers = paypal.test
  warn    local_parts = reception
          control = dkim_disable_verify
  accept
at_predata:
  accept
at_dkim:
  warn    logwrite = DK ${all}
  deny    condition = \${if eq{$acl_m_what}{deny}}
          message = no mail of $dkim_cur_signer
  defer   condition = \${if eq{$acl_m_what}{defer}}
          message = later
  drop    condition = \${if eq{$acl_m_what}{drop}}
          message = go away
  discard condition = \${if eq{$acl_m_what}{discard}}
  deny    dkim_signers = paypal.test : paypal.de
          dkim_status = none:invalid:fail
          message = Mail from Paypal with invalid/missing signature
  warn    condition = \${if eq{$acl_m_what}{set}}
          condition = \${if eq {$dkim_verify_status}{pass}}
          condition = \${if eq {\${length_3:$dkim_algo}}{rsa}}
          condition = \${if < {$dkim_key_length}{4096}}
          logwrite = NOTE: forcing DKIM verify fail (was pass)
          set dkim_verify_status = fail
          set dkim_verify_reason = hash too weak or key too short
  warn    dkim_signers = foo@example.test
          logwrite = it is foo
  warn    dkim_status = !pass
          logwrite = it is no pass
  warn    condition = \${if eq{$acl_m_what}{header}}
          add_header = X-Signer: $dkim_cur_signer
  accept
at_data:
  warn    logwrite = DA <$dkim_verify_status> <$dkim_verify_reason> <$h_X-Signer:>
          logwrite = AR \${sg{\${authresults{mx.test}}}{\\\\s+}{ }}
  warn    dkim_status = pass
          logwrite = DATA: one passes
  warn    dkim_status = none
          logwrite = DATA: none
  accept
begin routers
keep:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = FOLDER/mail
`

const folder = temporaryFolder('dkim')
let server: StartedServer
let dns: DnsServer
before(async () => {
  dns = await startDnsServer(zone)
  mkdirSync(join(folder.path, 'x'))
  chmodSync(folder.path, 0o777)
  server = await startServer({
    configuration: configuration.replace('FOLDER', folder.path),
    folder: folder.path,
    arguments: ['-odq'],
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
})
after(async () => {
  await server.stop()
  await dns.close()
  folder.remove()
})

const plain = [
  'From: A <a@example.test>',
  'To: b@here.test',
  'Subject: hello  there',
  'Date: Thu, 1 Jan 2026 00:00:00 +0000',
  '',
  'Hello  World ',
  '',
  '.dots',
  'bye',
  '',
  '',
].join('\r\n') // prettier-ignore

async function session<T>(use: (client: SmtpClient) => Promise<T>): Promise<T> {
  const client = await connectSmtp(server.port)
  try {
    await client.say('EHLO client.test')
    return await use(client)
  } finally {
    client.end()
  }
}

/** The reply, and the lines of the main log that carry the message's id, without time and id. */
async function send(
  message: string,
  to = 'all',
): Promise<{ readonly code: number; readonly text: string; readonly lines: readonly string[] }> {
  const from = server.log().length
  const reply = await session(async (client) => {
    await client.say('MAIL FROM:<a@example.test>')
    await client.say(`RCPT TO:<${to}@here.test>`)
    await client.say('DATA')
    client.send(`${message.replaceAll(/(?<=\r\n)\./g, '..')}.\r\n`)
    return client.reply()
  })
  const text = reply.lines.join(' ')
  const id = /id=(\S+)/.exec(text)?.[1]
  if (id !== undefined) await server.logged(new RegExp(`${id} (<=|=> blackhole)`))
  else await until(() => (/rejected/.test(server.log().slice(from)) ? true : undefined), 10_000)
  const lines = server
    .log()
    .slice(from)
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ (?:\w{6}-\w{6,11}-\w{2,4} )?/, ''))
    .filter((line) => line !== '')
  return { code: reply.code, text, lines }
}

test('DKIM: a good signature is shown to the ACL, logged, and named on the <= line', async () => {
  const { code, lines } = await send(signOddly(plain, rsa))
  assert.equal(code, 250)
  assert.deepEqual(lines.slice(0, 2), [
    'DK cur_signer=<example.test> verify_status=<pass> verify_reason=<> signers=<example.test> domain=<example.test> identity=<> selector=<sel> algo=<rsa-sha256> canon_body=<relaxed> canon_headers=<relaxed> copiedheaders=<> bodylength=<9999999999999> created=<0> expires=<9999999999999> headernames=<from:to:subject:date> key_testing=<0> key_nosubdomains=<0> key_srvtype=<*> key_granularity=<*> key_notes=<> key_length=<2048>',
    'DKIM: d=example.test s=sel c=relaxed/relaxed a=rsa-sha256 b=2048 [verification succeeded]',
  ])
  assert.ok(
    lines.includes(
      'AR Authentication-Results: mx.test; dkim=pass header.d=example.test header.s=sel header.a=rsa-sha256',
    ),
  )
  assert.ok(lines.includes('DATA: one passes'))
  assert.match(lines.join('\n'), /^<= a@example\.test .* S=\d+ DKIM=example\.test/m)
})

test('DKIM: all tags and the flags of the key are variables', async () => {
  const now = Math.floor(Date.now() / 1000)
  const tags = {
    i: 'foo@example.test',
    t: `${now - 10}`,
    x: `${now + 1000}`,
    l: '10',
    z: 'From:foo|To:b=20ar',
  }
  const { lines } = await send(signOddly(plain, rsa, { s: 'flags', tags }))
  assert.equal(
    lines[0],
    `DK cur_signer=<example.test> verify_status=<pass> verify_reason=<> signers=<example.test:foo@example.test> domain=<example.test> identity=<foo@example.test> selector=<flags> algo=<rsa-sha256> canon_body=<relaxed> canon_headers=<relaxed> copiedheaders=<From:foo|To:b ar> bodylength=<10> created=<${now - 10}> expires=<${now + 1000}> headernames=<from:to:subject:date> key_testing=<1> key_nosubdomains=<1> key_srvtype=<email> key_granularity=<a*> key_notes=<a note> key_length=<2048>`,
  )
  assert.equal(
    lines[1],
    `DKIM: d=example.test s=flags c=relaxed/relaxed a=rsa-sha256 b=2048 i=foo@example.test t=${now - 10} x=${now + 1000} l=10 [verification succeeded]`,
  )
  assert.match(lines[2] ?? '', /^DK cur_signer=<foo@example\.test> verify_status=<pass>/)
  assert.ok(lines.includes('it is foo'))
  assert.ok(lines.includes('DA <pass:pass> <> <>'))
})

const bad = [
  {
    says: 'a changed body',
    sign: () => signOddly(plain, rsa).replace('bye', 'bya'),
    line: '[verification failed - body hash mismatch (body probably modified in transit)]',
    result: 'fail (body hash mismatch; body probably modified in transit)',
    status: '<fail> <bodyhash_mismatch>',
  },
  {
    says: 'a changed header',
    sign: () => signOddly(plain, rsa).replace('hello', 'hullo'),
    line: '[verification failed - signature did not verify (headers probably modified in transit)]',
    result: 'fail (signature did not verify; headers probably modified in transit)',
    status: '<fail> <signature_incorrect>',
  },
  {
    says: 'a short key',
    sign: () => signOddly(plain, short, { s: 'short' }),
    line: '[verification failed - signature invalid (key too short)]',
    result: 'fail (public key too short: 768 bits)',
    status: '<fail> <pubkey_too_short>',
  },
  {
    says: 'no key',
    sign: () => signOddly(plain, rsa, { s: 'none' }),
    line: '[invalid - public key record (currently?) unavailable]',
    result: 'permerror (pubkey unavailable)',
    status: '<invalid> <pubkey_unavailable>',
  },
  {
    says: 'SERVFAIL',
    sign: () => signOddly(plain, rsa, { s: 'sf' }),
    line: '[invalid - public key record (currently?) unavailable]',
    result: 'temperror (pubkey unavailable)',
    status: '<invalid> <pubkey_unavailable>',
  },
  {
    says: 'a DNS that is silent',
    sign: () => signOddly(plain, rsa, { s: 'silent' }),
    line: '[invalid - public key record (currently?) unavailable]',
    result: 'temperror (pubkey unavailable)',
    status: '<invalid> <pubkey_unavailable>',
  },
  {
    says: 'a DNS that answers garbage',
    sign: () => signOddly(plain, rsa, { s: 'garbage' }),
    line: '[invalid - public key record (currently?) unavailable]',
    result: 'temperror (pubkey unavailable)',
    status: '<invalid> <pubkey_unavailable>',
  },
  {
    says: 'a CNAME that leads to itself',
    sign: () => signOddly(plain, rsa, { s: 'loop' }),
    line: '[invalid - public key record (currently?) unavailable]',
    result: 'temperror (pubkey unavailable)',
    status: '<invalid> <pubkey_unavailable>',
  },
  {
    says: 'a record of 62 KB',
    sign: () => signOddly(plain, rsa, { s: 'huge' }),
    line: '[invalid - syntax error in public key record]',
    result: 'permerror (public key record import problem)',
    status: '<invalid> <pubkey_syntax>',
  },
  {
    says: 'another version',
    sign: () => signOddly(plain, rsa, { tags: { v: '2' } }),
    line: '[invalid - unsupported DKIM version]',
    result: 'neutral (unsupported DKIM version)',
    status: '<invalid> <>',
  },
  {
    says: 'a bare LF in the body',
    sign: () => signOddly(plain, rsa).replace('World \r\n', 'World \n'),
    line: '[verification failed - body hash mismatch (body probably modified in transit)]',
    result: 'fail (body hash mismatch; body probably modified in transit)',
    status: '<fail> <bodyhash_mismatch>',
  },
] // prettier-ignore
for (const { says, sign, line, result, status } of bad) {
  test(`DKIM: ${says}: refused in no log line, header or variable`, async () => {
    const { code, lines } = await send(sign())
    assert.equal(code, 250)
    const found = lines.find((one) => one.startsWith('DKIM:') && !one.includes('[failed key import]'))
    assert.ok(found?.endsWith(line), lines.join('\n'))
    const results = lines.find((one) => one.startsWith('AR '))
    assert.ok(results?.includes(`dkim=${result} header.d=example.test`), results)
    assert.ok(lines.includes(`DA ${status} <>`), lines.join('\n'))
    assert.ok(lines.includes('it is no pass'))
    assert.doesNotMatch(lines.join('\n'), /<= .*DKIM=/)
  })
}

test('DKIM: a CNAME to a key of another domain is followed', async () => {
  const { lines } = await send(signOddly(plain, rsa, { s: 'alias' }))
  assert.match(lines.join('\n'), /s=alias .*\[verification succeeded\]/)
})

test('DKIM: two signatures, two signers with an identity: four runs; the last that passes is on the <= line', async () => {
  const inner = signOddly(plain, rsa, { d: 'other.test', tags: { i: '@x.other.test' } })
  const { lines } = await send(
    signOddly(inner, ed, { a: 'ed25519-sha256', s: 'ed', tags: { i: 'foo@Example.test' } }).replace(
      'b=',
      'b=AAAA',
    ),
  )
  const signers = lines.flatMap(
    (line) => /^DK cur_signer=<(.*?)> verify_status=<(.*?)>/.exec(line)?.slice(1, 3).join(' ') ?? [],
  )
  assert.deepEqual(signers, [
    'example.test fail',
    'foo@Example.test fail',
    'other.test pass',
    '@x.other.test pass',
  ])
  assert.ok(lines.includes('DA <fail:fail:pass:pass> <> <>'))
  assert.match(lines.join('\n'), /<= .*DKIM=other\.test/)
})

test('DKIM: dkim_verify_signers asks for a signer who did not sign', async () => {
  const refused = await send(signOddly(plain, rsa), 'paypal')
  assert.deepEqual([refused.code, refused.text], [550, 'Mail from Paypal with invalid/missing signature'])
  assert.match(
    refused.lines.at(-1) ?? '',
    /^H=\(client\.test\) \[127\.0\.0\.1\] rejected DKIM : Mail from Paypal with invalid\/missing signature$/,
  )
  assert.match(server.log('reject'), /rejected DKIM : Mail from Paypal[^]*DKIM-Signature: v=1/)
})

for (const [to, code, text, line] of [
  ['deny', 550, 'no mail of example.test', 'rejected DKIM : no mail of example.test'],
  ['defer', 451, 'later', 'temporarily rejected DKIM : later'],
  ['drop', 550, 'go away', 'rejected DKIM : go away'],
] as const) {
  test(`DKIM: the ACL can ${to}`, async () => {
    const refused = await send(signOddly(plain, rsa), to)
    assert.deepEqual([refused.code, refused.text], [code, text])
    assert.ok(
      refused.lines.some((one) => one.endsWith(line)),
      refused.lines.join('\n'),
    )
    assert.ok(refused.lines.some((one) => one.endsWith('[verification succeeded]')))
  })
}

test('DKIM: the ACL can discard', async () => {
  const { code, lines } = await send(signOddly(plain, rsa), 'discard')
  assert.equal(code, 250)
  assert.ok(lines.includes('=> blackhole (DKIM ACL discarded recipients)'))
  assert.ok(!lines.some((line) => line.startsWith('DA ')))
})

test('DKIM: the ACL can override a result', async () => {
  const { lines } = await send(signOddly(plain, rsa), 'set')
  assert.ok(lines.includes('NOTE: forcing DKIM verify fail (was pass)'))
  assert.ok(
    lines.includes(
      'DKIM: d=example.test s=sel c=relaxed/relaxed a=rsa-sha256 b=2048 [fail - hash too weak or key too short]',
    ),
  )
  assert.ok(lines.includes('DA <fail> <hash too weak or key too short> <>'))
  assert.ok(
    lines.some((line) =>
      line.includes('dkim=policy (fail - hash too weak or key too short) header.d=example.test'),
    ),
  )
  assert.doesNotMatch(lines.join('\n'), /<= .*DKIM=/)
})

test('DKIM: headers added in the ACL are seen in the next', async () => {
  const { lines } = await send(signOddly(plain, rsa), 'header')
  assert.ok(
    lines.some((line) => line.startsWith('DA ') && line.includes('example.test>')),
    lines.join('\n'),
  )
})

test('DKIM: control = dkim_disable_verify: nothing is checked, no key is asked for', async () => {
  const asked = dns.queries.length
  const { lines } = await send(signOddly(plain, rsa, { s: 'never' }), 'reception')
  assert.ok(lines.includes('DA <> <> <>'))
  assert.ok(lines.includes('DATA: none'))
  assert.ok(!lines.some((line) => line.startsWith('DKIM:') || line.startsWith('DK ')))
  assert.deepEqual(dns.queries.slice(asked), [])
})

test('DKIM: an unsigned message has no results', async () => {
  const { lines } = await send(plain)
  assert.ok(lines.includes('DA <> <> <>'))
  assert.ok(lines.includes('AR Authentication-Results: mx.test; none'))
})

test('DKIM: a signature verifies over BDAT, cut in the middle of lines', async () => {
  const message = signOddly(plain, rsa)
  const cuts = [0, 100, 400, message.length - 12, message.length - 1, message.length]
  const reply = await session(async (client) => {
    await client.say('MAIL FROM:<a@example.test>')
    await client.say('RCPT TO:<bdat@here.test>')
    let last = await client.say('NOOP')
    for (const [i, start] of cuts.slice(0, -1).entries()) {
      const end = cuts[i + 1] ?? message.length
      client.send(
        `BDAT ${end - start}${end === message.length ? ' LAST' : ''}\r\n${message.slice(start, end)}`,
      )
      last = await client.reply()
    }
    return last
  })
  const id = /id=(\S+)/.exec(reply.lines.join(' '))?.[1] ?? 'none'
  const [line] = await server.logged(new RegExp(`${id} <= .*`))
  assert.match(line, /DKIM=example\.test/)
})

test('DKIM: nothing of a signature reaches the log as a line of its own', async () => {
  const evil = signOddly(plain, rsa, { tags: { i: '=0D=0A2026-01-01 00:00:00 forged <= x@example.test' } })
  const { lines } = await send(evil)
  assert.doesNotMatch(lines.join('\n'), /^2026-01-01/m)
  assert.ok(
    lines.some((line) => line.includes('i=\\r\\n2026-01-01')),
    lines.join('\n'),
  )
})
