/** DMARC through the real program: requirements D1 to D20, with a name server of the test's own. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type OddSignature, rsaKey, signOddly } from './support/dkim-world.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp, type Reply } from './support/smtp-client.ts'

const txt = (...strings: string[]): ScriptedRecord => ({ type: 'TXT', data: strings })
const pass = txt('v=spf1 ip4:127.0.0.1 -all')

const key = rsaKey(2048)
const keyRecord = txt(...(`v=DKIM1; k=rsa; p=${key.data}`.match(/.{1,255}/g) ?? []))

const zone: Zone = {
  'sel._domainkey.reject.test TXT': [keyRecord],
  'sel._domainkey.mail.reject.test TXT': [keyRecord],
  'sel._domainkey.pass.test TXT': [keyRecord],
  'down._domainkey.reject.test TXT': 'servfail',
  'sel._domainkey.down.attack.test TXT': 'servfail',
  // Policies; the sender domain that SPF passes is pass.test.
  'pass.test TXT': [pass],
  '_dmarc.reject.test TXT': [
    txt('v=DMARC1; p=reject; rua=mailto:agg@reject.test; ruf=mailto:ruf@reject.test'),
  ],
  'reject.test TXT': [pass],
  'sub.reject.test TXT': [pass],
  '_dmarc.quarantine.test TXT': [txt('v=DMARC1; p=quarantine')],
  '_dmarc.none.test TXT': [txt('v=DMARC1; p=none')],
  'none.test TXT': [pass],
  '_dmarc.broken.test TXT': [txt('v=DMARC1; p=nonsense')],
  '_dmarc.down.test TXT': 'servfail',
  '_dmarc.strict.test TXT': [txt('v=DMARC1; p=reject; aspf=s')],
  'mail.strict.test TXT': [pass],
  '_dmarc.pct.test TXT': [txt('v=DMARC1; p=reject; pct=0')],
  '_dmarc.sp.test TXT': [txt('v=DMARC1; p=none; sp=quarantine; np=reject')],
  'sub.sp.test A': [{ type: 'A', data: '192.0.2.1' }],
  '_dmarc.testing.test TXT': [txt('v=DMARC1; p=reject; t=y')],
  '_dmarc.screwed.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@screwed.test')],
}

const shared = `
primary_hostname = mx.test
qualify_domain = here.test
domainlist local_domains = here.test
host_lookup =
dns_retrans = 1s
dns_retry = 1
smtp_accept_max_nonmail = 1000
smtp_accept_max = 200
never_users =
begin routers
r:
  driver = accept
  transport = t
begin transports
t:
  driver = appendfile
  file = FOLDER/mail/all
  envelope_to_add
  user = mail
`

/** The variables of DMARC as DATA refuses with them. */
const told = `S=$dmarc_status|T=$dmarc_status_text|U=$dmarc_used_domain|P=$dmarc_domain_policy|AS=$dmarc_alignment_spf|AD=$dmarc_alignment_dkim|AR=$dmarc_ar_header`

const configuration = `
log_selector = +dmarc +dmarc_verbose
acl_smtp_connect = at_connect
acl_smtp_helo = at_helo
acl_smtp_mail = at_mail
acl_smtp_rcpt = at_rcpt
acl_smtp_data = at_data
acl_not_smtp = at_not_smtp
dmarc_history_file = FOLDER/history/dmarc.dat
OPTIONS
${shared}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = yes
  server_set_id = $auth2
begin acl
at_connect:
  accept
at_helo:
  warn    condition = \${if eq{$sender_helo_name}{off.client.test}}
          control = dmarc_disable_verify
  accept
at_mail:
  accept
at_rcpt:
  warn    local_parts = disabled
          control = dmarc_disable_verify
  warn    local_parts = nodkim
          control = dkim_disable_verify
  warn    local_parts = spf
          spf = *
  accept
at_data:
  deny    condition = \${if eq{$h_x:}{before}}
          message = ${told}
  accept  condition = \${if eq{$h_x:}{unchecked}}
  deny    condition = \${if eq{$h_x:}{list}}
          dmarc_status = !reject : *
          message = never
  deny    condition = \${if eq{$h_x:}{list}}
          dmarc_status = reject : !accept
          message = listed
  deny    condition = \${if eq{$h_x:}{words}}
          dmarc_status = WORDS
          message = in the list
  deny    condition = \${if eq{$h_x:}{authresults}}
          dmarc_status = *
          message = \${sg{\${authresults{mx.test}}}{\\n\\t}{ }}
  accept  condition = \${if eq{$h_x:}{keep}}
          dmarc_status = *
  deny    dmarc_status = *
          message = ${told}
  accept
at_not_smtp:
  accept
`

