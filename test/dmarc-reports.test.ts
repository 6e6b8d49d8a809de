/** DMARC reports through the real program: requirement D19, RFC 9990 and RFC 9991. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { zipSync } from 'fflate'
import PostalMime from 'postal-mime'
import { openHints } from '../src/store/hints/index.ts'
import { fetchDebian, libraryPath } from './support/debian.ts'
import { rsaKey } from './support/dkim-world.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import {
  postern,
  repository,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const txt = (...strings: string[]): ScriptedRecord => ({ type: 'TXT', data: strings })
const agreed = txt('v=DMARC1;')

const zone: Zone = {
  'pass.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  'evil.test TXT': [txt('v=spf1 -all')],
  '_dmarc.rf.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@rf.test; rua=mailto:agg@rf.test')],
  'rf.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  '_dmarc.none.test TXT': [txt('v=DMARC1; p=none; ruf=mailto:ruf@none.test')],
  '_dmarc.noruf.test TXT': [txt('v=DMARC1; p=reject')],
  '_dmarc.external.test TXT': [
    txt(
      'v=DMARC1; p=reject; ruf=mailto:ruf@agreed.example,mailto:ruf@refused.example; rua=mailto:agg@agreed.example,mailto:agg@refused.example',
    ),
  ],
  'external.test._report._dmarc.agreed.example TXT': [agreed],
  '_dmarc.override.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@agreed.example')],
  'override.test._report._dmarc.agreed.example TXT': [txt('v=DMARC1; ruf=mailto:instead@agreed.example')],
  '_dmarc.astray.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@agreed.example')],
  'astray.test._report._dmarc.agreed.example TXT': [txt('v=DMARC1; ruf=mailto:ruf@other.example')],
  '_dmarc.psd TXT': [txt('v=DMARC1; p=reject; psd=y; ruf=mailto:ruf@psd; rua=mailto:agg@psd')],
  '_dmarc.any.test TXT': [txt('v=DMARC1; p=reject; fo=1; ruf=mailto:ruf@any.test')],
  'any.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  '_dmarc.onlyspf.test TXT': [txt('v=DMARC1; p=none; fo=s; ruf=mailto:ruf@onlyspf.test')],
  '_dmarc.onlydkim.test TXT': [txt('v=DMARC1; p=none; fo=d; ruf=mailto:ruf@onlydkim.test')],
  'onlydkim.test TXT': [txt('v=spf1 ip4:127.0.0.1 -all')],
  'key._domainkey.onlydkim.test TXT': [txt(...(`v=DKIM1; p=${rsaKey(2048).data}`.match(/.{1,200}/g) ?? []))],
  '_dmarc.rate.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@rate.test')],
  '_dmarc.bouncing.test TXT': [
    txt('v=DMARC1; p=quarantine; sp=none; np=reject; t=y; rua=mailto:gone@bouncing.test'),
  ],
  '_dmarc.loop.test TXT': [txt('v=DMARC1; p=reject; ruf=mailto:ruf@loop.test')],
}

const configuration = `
primary_hostname = mx.test
qualify_domain = here.test
host_lookup =
smtp_accept_max_nonmail = 1000
never_users =
acl_smtp_rcpt = at_rcpt
acl_smtp_data = at_data
dmarc_forensic_sender = SENDER
dmarc_aggregate_reports
dmarc_report_org = Test & Sons
OPTIONS
begin acl
at_rcpt:
  warn    !local_parts = silent
          control = dmarc_forensic_enable
  accept
at_data:
  deny    dmarc_status = reject
          message = rejected
  accept
begin routers
gone:
  driver = redirect
  domains = bouncing.test
  data = :fail: no such mailbox
  allow_fail
all:
  driver = accept
  transport = t
begin transports
t:
  driver = appendfile
  file = FOLDER/mail/all
  envelope_to_add
  return_path_add
  user = mail
`

let dns: DnsServer
let server: StartedServer
const folder = temporaryFolder('dmarc-reports')

async function start(
  path: string,
  options: string,
  sender: string = 'DMARC <dmarc@mx.test>',
): Promise<StartedServer> {
  mkdirSync(join(path, 'mail'), { recursive: true })
  chmodSync(join(path, 'mail'), 0o777)
  return startServer({
    configuration: configuration
      .replaceAll('FOLDER', path)
      .replace('OPTIONS', () => options)
      .replace('SENDER', () => sender),
    folder: path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
}

before(async () => {
  dns = await startDnsServer(zone)
  server = await start(folder.path, '')
})
after(async () => {
  await server.stop()
  await dns.close()
  folder.remove()
})

async function send(
  from: string,
  options: {
    readonly sender?: string
    readonly to?: string
    readonly headers?: string
    readonly server?: StartedServer
  } = {},
): Promise<string> {
  const client = await connectSmtp((options.server ?? server).port)
  try {
    await client.say('EHLO client.test')
    const text =
      `From: Somebody <${from}>\r\nTo: Secret <secret@here.test>\r\nSubject: see http://evil.test/ secret@here.test\r\n` +
      `Message-ID: <id@evil.test>\r\n${options.headers ?? ''}\r\nText\r\n`
    const reply = await client.deliver(
      options.sender ?? 'a@evil.test',
      [`${options.to ?? 'secret'}@here.test`],
      text,
    )
    return `${reply.code} ${reply.lines.join(' ')}`
  } finally {
    client.end()
  }
}

/** Messages in the mailbox to an address. */
function mailTo(address: string, path = folder.path): string[] {
  const file = join(path, 'mail', 'all')
  if (!existsSync(file)) return []
  return readFileSync(file, 'latin1')
    .split(/^(?=From \S+ )/m)
    .filter((each) => each.includes(`\nEnvelope-to: ${address}\n`))
    .map((each) => each.slice(each.indexOf('\n') + 1))
}

