/**
 * Hands the same generated messages to a real Exim and to Postern, both as `-bs`, and prints what each logged of SPF and DKIM as
 * JSON. Runs by itself in a network of its own, where port 53 is free and /etc/resolv.conf names 127.0.0.1: `unshare -mn`.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ed25519Key, type OddSignature, rsaKey, signOddly, type TestKey } from './dkim-world.ts'
import { type ScriptedRecord, startDnsServer, type Zone } from './dns-server.ts'

export interface ComparedDkim {
  readonly name: string
  readonly ours: string
  readonly theirs: string
}

const [exim = '', ours = '', folder = ''] = process.argv.slice(2)
const rsa = rsaKey(2048)
const ed = ed25519Key()
const short = rsaKey(768)
const pkcs1 = rsa.privateKey.export({ type: 'pkcs1', format: 'der' })
const txt = (text: string): ScriptedRecord[] => [{ type: 'TXT', data: text.match(/.{1,200}/g) ?? [''] }]
const senders: Readonly<Record<string, string>> = {
  'pass.test': 'v=spf1 ip4:192.0.2.1 -all',
  'fail.test': 'v=spf1 -all',
  'softfail.test': 'v=spf1 ~all',
  'neutral.test': 'v=spf1 ?all',
  'included.test': 'v=spf1 include:pass.test -all',
  'none.test': 'nothing of the kind',
}
const zone: Record<string, Zone[string]> = {
  'sel._domainkey.example.test TXT': txt(`v=DKIM1; k=rsa; p=${rsa.data}`),
  'ed._domainkey.example.test TXT': txt(`v=DKIM1; k=ed25519; p=${ed.data}`),
  'short._domainkey.example.test TXT': txt(`v=DKIM1; p=${short.data}`),
  'flags._domainkey.example.test TXT': txt(`v=DKIM1; t=s; n=note; s=email; h=sha256:sha512; p=${rsa.data}`),
  'revoked._domainkey.example.test TXT': txt('v=DKIM1; p='),
  'broken._domainkey.example.test TXT': txt('v=DKIM1; p=AAAA'),
  'v2._domainkey.example.test TXT': txt(`v=DKIM2; p=${rsa.data}`),
  'service._domainkey.example.test TXT': txt(`s=other; p=${rsa.data}`),
  'sf._domainkey.example.test TXT': 'servfail',
  'sha1only._domainkey.example.test TXT': txt(`h=sha1; p=${rsa.data}`),
  'pkcs1._domainkey.example.test TXT': txt(`p=${publicPkcs1()}`),
  'two._domainkey.example.test TXT': [...txt('v=DKIM1; p=AAAA'), ...txt(`v=DKIM1; p=${rsa.data}`)],
  'sel._domainkey.other.test TXT': txt(`p=${rsa.data}`),
}
for (const [name, record] of Object.entries(senders)) zone[`${name} TXT`] = txt(record)

function publicPkcs1(): string {
  // SEQUENCE { modulus, exponent } follows the version in the private key.
  const details = rsa.privateKey.export({ format: 'jwk' })
  const integer = (bytes: Buffer): Buffer => {
    const value = (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
    return Buffer.concat([Buffer.from([2]), length(value.length), value])
  }
  const length = (n: number): Buffer =>
    Buffer.from(n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255])
  const both = Buffer.concat([
    integer(Buffer.from(String(details.n), 'base64url')),
    integer(Buffer.from(String(details.e), 'base64url')),
  ])
  return pkcs1.length === 0
    ? ''
    : Buffer.concat([Buffer.from([0x30]), length(both.length), both]).toString('base64')
}

interface Generated {
  readonly name: string
  readonly sender: string
  readonly message: string
}

const bodies: Readonly<Record<string, string>> = {
  usual: 'Hello  World \r\n\r\nbye\r\n\r\n\r\n',
  empty: '',
  blank: '\r\n\r\n',
  spaces: ' \t \r\n\t\r\n  leading\r\ntab\there\r\n',
  dots: '.\r\n..\r\n.dot\r\nend\r\n',
  eight: 'gr\xfc\xdfe \xc3\xbc\r\n',
  wide: `${'x'.repeat(900)} ${'y'.repeat(60)}\r\n`,
}
const head =
  'From: A <a@example.test>\r\nTo: b@here.test,\r\n  c@here.test\r\nSubject: hello  there \r\nX-Two: 1\r\nX-Two: 2\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n'

function generate(): Generated[] {
  const made: Omit<Generated, 'sender'>[] = []
  const add = (
    name: string,
    odd: OddSignature = {},
    key: TestKey = rsa,
    change = (m: string): string => m,
    body = bodies['usual'] ?? '',
  ): void => {
    made.push({ name, message: change(signOddly(head + body, key, odd)) })
  }
  const ways: [string, OddSignature, TestKey][] = [
    ['rsa', {}, rsa],
    ['ed', { a: 'ed25519-sha256', s: 'ed' }, ed],
    ['sha512', { a: 'rsa-sha512' }, rsa],
  ]
  for (const c of ['relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple']) {
    for (const [way, odd, key] of ways) {
      for (const [body, text] of Object.entries(bodies))
        add(`${way} ${c} ${body}`, { ...odd, c }, key, undefined, text)
      add(`${way} ${c} body changed`, { ...odd, c }, key, (m) => m.replace('bye', 'bya'))
      add(`${way} ${c} space in the body`, { ...odd, c }, key, (m) =>
        m.replace('Hello  World ', 'Hello World'),
      )
      add(`${way} ${c} header changed`, { ...odd, c }, key, (m) => m.replace('hello  there', 'hello you'))
      add(`${way} ${c} header refolded`, { ...odd, c }, key, (m) =>
        m.replace('hello  there', 'hello\r\n\t there'),
      )
      add(`${way} ${c} l=7`, { ...odd, c, tags: { l: '7' } }, key, (m) => `${m}more\r\n`)
      add(`${way} ${c} X-Two`, { ...odd, c, h: 'from:x-two:x-two:x-two:subject' }, key)
      add(`${way} ${c} X-Two added`, { ...odd, c, h: 'from:x-two:x-two:x-two:subject' }, key, (m) =>
        m.replace('X-Two: 1', 'X-Two: 0\r\nX-Two: 1'),
      )
    }
  }
  const now = Math.floor(Date.now() / 1000)
  add('nokey', { s: 'nokey' })
  add('servfail', { s: 'sf' })
  add('revoked', { s: 'revoked' })
  add('broken', { s: 'broken' })
  add('v2', { s: 'v2' })
  add('service', { s: 'service' })
  add('short', { s: 'short' }, short)
  add('pkcs1', { s: 'pkcs1' })
  add('two', { s: 'two' })
  add('flags', { s: 'flags', tags: { i: 'a@example.test' } })
  add('sha1', { a: 'rsa-sha1' })
  add('sha1only', { s: 'sha1only' })
  add('expired', { tags: { t: `${now - 1000}`, x: `${now - 10}` } })
  add('times', { tags: { t: `${now - 1000}`, x: `${now + 1000}` } })
  add('turned', { tags: { t: `${now}`, x: `${now - 1000}` } })
  add('nofrom', { h: 'to:subject' })
  add('elsewhere', { tags: { i: 'a@other.test' } })
  add('below', { tags: { i: 'a@sub.example.test' } })
  add('version', { tags: { v: '2' } })
  add('no-v', { tags: { v: undefined } })
  add('no-d', { tags: { d: undefined } })
  add('no-h', { tags: { h: undefined } })
  add('no-bh', { tags: { bh: undefined } })
  add('unknown-a', { tags: { a: 'foo-bar' } })
  add('unknown-tag', { more: 'zz=1' })
  add('twice', { more: 's=sel' })
  add('method', { tags: { q: 'foo' } })
  add('method-dns', { tags: { q: 'dns/txt' } })
  add('beyond', { tags: { l: '10000' } })
  add('nothing', { tags: { l: '0' } })
  add('upper', { d: 'Example.TEST' })
  add('copied', { tags: { z: 'From:a|To:b=20c' } })
  made.push({ name: 'unsigned', message: head + (bodies['usual'] ?? '') })
  made.push({
    name: 'both',
    message: signOddly(signOddly(head, rsa, { d: 'other.test' }), ed, { a: 'ed25519-sha256', s: 'ed' }),
  })
  const names = Object.keys(senders)
  return made.map((one, i) => ({ ...one, sender: `a@${names[i % names.length] ?? ''}` }))
}

const messages = generate()
const dns = await startDnsServer(zone, { port: 53 })
const [us, them] = [await ask(ours, 'postern'), await ask(exim, 'exim')]
await dns.close()
const compared: ComparedDkim[] = messages.map(({ name, sender }, i) => ({
  name: `${name}; ${sender}`,
  ours: us[i] ?? 'nothing',
  theirs: them[i] ?? 'nothing',
}))
process.stdout.write(JSON.stringify(compared))

/** One dialogue with all messages; what was logged of each, on one line. */
async function ask(program: string, name: string): Promise<string[]> {
  const place = join(folder, name)
  mkdirSync(place)
  chmodSync(place, 0o777)
  const configuration = join(place, 'exim.conf')
  writeFileSync(
    configuration,
    `spool_directory = ${place}/spool
log_file_path = ${place}/%slog
keep_environment =
primary_hostname = mx.test
host_lookup =
queue_only
never_users =
dns_retrans = 1s
dns_retry = 1
smtp_accept_max_per_connection = 0
log_selector = +dkim_verbose
acl_smtp_rcpt = accept
acl_smtp_data = at_data
begin acl
at_data:
  warn spf = pass:fail:softfail:neutral:none:permerror:temperror
       condition = no
  accept logwrite = RESULTS \${sg{\${authresults{mx.test}}}{\\\\s+}{ }}
`,
  )
  const lines = ['EHLO host.test']
  for (const { sender, message } of messages) {
    lines.push(
      `MAIL FROM:<${sender}>`,
      'RCPT TO:<x@here.test>',
      'DATA',
      `${message.replaceAll('\r\n.', '\r\n..')}.`,
    )
  }
  lines.push('QUIT')
  await new Promise<void>((resolve) => {
    const child = spawn(program, ['-C', configuration, '-oMa', '192.0.2.1', '-bs'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.on('close', () => resolve())
    child.stdin.on('error', () => undefined)
    child.stdin.end(Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1'))
  })
  const log = existsSync(join(place, 'mainlog')) ? readFileSync(join(place, 'mainlog'), 'latin1') : ''
  return said(log)
}

/** Each message ends with its `<=` line. */
function said(log: string): string[] {
  const all: string[] = []
  let one: string[] = []
  for (const line of log.split('\n')) {
    const text = line.replace(/^\S+ \S+ \S+ /, '')
    if (text.startsWith('DKIM: ') && !text.startsWith('DKIM: validation error')) one.push(text)
    else if (text.startsWith('RESULTS ')) one.push(text.replace(/ \(best guess[^)]*\)/, ''))
    else if (text.startsWith('<= ')) {
      one.push(/ DKIM=\S+/.exec(text)?.[0] ?? '')
      all.push(one.join(' | ').replace(/\s+/g, ' '))
      one = []
    }
  }
  return all
}