let dns: DnsServer
let server: StartedServer
const folder = temporaryFolder('dmarc')
const history = join(folder.path, 'history', 'dmarc.dat')

before(async () => {
  dns = await startDnsServer(zone)
  for (const name of ['mail', 'history']) {
    mkdirSync(join(folder.path, name))
    chmodSync(join(folder.path, name), 0o777)
  }
  writeFileSync(join(folder.path, 'suffixes'), 'test\nco.test\n')
  server = await start(folder.path, 'WORDS = reject : quarantine')
})
after(async () => {
  await server.stop()
  await dns.close()
  folder.remove()
})

async function start(path: string, options: string, text: string = configuration): Promise<StartedServer> {
  return startServer({
    configuration: text.replaceAll('FOLDER', path).replace('OPTIONS', options),
    folder: path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
}

interface Mail {
  readonly from?: string
  readonly sender?: string
  readonly to?: string
  readonly x?: string
  readonly helo?: string
  readonly login?: boolean
  readonly headers?: string
}

/** Sends a message; the final reply on one line. */
async function send(mail: Mail, to: StartedServer = server): Promise<string> {
  const client = await connectSmtp(to.port)
  try {
    await client.say(`EHLO ${mail.helo ?? 'client.test'}`)
    if (mail.login === true) await client.say(`AUTH PLAIN ${Buffer.from('\0user\0x').toString('base64')}`)
    const from = mail.headers ?? `From: ${mail.from ?? 'a@reject.test'}\r\n`
    const text = `${from}Subject: test\r\nX: ${mail.x ?? ''}\r\n\r\nText\r\n`
    return shown(await client.deliver(mail.sender ?? 'a@pass.test', [`${mail.to ?? 'u'}@here.test`], text))
  } finally {
    client.end()
  }
}

async function sendText(text: string): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  const reply = await client.deliver('a@pass.test', ['u@here.test'], text)
  client.end()
  return shown(reply)
}

/** A log may be a moment late on a busy machine. */
async function logs(of: StartedServer, name: 'main' | 'panic', pattern: RegExp): Promise<void> {
  const found = await until(() => (pattern.test(of.log(name)) ? true : undefined), 10_000)
  assert.ok(found, `${pattern} in\n${of.log(name)}`)
}

function shown(reply: Reply): string {
  return `${reply.code} ${reply.lines.join(' ')}`
}

function variables(
  status: string,
  text: string,
  domain: string,
  policy: string,
  spf: string,
  ar: string,
): string {
  const [s, d] = spf === '' ? ['', ''] : [spf, 'no']
  const header = ar === '' ? '' : `Authentication-Results: mx.test; ${ar}`
  return `550 S=${status}|T=${text}|U=${domain}|P=${policy}|AS=${s}|AD=${d}|AR=${header}`
}

test('D1: DKIM is checked for every message: a signature of the author counts, others do not', async () => {
  const message = 'From: a@reject.test\r\nTo: u@here.test\r\nSubject: x\r\n\r\nText\r\n'
  const sign = (odd: OddSignature): string => signOddly(message, key, { h: 'from:to:subject', ...odd })
  const rows: readonly [says: string, text: string, expected: RegExp][] = [
    [
      'of the domain',
      sign({ d: 'reject.test' }),
      /^550 S=accept\|T=Accept\|U=reject\.test\|P=reject\|AS=no\|AD=yes\|/,
    ],
    ['of a part of it', sign({ d: 'mail.reject.test' }), /^550 S=accept\|.*\|AD=yes\|/],
    ['of a stranger', sign({ d: 'pass.test' }), /^550 S=reject\|.*\|AD=no\|/],
    ['broken', sign({ d: 'reject.test' }).replace('Text', 'Test'), /^550 S=reject\|.*\|AD=no\|/],
    ['that leaves From: out', sign({ d: 'reject.test', h: 'to:subject' }), /^550 S=reject\|.*\|AD=no\|/],
    ['with a second From:', `From: a@attack.test\r\n${sign({ d: 'reject.test' })}`, /^550 S=nofrom\|/],
    ['by a key that cannot be looked up', sign({ d: 'reject.test', s: 'down' }), /^550 S=temperror\|/],
    ['of a stranger whose key cannot be looked up', sign({ d: 'down.attack.test' }), /^550 S=reject\|/],
  ]
  for (const [says, text, expected] of rows) assert.match(await sendText(text), expected, says)
  const blocks = readFileSync(history, 'latin1')
  assert.match(
    blocks,
    /\ndkim reject\.test sel 0\npdomain reject\.test\npolicy 15\n[^]*?\nalign_dkim 4\nalign_spf 5\naction 2\n/,
  )
  assert.match(blocks, /\ndkim reject\.test sel 7\n/)
})

test('D1: control = dkim_disable_verify turns DMARC off as well', async () => {
  assert.match(await send({ to: 'nodkim' }), /^550 S=off\|/)
})

test('D2: dmarc_tld_file names the list; a missing file is a panic-log line and temperror', async () => {
  const own = temporaryFolder('dmarc-d2')
  const list = join(own.path, 'list')
  // What is explained has ports of its own, and shares what was read.
  const other = await start(own.path, `WORDS = x\nexplain_store = 10\ndmarc_tld_file = ${list}`)
  try {
    assert.match(await send({}, other), /^550 S=temperror\|T=Internal Policy Error\|/)
    await logs(other, 'panic', new RegExp(`DMARC failure to load tld list ${list}: 2`))
    // It is read when it is there, without a restart; here reject.test is a suffix of its own.
    writeFileSync(list, 'test\n')
    assert.match(await send({ from: 'a@x.sub.reject.test' }, other), /^550 S=reject\|.*U=reject\.test/)
    writeFileSync(list, 'test\nreject.test\n')
    assert.match(await send({ from: 'a@x.sub.reject.test' }, other), /^550 S=norecord\|/)
    const old = new Date('2020-01-02T00:00:00Z')
    writeFileSync(list, 'test\n')
    utimesSync(list, old, old)
    await send({}, other)
    await send({}, other)
    const tells = /DMARC: dmarc_tld_file .*list is of 2020-01-02: more than a year old/g
    await logs(other, 'main', tells)
    assert.equal(other.log('main').match(tells)?.length, 1)
  } finally {
    await other.stop()
    own.remove()
  }
})

test('D3: results are appended to dmarc_history_file; cron may truncate or rename it; the message goes on without it', async () => {
  const block = (): string => readFileSync(history, 'latin1')
  await send({ x: 'keep' })
  const received = /received (\d+)/.exec(block())?.[1] ?? ''
  const id = /job (\S+)/.exec(block())?.[1] ?? ''
  assert.ok(Math.abs(Number(received) - Date.now() / 1000) < 60)
  assert.match(id, /^[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}$/)
  const last = block().slice(block().lastIndexOf('job '))
  assert.equal(
    last.replace(/^job .*/, 'job ID').replace(/received .*/, 'received N'),
    'job ID\nreporter mx.test\nreceived N\nipaddr 127.0.0.1\nfrom reject.test\nmfrom pass.test\nspf 0\n' +
      'pdomain reject.test\npolicy 16\nrua mailto:agg@reject.test\npct 100\nadkim 114\naspf 114\np 114\nsp 0\n' +
      'align_dkim 5\nalign_spf 5\naction 0\narc 6\narc_policy 1 json:[]\n',
  )
  truncateSync(history)
  await send({ x: 'keep', sender: 'a@reject.test' })
  assert.match(block(), /^job .*\n[^]*policy 15\n[^]*align_spf 4\naction 2\n/)
  assert.equal(block().split('job ').length, 2)
  const own = temporaryFolder('dmarc-d3')
  const text = configuration.replace('FOLDER/history/dmarc.dat', '/nonexistent/dmarc.dat')
  const other = await start(own.path, 'WORDS = x', text)
  try {
    assert.match(await send({ x: 'keep' }, other), /^250 OK/)
    for (const log of ['main', 'panic'] as const) {
      await logs(other, log, /failure to create DMARC history file: \/nonexistent\/dmarc\.dat/)
    }
  } finally {
    await other.stop()
    own.remove()
  }
})

test('D3: blocks of many sessions and several processes at once stay whole', async () => {
  truncateSync(history)
  const own = temporaryFolder('dmarc-processes')
  const text = configuration.replace('FOLDER/history/dmarc.dat', history)
  const other = await start(own.path, 'WORDS = x', text)
  await Promise.all(Array.from({ length: 40 }, (_, i) => send({ x: 'keep' }, i % 2 === 0 ? server : other)))
  await other.stop()
  own.remove()
  const blocks = readFileSync(history, 'latin1').split(/^(?=job )/m)
  assert.equal(blocks.length, 40)
  for (const each of blocks)
    assert.match(each, /^job .*\nreporter mx\.test\n(?:.*\n)+action 0\narc 6\narc_policy 1 json:\[\]\n$/)
})

test('D5: local and authenticated senders are not checked', async () => {
  assert.match(
    await send({ login: true }),
    /^550 S=none\|T=not checked: authenticated\|U=\|P=\|AS=\|AD=\|AR=$/,
  )
})

test('D6: control = dmarc_disable_verify is for the message; set at HELO it is for the session', async () => {
  assert.match(await send({ to: 'disabled' }), /^550 S=off\|T=not checked: control = dmarc_disable_verify\|/)
  assert.match(await send({ helo: 'off.client.test' }), /^550 S=off\|/)
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  const text = 'From: a@reject.test\r\n\r\nText\r\n'
  assert.match(shown(await client.deliver('a@pass.test', ['disabled@here.test'], text)), /^550 S=off\|/)
  assert.match(shown(await client.deliver('a@pass.test', ['u@here.test'], text)), /^550 S=reject\|/)
  client.end()
})

for (const [requirement, name] of [
  ['D6', 'dmarc_disable_verify'],
  ['D7', 'dmarc_enable_forensic'],
  ['D7', 'dmarc_forensic_enable'],
] as const) {
  test(`${requirement}: control = ${name} is for the ACLs before DATA`, () => {
    const file = join(folder.path, `${name}.conf`)
    const check = (option: string, control: string): string => {
      writeFileSync(file, `${option} = it\nbegin acl\nit:\n  accept control = ${control}\n`)
      const { stdout, stderr } = server.command('-C', file, '-bV')
      return stdout + stderr
    }
    for (const option of ['acl_smtp_data', 'acl_not_smtp', 'acl_not_smtp_start']) {
      assert.match(check(option, name), new RegExp(`cannot use "control=${name}" in \\S+ ACL`))
    }
    for (const option of [
      'acl_smtp_connect',
      'acl_smtp_helo',
      'acl_smtp_mail',
      'acl_smtp_rcpt',
      'acl_smtp_predata',
    ]) {
      assert.doesNotMatch(check(option, name), /cannot use|no effect/)
    }
  })
}

test('D9: dmarc_status triggers the check, once a message, and only in the DATA ACL', async () => {
  dns.queries.length = 0
  assert.match(await send({ from: 'a@unasked.test', x: 'unchecked' }), /^250 /)
  assert.ok(!dns.queries.some((query) => query.includes('_dmarc.unasked.test')))
  const lines = (): number => server.log().match(/DMARC results: .*dmarc_domain=strict\.test/g)?.length ?? 0
  assert.equal(await send({ from: 'a@strict.test', x: 'list' }), '550 listed')
  assert.equal(lines(), 1)
  const file = join(folder.path, 'misplaced.conf')
  for (const [option, name] of [
    ['acl_smtp_rcpt', 'RCPT'],
    ['acl_not_smtp', 'non-SMTP'],
    ['acl_smtp_predata', 'PREDATA'],
  ]) {
    writeFileSync(file, `${option} = it\nbegin acl\nit:\n  accept dmarc_status = accept\n`)
    const { stdout, stderr } = server.command('-C', file, '-bV')
    assert.match(stdout + stderr, new RegExp(`cannot test dmarc_status condition in ${name} ACL`))
  }
})

test('D10: SPF is asked when no ACL did', async () => {
  const aligned = /^550 S=accept\|T=Accept\|U=reject\.test\|P=reject\|AS=yes\|AD=no/
  assert.match(await send({ sender: 'a@sub.reject.test' }), aligned)
  assert.match(await send({ sender: 'a@sub.reject.test', to: 'spf' }), aligned)
})

test('D11: the words form an ordinary list: the first item that matches decides', async () => {
  assert.equal(await send({ x: 'words' }), '550 in the list')
  assert.equal(await send({ x: 'words', from: 'a@quarantine.test' }), '550 in the list')
  assert.match(await send({ x: 'words', from: 'a@none.test' }), /^550 S=none/)
  // A negated item that matches ends the list, whatever follows.
  assert.equal(await send({ x: 'list' }), '550 listed')
  assert.equal(await send({ x: 'list', sender: 'a@reject.test' }), '550 never')
})

test('D12: each result has its word, its text, its policy and its Authentication-Results', async () => {
  const rows: readonly [mail: Mail, expected: string][] = [
    [
      { from: 'a@reject.test' },
      variables(
        'reject',
        'Reject',
        'reject.test',
        'reject',
        'no',
        'dmarc=fail header.from=reject.test policy.dmarc=reject',
      ),
    ],
    [
      { from: 'a@quarantine.test' },
      variables(
        'quarantine',
        'Quarantine',
        'quarantine.test',
        'quarantine',
        'no',
        'dmarc=fail header.from=quarantine.test policy.dmarc=quarantine',
      ),
    ],
    [
      { from: 'a@none.test' },
      variables(
        'none',
        'None, Accept',
        'none.test',
        'none',
        'no',
        'dmarc=fail header.from=none.test policy.dmarc=none',
      ),
    ],
    [
      { from: 'a@none.test', sender: 'a@none.test' },
      variables(
        'accept',
        'Accept',
        'none.test',
        'none',
        'yes',
        'dmarc=pass header.from=none.test policy.dmarc=none',
      ),
    ],
    [
      { from: 'a@reject.test', sender: 'a@reject.test' },
      variables(
        'accept',
        'Accept',
        'reject.test',
        'reject',
        'yes',
        'dmarc=pass header.from=reject.test policy.dmarc=reject',
      ),
    ],
    [
      { from: 'a@unknown.test' },
      variables(
        'norecord',
        'No DMARC record',
        'unknown.test',
        '',
        'no',
        'dmarc=none header.from=unknown.test',
      ),
    ],
    [
      { from: 'a@broken.test' },
      variables(
        'norecord',
        'Invalid DMARC record: invalid p',
        'broken.test',
        '',
        'no',
        'dmarc=permerror header.from=broken.test',
      ),
    ],
    [
      { from: 'a@down.test' },
      variables(
        'temperror',
        'Internal Policy Error',
        'down.test',
        '',
        'no',
        'dmarc=temperror header.from=down.test',
      ),
    ],
    [{ headers: '' }, variables('nofrom', 'No From: domain found', '', '', '', 'dmarc=temperror')],
    [
      { headers: 'From: a@reject.test\r\nFrom: a@pass.test\r\n' },
      variables('nofrom', 'No From: domain found', '', '', '', 'dmarc=temperror'),
    ],
  ]
  for (const [mail, expected] of rows) assert.equal(await send(mail), expected)
  assert.equal(
    await send({ x: 'authresults', to: 'spf', sender: 'a@reject.test' }),
    '550 Authentication-Results: mx.test; spf=pass smtp.mailfrom=reject.test; dmarc=pass header.from=reject.test policy.dmarc=reject',
  )
})

test('D13: all variables can be used in the DATA ACL, and $domain_used_domain is $dmarc_used_domain', async () => {
  assert.match(
    await send({ from: 'a@x.reject.test', sender: 'a@reject.test' }),
    /^550 S=accept\|T=Accept\|U=reject\.test\|P=reject\|AS=yes\|AD=no\|AR=Authentication-Results: mx\.test; dmarc=pass header\.from=x\.reject\.test policy\.dmarc=reject$/,
  )
})

test('D8: in the DATA ACL the controls are told with their place', () => {
  const file = join(folder.path, 'd8.conf')
  writeFileSync(file, 'acl_smtp_data = d\nbegin acl\nd:\n  warn control = dmarc_disable_verify\n  accept\n')
  // What Exim finds only at use is a warning at start and an error of check.
  const { stdout, stderr } = server.command('-C', file, '-bV')
  assert.match(
    stdout + stderr,
    /d8\.conf:4:18: warning: cannot use "control=dmarc_disable_verify" in DATA ACL/,
  )
  const checked = spawnSync(postern, ['check', file], { encoding: 'utf8' })
  assert.equal(checked.status, 1)
  assert.match(checked.stdout, /d8\.conf:4:18: error: cannot use "control=dmarc_disable_verify" in DATA ACL/)
})

test('D14: before the check the status is none and all else empty', async () => {
  assert.equal(await send({ x: 'before' }), '550 S=none|T=|U=|P=|AS=|AD=|AR=')
})

test('D14: the checker tells of a variable that is read before any dmarc_status', () => {
  const file = join(folder.path, 'early.conf')
  const check = (acl: string): string => {
    writeFileSync(file, `acl_smtp_data = d\nbegin acl\nd:\n${acl}`)
    const { stdout, stderr } = server.command('-C', file, '-bV')
    return stdout + stderr
  }
  const early = /\$dmarc_status is read before any dmarc_status condition/
  assert.match(
    check('  warn condition = ${if eq{$dmarc_status}{reject}}\n  accept dmarc_status = accept\n'),
    early,
  )
  assert.doesNotMatch(
    check('  warn dmarc_status = accept\n       log_message = $dmarc_status\n  accept\n'),
    early,
  )
  assert.doesNotMatch(
    check('  warn log_message = $dmarc_status\n       dmarc_status = accept\n  accept\n'),
    early,
  )
})

test('D15: dmarc_mode and dmarc_tld_file choose the standard', async () => {
  const rows: readonly [options: string, from: string, status: string][] = [
    ['', 'a@pct.test', 'reject'],
    ['', 'a@nx.sp.test', 'reject'],
    ['', 'a@sub.sp.test', 'quarantine'],
    ['', 'a@testing.test', 'quarantine'],
    ['dmarc_mode = rfc9989\ndmarc_tld_file = FOLDER/suffixes', 'a@pct.test', 'reject'],
    ['dmarc_tld_file = FOLDER/suffixes', 'a@pct.test', 'quarantine'],
    ['dmarc_tld_file = FOLDER/suffixes', 'a@nx.sp.test', 'quarantine'],
    ['dmarc_mode = rfc7489', 'a@pct.test', 'quarantine'],
    ['dmarc_mode = rfc7489', 'a@testing.test', 'reject'],
    ['dmarc_tld_file =', 'a@reject.test', 'none'],
  ]
  const byOptions = group(rows)
  for (const [options, cases] of byOptions) {
    const own = temporaryFolder('dmarc-d15')
    const other = await start(own.path, `WORDS = x\n${options.replaceAll('FOLDER', folder.path)}`)
    try {
      for (const [, from, status] of cases)
        assert.match(await send({ from }, other), new RegExp(`^550 S=${status}\\|`), `${options} ${from}`)
    } finally {
      await other.stop()
      own.remove()
    }
  }
  const file = join(folder.path, 'mode.conf')
  writeFileSync(file, 'dmarc_mode = rfc1\n')
  assert.match(server.command('-C', file, '-bV').stderr, /unknown dmarc_mode setting: rfc1/)
})

function group<T extends readonly [string, ...unknown[]]>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) groups.set(row[0], [...(groups.get(row[0]) ?? []), row])
  return groups
}