async function arrives(address: string, path = folder.path): Promise<string> {
  const found = await until(() => mailTo(address, path)[0], 20_000)
  return found ?? assert.fail(`no report to ${address}\n${server.log()}`)
}

/** The line that tells why there is no report, or that there is one. */
async function logged(pattern: RegExp): Promise<void> {
  await server.logged(pattern, 20_000)
}

test('D19: a failure report is an ARF message that carries the fields of 2014', async () => {
  assert.equal(await send('a@rf.test'), '550 rejected')
  const raw = await arrives('ruf@rf.test')
  assert.match(raw, /^Return-path: <dmarc@mx\.test>\n/)
  assert.match(raw, /^From: DMARC <dmarc@mx\.test>$/m)
  assert.match(raw, /^Content-Type: multipart\/report; report-type=feedback-report;$/m)
  for (const line of [
    /^Sender Domain: rf\.test$/m,
    /^Sender IP Address: 127\.0\.0\.1$/m,
    /^Received Date: \w+, \d+ \w+ \d+ /m,
    /^SPF Alignment: no$/m,
    /^DKIM Alignment: no$/m,
    /^DMARC Results: Reject$/m,
    /^Feedback-Type: auth-failure$/m,
    /^Version: 1$/m,
    /^User-Agent: Postern\//m,
    /^Auth-Failure: dmarc$/m,
    /^Authentication-Results: mx\.test; dmarc=fail header\.from=rf\.test policy\.dmarc=reject$/m,
    /^Identity-Alignment: dkim, spf$/m,
    /^Reported-Domain: rf\.test$/m,
    /^Source-IP: 127\.0\.0\.1$/m,
    /^Delivery-Result: reject$/m,
    /^Incidents: 1$/m,
    /^SPF-DNS: txt : evil\.test : "v=spf1 -all"$/m,
    /^Message-ID: <id@evil\.test>$/m,
  ])
    assert.match(raw, line)
  const parsed = await new PostalMime().parse(raw)
  assert.equal(parsed.from?.address, 'dmarc@mx.test')
  await logged(/DMARC forensic report sent to ruf@rf\.test as \S+/)
})

test('D19: local parts and links are made unreadable, the same each time', async () => {
  const raw = await arrives('ruf@rf.test')
  const body = raw.slice(raw.indexOf('\n\n'))
  assert.doesNotMatch(body, /secret@|<a@/)
  assert.doesNotMatch(raw, /http:\/\/evil/)
  const hidden = [...body.matchAll(/([\w-]{16})@here\.test/g)].map((match) => match[1])
  assert.ok(hidden.length >= 2)
  assert.equal(new Set(hidden).size, 1)
  assert.match(raw, /^Subject: FW: see hxxp:\/\/evil\.test\/ [\w-]{16}@here\.test$/m)
})