test('D16: one line for each message with a record', async () => {
  await send({ from: 'a@quarantine.test' })
  await logs(
    server,
    'main',
    /DMARC results: spf_domain=pass\.test dmarc_domain=quarantine\.test spf_align=no dkim_align=no enforcement='Quarantine'\n/,
  )
  await send({ sender: 'a@sub.reject.test' })
  await logs(
    server,
    'main',
    /DMARC results: spf_domain=sub\.reject\.test dmarc_domain=reject\.test spf_align=yes dkim_align=no enforcement='Accept'\n/,
  )
  await send({ from: 'a@unknown.test' })
  assert.doesNotMatch(server.log(), /DMARC results: .*unknown/)
})

test('D17: the other lines keep their heads', async () => {
  await send({ sender: '', helo: 'pass.test' })
  await logs(server, 'main', /DMARC using synthesized SPF sender domain = pass\.test\n/)
  await send({ headers: 'From: a@reject.test, b@pass.test\r\n' })
  await logs(
    server,
    'main',
    /failure to store header From: in DMARC: addresses of several domains, header was 'a@reject\.test, b@pass\.test'\n/,
  )
})

test('D18: DMARC= stands on the line of arrival and on that of a refusal; dmarc_verbose tells all', async () => {
  await send({ x: 'keep' })
  await logs(server, 'main', /<= a@pass\.test .* S=\d+ DMARC=reject/)
  await send({})
  await logs(
    server,
    'main',
    /H=\(client\.test\) \[127\.0\.0\.1\] DMARC=reject F=<a@pass\.test> rejected after DATA: /,
  )
  await logs(
    server,
    'main',
    /DMARC: fail from=reject\.test policy=reject \(p=reject of reject\.test\) spf=pass\.test:pass rfc9989\n/,
  )
})

const example = `
acl_smtp_rcpt = rcpt
acl_smtp_data = data
hostlist local_hosts = 127.0.0.2
domainlist screwed_up_dmarc_records = screwed.here.test
dmarc_forensic_sender = dmarc@mx.test
${shared.replace('domainlist local_domains = here.test', 'domainlist local_domains = here.test : *.here.test')}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = yes
  server_set_id = $auth2
begin acl
rcpt:
  warn    domains        = +local_domains
          hosts          = +local_hosts
          control        = dmarc_disable_verify

  warn    !domains       = +screwed_up_dmarc_records
          control        = dmarc_enable_forensic

  warn    condition      = \${if eq{$local_part}{list}}
          set acl_m_mailing_list = 1

  accept
data:
  warn    dmarc_status   = accept : none : off
          !authenticated = *
          log_message    = DMARC DEBUG: $dmarc_status $dmarc_used_domain
          add_header     = $dmarc_ar_header

  warn    dmarc_status   = !accept
          !authenticated = *
          log_message    = DMARC DEBUG: '$dmarc_status' for $dmarc_used_domain

  warn    dmarc_status   = quarantine
          !authenticated = *
          set $acl_m_quarantine = 1
          # Do something in a transport with this flag variable

  deny    condition      = \${if eq{$dmarc_domain_policy}{reject}}
          condition      = \${if eq{$acl_m_mailing_list}{1}}
          message        = Messages from $dmarc_used_domain break mailing lists

  deny    dmarc_status   = reject
          !authenticated = *
          message        = Message from $domain_used_domain failed sender's DMARC policy, REJECT

  accept  add_header = X-Quarantine: $acl_m_quarantine
`