test('D19: dmarc_forensic_redact = false leaves the headers as they are', async () => {
  const own = temporaryFolder('dmarc-plain')
  const other = await start(own.path, 'dmarc_forensic_redact = false\ndmarc_forensic_policy = enforced')
  try {
    await send('a@rf.test', { server: other })
    assert.match(await arrives('ruf@rf.test', own.path), /^To: Secret <secret@here\.test>$/m)
    // And only what the policy asks to be stopped is reported.
    assert.match(await send('a@none.test', { server: other }), /^250/)
    await send('a@external.test', { server: other })
    await arrives('ruf@agreed.example', own.path)
    assert.deepEqual(mailTo('ruf@none.test', own.path), [])
  } finally {
    await other.stop()
    own.remove()
  }
})

test('D4: dmarc_forensic_sender without a domain has the qualify domain; one that is no address is told', async () => {
  const rows: readonly (readonly [option: string, path: RegExp, from: RegExp, panic: RegExp])[] = [
    ['reports', /^Return-path: <reports@here\.test>\n/, /^From: reports@here\.test$/m, /^$/],
    ['DMARC <reports>', /^Return-path: <reports@here\.test>\n/, /^From: DMARC <reports@here\.test>$/m, /^$/],
    [
      'DMARC reports',
      /^Return-path: <>\n/,
      /^From: do-not-reply@mx\.test$/m,
      /dmarc_forensic_sender is no address: DMARC reports \(/,
    ],
    [
      'do-not-reply@$default_hostname',
      /^Return-path: <>\n/,
      /^From: do-not-reply@mx\.test$/m,
      /failed to expand dmarc_forensic_sender: unknown variable name "default_hostname"/,
    ],
    ['${if eq{a}{b}{x}fail}', /^Return-path: <>\n/, /^From: do-not-reply@mx\.test$/m, /^$/],
  ]
  for (const [option, path, from, panic] of rows) {
    const own = temporaryFolder('dmarc-sender')
    const other = await start(own.path, '', option)
    try {
      await send('a@rf.test', { server: other })
      const raw = await arrives('ruf@rf.test', own.path)
      assert.match(raw, path, option)
      assert.match(raw, from, option)
      assert.match(other.log('panic'), panic)
    } finally {
      await other.stop()
      own.remove()
    }
  }
})

test('D19: without the control, without ruf, and when all is well nothing is sent', async () => {
  await send('a@rf.test', { to: 'silent' })
  await send('a@noruf.test')
  await send('a@rf.test', { sender: 'a@rf.test' })
  // RFC 9989: whatever the policy.
  assert.match(await send('a@none.test'), /^250/)
  await arrives('ruf@none.test')
  assert.equal(mailTo('ruf@rf.test').length, 1)
})

test('D19: addresses outside must have agreed; they may name another of their own', async () => {
  await send('a@external.test')
  await send('a@override.test')
  await send('a@astray.test')
  await arrives('ruf@agreed.example')
  await arrives('instead@agreed.example')
  await logged(
    /DMARC forensic report not sent to ruf@refused\.example: refused\.example has not agreed to reports about external\.test/,
  )
  await logged(
    /DMARC forensic report not sent to ruf@agreed\.example: agreed\.example names an address of another host/,
  )
  assert.deepEqual(mailTo('ruf@other.example'), [])
})

test('D19: fo=1 asks for a report when one mechanism fails; the record of a public suffix asks for none', async () => {
  assert.match(await send('a@any.test', { sender: 'a@any.test' }), /^250/)
  assert.match(await arrives('ruf@any.test'), /^Identity-Alignment: dkim$/m)
  assert.equal(await send('a@firm.psd'), '550 rejected')
  assert.deepEqual(mailTo('ruf@psd'), [])
})

test('D19: fo=s asks for a report when SPF fails, and fo=d when a signature does', async () => {
  assert.match(await send('a@onlyspf.test', { sender: 'a@pass.test' }), /^250/)
  assert.match(await send('a@onlyspf.test', { sender: 'a@evil.test' }), /^250/)
  assert.match(await arrives('ruf@onlyspf.test'), /^Auth-Failure: spf$/m)
  assert.equal(mailTo('ruf@onlyspf.test').length, 1)

  assert.match(await send('a@onlydkim.test', { sender: 'a@onlydkim.test' }), /^250/)
  const headers =
    'DKIM-Signature: v=1; a=rsa-sha256; d=onlydkim.test; s=key; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n'
  assert.match(await send('a@onlydkim.test', { sender: 'a@onlydkim.test', headers }), /^250/)
  assert.match(await arrives('ruf@onlydkim.test'), /^Auth-Failure: (?:signature|bodyhash)$/m)
  assert.equal(mailTo('ruf@onlydkim.test').length, 1)
})

test('D19: a rate for each address, and reports that stand for those held back', async () => {
  const own = temporaryFolder('dmarc-rate')
  const other = await start(own.path, 'dmarc_forensic_rate = 2')
  try {
    for (let i = 0; i < 5; i++) await send('a@rate.test', { server: other })
    await until(() => (mailTo('ruf@rate.test', own.path).length === 2 ? true : undefined), 20_000)
    await send('a@rf.test', { server: other })
    await arrives('ruf@rf.test', own.path)
    assert.equal(mailTo('ruf@rate.test', own.path).length, 2)
  } finally {
    await other.stop()
    own.remove()
  }
})

test('D19: never about a report or an automatic answer', async () => {
  await send('a@loop.test', {
    headers: 'Content-Type: multipart/report; report-type=feedback-report; boundary=x\r\n',
  })
  await send('a@loop.test', { headers: 'Auto-Submitted: auto-replied\r\n' })
  await send('a@rf.test')
  await until(() => (mailTo('ruf@rf.test').length === 2 ? true : undefined), 20_000)
  assert.deepEqual(mailTo('ruf@loop.test'), [])
})

test('D19: -bh sends nothing and writes nothing', async () => {
  // What the tests before have sent is on its way.
  let before = ''
  await until(() => {
    const now = server.log()
    const ids = new Set(Array.from(now.matchAll(/ (\S+) <= /g), ([, id]) => id))
    const over = [...ids].every((id) => now.includes(` ${id} Completed\n`))
    const quiet = now === before && over && server.command('-bpc').stdout === '0\n'
    before = now
    return quiet ? true : undefined
  }, 20_000)
  const lines = [
    'EHLO x',
    'MAIL FROM:<a@evil.test>',
    'RCPT TO:<u@here.test>',
    'DATA',
    'From: a@rate.test\r\n\r\nText\r\n.',
    'QUIT',
  ]
  const done = await run(
    ['-C', server.configurationFile, '-d-all+acl', '-bh', '127.0.0.1'],
    `${lines.join('\r\n')}\r\n`,
  )
  assert.match(done.stdout, /^550 rejected/m)
  assert.match(done.stderr, /DMARC: failure report \(not really\)/)
  assert.equal(server.log(), before)
})

const xmllint = fetchDebian(['libxml2-utils'])
/** Reports that were sent, for the schema to judge. */
const sentReports: string[] = []

/** Not in a blocking way: the name server lives in this process. */
async function run(
  args: readonly string[],
  input = '',
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(postern, args, { env: { ...process.env, POSTERN_DNS: `127.0.0.1:${dns.port}` } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
  child.stdin.end(input)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, stdout, stderr }
}

async function command(...args: string[]): Promise<{ readonly status: number | null; readonly out: string }> {
  const { status, stdout, stderr } = await run([...args, '-C', server.configurationFile])
  return { status, out: stdout + stderr }
}

test('aggregate reports are collected, shown, sent to verified addresses, and valid by the schema', async () => {
  await send('a@bouncing.test')
  await send('a@firm.psd')
  const waiting = await command('dmarc', 'show')
  assert.match(waiting.out, /collected, not yet reported:\n/)
  assert.match(
    waiting.out,
    /\S+ rf\.test p=reject \d+ from 127\.0\.0\.1 header\.from=rf\.test dkim=fail spf=fail reject/,
  )
  assert.match(
    waiting.out,
    /rf\.test p=reject 1 from 127\.0\.0\.1 header\.from=rf\.test dkim=fail spf=pass pass/,
  )
  assert.match((await command('dmarc', 'report')).out, /^0 sent, 0 refused/)
  assert.match(
    (await command('dmarc', 'report', '--today', '--dry-run')).out,
    /about rf\.test for \S+ would go to agg@rf\.test: \d+ rows/,
  )
  const { out } = await command('dmarc', 'report', '--today')
  assert.match(out, /about rf\.test for \S+ sent to agg@rf\.test as \S+\n/)
  assert.match(
    out,
    /about external\.test for \S+ not sent to agg@refused\.example: refused\.example has not agreed/,
  )
  assert.match(out, /about psd for \S+ sent to agg@psd/)
  const raw = await arrives('agg@rf.test')
  assert.match(raw, /^Subject: Report Domain: rf\.test\n Submitter: mx\.test\n Report-ID: <[0-9a-f]{32}>$/m)
  const parsed = await new PostalMime().parse(raw)
  const [file] = parsed.attachments
  assert.equal(file?.mimeType, 'application/gzip')
  assert.match(file?.filename ?? '', /^mx\.test!rf\.test!\d+!\d+![0-9a-f]{32}\.xml\.gz$/)
  assert.ok(file?.content instanceof ArrayBuffer)
  const xml = gunzipSync(Buffer.from(file.content)).toString()
  sentReports.push(xml)
  assert.match(xml, /<org_name>Test &amp; Sons<\/org_name>/)
  assert.match(xml, /<discovery_method>treewalk<\/discovery_method>/)
  assert.match(xml, /<disposition>pass<\/disposition>/)
  // Received reports can be read as well.
  writeFileSync(join(folder.path, 'own.xml.gz'), Buffer.from(file.content))
  assert.match(
    (await command('dmarc', 'import', join(folder.path, 'own.xml.gz'))).out,
    /report of Test & Sons about rf\.test: 1 of \d+ messages passed/,
  )
})

test('an address whose report bounced gets no more, and the bounce goes no further', async () => {
  await logged(/DMARC aggregate report to gone@bouncing\.test bounced: no more for 30 days/)
  await send('a@bouncing.test')
  const { out } = await command('dmarc', 'report', '--today')
  assert.match(out, /not sent to gone@bouncing\.test: a report bounced on /)
  assert.match((await command('dmarc', 'show')).out, /no reports to gone@bouncing\.test: one bounced on /)
  assert.deepEqual(mailTo('dmarc@mx.test'), [])
})

test('the daemon sends the reports of days that are over, within dmarc_report_max', async () => {
  const own = temporaryFolder('dmarc-daily')
  const first = await start(own.path, '')
  await first.stop()
  const hints = await openHints({ directory: join(own.path, 'spool', 'hints') })
  const day = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10)
  for (const domain of ['rf.test', 'psd']) {
    const published = {
      domain,
      discovery: 'treewalk',
      p: 'reject',
      fo: '0',
      adkim: 'r',
      aspf: 'r',
      testing: true,
      rua: [`mailto:agg@${domain}`],
    }
    const row = {
      sourceIp: '2001:db8::1',
      disposition: 'quarantine',
      dkimAligned: false,
      spfAligned: false,
      reason: { type: 'policy_test_mode', comment: 't=y' },
      headerFrom: domain,
      envelopeFrom: '',
      dkim: [{ domain: 'x.test', selector: 's', result: 'pass' }],
      spf: { domain: 'y.test', result: 'softfail' },
    }
    hints.put('dmarc', `row ${day} ${domain} x`, { day, published, row, count: 3 })
  }
  await hints.close()
  const other = await start(own.path, 'dmarc_report_max = 1')
  try {
    await other.logged(/DMARC aggregate report about psd for \S+ sent to agg@psd/, 20_000)
    await other.logged(/about rf\.test for \S+ not sent to agg@rf\.test: dmarc_report_max is reached/, 20_000)
    const parsed = await new PostalMime().parse(await arrives('agg@psd', own.path))
    const content = parsed.attachments[0]?.content
    assert.ok(content instanceof ArrayBuffer)
    sentReports.push(gunzipSync(Buffer.from(content)).toString())
  } finally {
    await other.stop()
    own.remove()
  }
})

test('the reports that were sent are valid by the schema of RFC 9990', {
  skip: 'missing' in xmllint ? xmllint.missing : false,
}, () => {
  if ('missing' in xmllint) return
  assert.equal(sentReports.length, 2)
  const schema = join(repository, 'test', 'testdata', 'dmarc-2.0.xsd')
  const judge = (xml: string) =>
    spawnSync(join(xmllint.root, 'usr/bin/xmllint'), ['--noout', '--schema', schema, '-'], {
      input: xml,
      encoding: 'utf8',
      env: { ...process.env, LD_LIBRARY_PATH: libraryPath(xmllint.root) },
    })
  for (const xml of sentReports) assert.equal(judge(xml).status, 0, judge(xml).stderr + xml)
  // And it can tell.
  const wrong = sentReports[0]?.replace('<disposition>', '<disposition>un') ?? ''
  assert.notEqual(judge(wrong).status, 0)
})

const foreign = `<?xml version="1.0"?>
<feedback><report_metadata><org_name>big.example</org_name><email>x@big.example</email><report_id>r1</report_id>
<date_range><begin>1782864000</begin><end>1782950399</end></date_range></report_metadata>
<policy_published><domain>mine.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><pct>100</pct></policy_published>
<record><row><source_ip>192.0.2.7</source_ip><count>5</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>mine.test</header_from></identifiers><auth_results><spf><domain>x.test</domain><result>none</result></spf></auth_results></record>
<record><row><source_ip>192.0.2.8</source_ip><count>2</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>mine.test</header_from></identifiers><auth_results/></record></feedback>`

test('postern dmarc import reads reports of either standard, plain, gzip or zip, and history files', async () => {
  const path = (name: string): string => join(folder.path, name)
  writeFileSync(path('r.xml'), foreign)
  writeFileSync(path('r.xml.gz'), gzipSync(foreign))
  writeFileSync(path('r.zip'), zipSync({ 'r.xml': Buffer.from(foreign) }))
  for (const name of ['r.xml', 'r.xml.gz', 'r.zip']) {
    assert.match(
      (await command('dmarc', 'import', path(name))).out,
      /report of big\.example about mine\.test: 2 of 7 messages passed\n$/,
    )
  }
  const shown = (await command('dmarc', 'show', 'mine.test')).out
  assert.match(
    shown,
    /2026-07-01 mine\.test p=none by big\.example: 2 of 7 passed\n {4}5 failed from 192\.0\.2\.7 as mine\.test\n/,
  )
  assert.equal(shown.match(/by big\.example/g)?.length, 1)
  const block = (dkim: string): string =>
    `job 1\nreporter mx\nreceived 1782864000\nipaddr 192.0.2.9\nfrom hist.test\nmfrom m.test\nspf 7\ndkim ${dkim}\npdomain hist.test\npolicy 16\n` +
    'rua mailto:a@hist.test\npct 100\nadkim 114\naspf 115\np 114\nsp 0\nalign_dkim 5\nalign_spf 5\naction 0\n'
  writeFileSync(path('history'), `${block('d.test 7')}${block('d.test sel 7')}job 3\nreporter`)
  assert.match(
    (await command('dmarc', 'import', path('history'))).out,
    /2 messages of a history file, 1 incomplete block left out/,
  )
  assert.match(
    (await command('dmarc', 'show', 'hist.test')).out,
    /2026-07-01 hist\.test p=reject 1 from 192\.0\.2\.9 header\.from=hist\.test dkim=fail spf=fail reject/,
  )
  writeFileSync(path('no-mail-today'), '')
  const empty = await command('dmarc', 'import', path('no-mail-today'))
  assert.match(empty.out, /no-mail-today: 0 messages of a history file\n$/)
  assert.equal(empty.status, 0)
  for (const [name, bytes, problem] of [
    ['bomb.gz', gzipSync(Buffer.alloc(70 * 1024 * 1024)), /cannot be unpacked/],
    ['entity.xml', Buffer.from(`<!DOCTYPE x [<!ENTITY a "b">]>${foreign}`), /is neither|has a document type/],
    ['other.xml', Buffer.from('<html/>'), /is no aggregate report/],
    ['text', Buffer.from('hello'), /is neither a history file nor an aggregate report/],
  ] as const) {
    writeFileSync(path(name), bytes)
    const done = await command('dmarc', 'import', path(name))
    assert.match(done.out, problem)
    assert.equal(done.status, 1)
  }
})