test('D20: the example of 2014 loads with remarks, and each of its statements acts', async () => {
  const own = temporaryFolder('dmarc-d20')
  mkdirSync(join(own.path, 'mail'))
  chmodSync(join(own.path, 'mail'), 0o777)
  const other = await start(own.path, '', example)
  const mailbox = (name: string): string => {
    const file = join(own.path, 'mail', 'all')
    const all = existsSync(file) ? readFileSync(file, 'latin1').split(/^(?=From )/m) : []
    return all.filter((each) => new RegExp(`^Envelope-to: ${name}@`, 'm').test(each)).join('')
  }
  const arrives = async (name: string, pattern: RegExp): Promise<string> =>
    (await until(() => (pattern.test(mailbox(name)) ? mailbox(name) : undefined), 15_000)) ??
    assert.fail(`${name}: ${mailbox(name)}\n${other.log()}`)
  try {
    assert.match(other.output(), /acl_m_quarantine/)
    const check = spawnSync(postern, ['check', other.configurationFile], { encoding: 'latin1' })
    assert.match(check.stdout, /domain_used_domain/)
    // The first and the debugging statements.
    assert.match(await send({ sender: 'a@reject.test', to: 'good' }, other), /^250 /)
    assert.match(
      await arrives('good', /DMARC|Authentication-Results/),
      /Authentication-Results: mx\.test; dmarc=pass header\.from=reject\.test/,
    )
    await logs(other, 'main', /Warning: DMARC DEBUG: accept reject\.test\n/)
    assert.match(await send({ from: 'a@none.test', to: 'neutral' }, other), /^250 /)
    assert.match(
      await arrives('neutral', /Subject/),
      /Authentication-Results: mx\.test; dmarc=fail header\.from=none\.test/,
    )
    await logs(other, 'main', /Warning: DMARC DEBUG: 'none' for none\.test\n/)
    // quarantine sets the flag.
    assert.match(await send({ from: 'a@quarantine.test', to: 'flagged' }, other), /^250 /)
    assert.match(await arrives('flagged', /Subject/), /X-Quarantine: 1\n/)
    await logs(other, 'main', /Warning: DMARC DEBUG: 'quarantine' for quarantine\.test\n/)
    // Lists, whatever the result.
    assert.equal(
      await send({ sender: 'a@reject.test', to: 'list' }, other),
      '550 Messages from reject.test break mailing lists',
    )
    // reject.
    assert.equal(await send({}, other), "550 Message from reject.test failed sender's DMARC policy, REJECT")
    // Authenticated senders pass by.
    assert.match(await send({ login: true, to: 'trusted' }, other), /^250 /)
    // Local hosts are not checked.
    assert.match(await sendFrom('127.0.0.2', other, 'local'), /^250 /)
    await logs(other, 'main', /Warning: DMARC DEBUG: off \n/)
    // The forensic report of the rejected message goes to ruf.
    const report = await arrives('ruf', /Feedback-Type/)
    assert.match(report, /From: dmarc@mx\.test\n/)
  } finally {
    await other.stop()
    own.remove()
  }
})

/** From another address of this host. */
async function sendFrom(address: string, to: StartedServer, localPart: string): Promise<string> {
  const { connect } = await import('node:net')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: to.port, localAddress: address })
    const lines = [
      'EHLO local.test',
      'MAIL FROM:<a@pass.test>',
      `RCPT TO:<${localPart}@here.test>`,
      'DATA',
      'From: a@reject.test\r\n\r\nText\r\n.',
      'QUIT',
    ]
    let last = ''
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      if (!/^\d{3} .*\r\n$/m.test(text)) return
      if (lines.length === 1) last = text
      const line = lines.shift()
      if (line === undefined) {
        socket.end()
        resolve(last.trim())
      } else socket.write(`${line}\r\n`)
    })
  })
}

test('D20: prose in place of a condition is an error that the checker shows', () => {
  const file = join(folder.path, 'prose.conf')
  writeFileSync(
    file,
    'acl_smtp_rcpt = r\nbegin acl\nr:\n  warn condition = (lookup if destined to mailing list)\n  accept\n',
  )
  const { stdout, stderr } = server.command('-C', file, '-bV')
  assert.match(stdout + stderr, /invalid "condition" value "\(lookup if destined to mailing list\)"/)
})

test('an option after a slash is an error: the controls have none', () => {
  const file = join(folder.path, 'slash.conf')
  writeFileSync(
    file,
    'acl_smtp_rcpt = r\nbegin acl\nr:\n  warn control = dmarc_disable_verify/now\n  accept\n',
  )
  const { stdout, stderr } = server.command('-C', file, '-bV')
  assert.match(stdout + stderr, /dmarc_disable_verify\/now/)
})

test('_HAVE_DMARC is defined, and -bV shows DMARC in the words of today and of 2014', () => {
  const file = join(folder.path, 'have.conf')
  writeFileSync(file, '.ifdef _HAVE_DMARC\nprimary_hostname = has.dmarc.test\n.endif\n')
  assert.match(server.command('-C', file, '-bP', 'primary_hostname').stdout, /has\.dmarc\.test/)
  assert.match(server.command('-C', file, '-bV').stdout, /Support for: .*\bDMARC\b.*Experimental_DMARC/)
})
