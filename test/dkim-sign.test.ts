/** DKIM signing through the real program: what a server that listens gets is signed, and verifies. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ed25519Key, rsaKey, type TestKey, verifyMessage } from './support/dkim-world.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, type SinkMessage, startSink } from './support/smtp-sink.ts'

const rsa = rsaKey(2048)
const ed = ed25519Key()
const short = rsaKey(768)
const zone = {
  'rsa._domainkey.one.test': `v=DKIM1; p=${rsa.data}`,
  'ed._domainkey.one.test': `v=DKIM1; k=ed25519; p=${ed.data}`,
  'rsa._domainkey.two.test': `v=DKIM1; p=${rsa.data}`,
  'ed._domainkey.two.test': `v=DKIM1; k=ed25519; p=${ed.data}`,
}
const pem = ({ privateKey }: TestKey): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const folder = temporaryFolder('dkim-sign')
const keys = join(folder.path, 'keys')

/** Options by the local part of the recipient. */
const ways: Readonly<Record<string, string>> = {
  plain: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem`,
  ed: `dkim_domain = one.test\n dkim_selector = ed\n dkim_private_key = ${keys}/ed.pem`,
  both: `dkim_domain = One.TEST : two.test : one.test\n dkim_selector = rsa : ed\n dkim_private_key = ${keys}/$dkim_selector.pem`,
  text: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = \${readfile{${keys}/rsa.pem}}`,
  simple: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_canon = simple`,
  sha512: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_hash = sha512`,
  times: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_timestamps = 1209600\n dkim_identity = who@sub.one.test`,
  over: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_sign_headers = +From:=X-Many:Subject:X-None:Subject`,
  macro: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_sign_headers = _DKIM_OVERSIGN_HEADERS`,
  bdat: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem`,
  added: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_sign_headers = From:X-Added:Subject\n headers_add = X-Added: here\n headers_remove = X-Secret\n return_path_add`,
  host: `dkim_domain = \${if eq{$host:$host_address}{127.0.0.1:127.0.0.1}{one.test}{two.test}}\n dkim_selector = \${if eq{$host_port}{PORT}{rsa}{ed}}\n dkim_private_key = ${keys}/$dkim_selector.pem\n dkim_identity = @$dkim_domain`,
  second: `hosts = 127.0.0.2 : 127.0.0.1\n hosts_override\n dkim_domain = \${if eq{$host_address}{127.0.0.1}{two.test}{one.test}}\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem`,
  none: 'dkim_domain =\n dkim_selector = rsa\n dkim_strict = true',
  noselector: `dkim_domain = one.test\n dkim_selector =\n dkim_private_key = ${keys}/rsa.pem\n dkim_strict = true`,
  off: 'dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = false\n dkim_strict = true',
  missing: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/missing.pem`,
  strict: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/missing.pem\n dkim_strict = \${if eq{$dkim_domain}{one.test}{true}{no}}`,
  short: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/short.pem\n dkim_strict = 1`,
  tainted: `dkim_domain = $sender_address_domain\n dkim_selector = rsa\n dkim_private_key = ${keys}/$dkim_domain.pem\n dkim_strict = 1`,
  nofrom: `dkim_domain = one.test\n dkim_selector = rsa\n dkim_private_key = ${keys}/rsa.pem\n dkim_sign_headers = To:Subject\n dkim_strict = 1`,
}

const configuration = (port: number): string => `
primary_hostname = mx.test
acl_smtp_rcpt = accept
host_lookup =
never_users =
queue_run_in_order
message_size_limit = 100M
begin routers
${Object.keys(ways)
  .map(
    (way) =>
      `r_${way}:\n driver = manualroute\n local_parts = ${way}\n route_list = * 127.0.0.1\n self = send\n transport = t_${way}\n`,
  )
  .join('')}
begin transports
${Object.entries(ways)
  .map(
    ([way, options]) =>
      `t_${way}:\n driver = smtp\n port = ${port}\n allow_localhost\n hosts_try_chunking = ${way === 'bdat' ? '*' : ''}\n ${options.replace('PORT', String(port))}\n`,
  )
  .join('')}
begin retry
* * F,1h,1m
`

let server: StartedServer
let sink: Sink
before(async () => {
  sink = await startSink({ extensions: ['PIPELINING', 'CHUNKING', '8BITMIME', 'SIZE'] })
  mkdirSync(keys)
  chmodSync(folder.path, 0o777)
  for (const [name, key] of Object.entries({ rsa, ed, short })) {
    writeFileSync(join(keys, `${name}.pem`), pem(key), { mode: 0o644 })
  }
  server = await startServer({ configuration: configuration(sink.port), folder: folder.path })
})
after(async () => {
  await server.stop()
  await sink.close()
  folder.remove()
})

const text = [
  'From: A <a@one.test>',
  'To: b@here.test',
  'Subject: hello  there',
  'X-Many: 1',
  'X-Many: 2',
  'X-Secret: no',
  'Message-ID: <1@one.test>',
  'Date: Thu, 1 Jan 2026 00:00:00 +0000',
  '',
  'Hello  World ',
  '',
  '.dots',
  '..two',
  'gr\xfc\xdfe',
  '',
  '',
].join('\r\n') // prettier-ignore

async function through(way: string, message: string = text): Promise<SinkMessage> {
  const known = sink.messages.length
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  const reply = await client.deliver('a@one.test', [`${way}@here.test`], message)
  client.end()
  assert.equal(reply.code, 250)
  const found = await until(
    () => sink.messages.slice(known).find((one) => one.rcpts[0]?.includes(`${way}@`)),
    20_000,
  )
  assert.ok(found !== undefined, server.log())
  return found
}

async function check(message: SinkMessage): Promise<string[]> {
  const { signatures } = await verifyMessage(message.data, zone)
  return signatures.map((one) => `${one.domain} ${one.selector} ${one.algorithm} ${one.status}${one.detail}`)
}

const good = [
  { way: 'plain', says: 'with a key in a file', is: ['one.test rsa rsa-sha256 pass'] },
  { way: 'ed', says: 'with an Ed25519 key', is: ['one.test ed ed25519-sha256 pass'] },
  {
    way: 'both',
    says: 'for two domains with two keys each, a domain listed twice but once',
    // Verified in the order of dkim_verify_keytypes.
    is: [
      'one.test ed ed25519-sha256 pass',
      'two.test ed ed25519-sha256 pass',
      'one.test rsa rsa-sha256 pass',
      'two.test rsa rsa-sha256 pass',
    ],
  },
  { way: 'text', says: 'with a key as text', is: ['one.test rsa rsa-sha256 pass'] },
  { way: 'simple', says: 'in simple canonicalization', is: ['one.test rsa rsa-sha256 pass'] },
  { way: 'sha512', says: 'with SHA-512', is: ['one.test rsa rsa-sha512 pass'] },
  { way: 'bdat', says: 'when the message goes in BDAT chunks', is: ['one.test rsa rsa-sha256 pass'] },
  { way: 'macro', says: 'with _DKIM_OVERSIGN_HEADERS', is: ['one.test rsa rsa-sha256 pass'] },
] // prettier-ignore
for (const { way, says, is } of good) {
  test(`DKIM signing ${says}`, async () => {
    const message = await through(way)
    assert.deepEqual(await check(message), is)
    assert.match(message.data, /^DKIM-Signature: v=1; a=/)
  })
}

test('DKIM signing: the options know the host, as its name, address and port', async () => {
  assert.deepEqual(await check(await through('host')), ['one.test rsa rsa-sha256 pass'])
})

test('DKIM signing: the next host gets a signature of its own', async () => {
  assert.deepEqual(await check(await through('second')), ['two.test rsa rsa-sha256 pass'])
})

test('DKIM signing: the tags are those of the options, lines are short', async () => {
  const { data } = await through('times')
  const { signatures } = await verifyMessage(data, zone)
  const [first] = signatures
  assert.equal(first?.status, 'pass')
  assert.equal(first?.identity, 'who@sub.one.test')
  assert.equal(first.expires - first.created, 1_209_600)
  assert.ok(Math.abs(first.created - Date.now() / 1000) < 600)
  assert.match(data, /q=dns\/txt; c=relaxed\/relaxed;/)
  const header = data.slice(0, data.search(/\r\n(?![ \t])/))
  for (const line of header.split('\r\n')) assert.ok(line.length <= 78, line)
})

test('DKIM signing: the default list names headers that are not there, so that they cannot be added', async () => {
  const { data } = await through('plain')
  const { signatures } = await verifyMessage(data, zone)
  const names = signatures[0]?.headerNames.split(':') ?? []
  assert.equal(names.length, 28)
  assert.ok(names.includes('List-Archive') && names[0] === 'From')
  const more = await verifyMessage(data.replace('\r\nTo:', '\r\nReply-To: evil@x.test\r\nTo:'), zone)
  assert.equal(more.signatures[0]?.reason, 'signature_incorrect')
})

test('DKIM signing: + and = and repeated names', async () => {
  const { data } = await through('over')
  const { signatures } = await verifyMessage(data, zone)
  assert.equal(signatures[0]?.status, 'pass')
  assert.equal(signatures[0].headerNames, 'From:From:X-Many:X-Many:Subject:X-None:Subject')
  for (const added of ['From: x@y.test', 'Subject: x', 'X-None: x']) {
    const more = await verifyMessage(data.replace('\r\nTo:', `\r\n${added}\r\nTo:`), zone)
    assert.equal(more.signatures[0]?.reason, 'signature_incorrect', added)
  }
})

test('DKIM signing: headers that the transport adds and removes are signed as they leave', async () => {
  const message = await through('added')
  assert.deepEqual(await check(message), ['one.test rsa rsa-sha256 pass'])
  assert.match(message.data, /X-Added: here/)
  assert.doesNotMatch(message.data, /X-Secret/)
  const changed = await check({ ...message, data: message.data.replace('X-Added: here', 'X-Added: there') })
  assert.match(changed[0] ?? '', /fail/)
})

for (const way of ['none', 'noselector', 'off']) {
  test(`DKIM signing: nothing is signed and nothing waits: ${ways[way]?.split('\n')[0] ?? ''} (${way})`, async () => {
    const { data } = await through(way)
    assert.doesNotMatch(data, /DKIM-Signature/)
  })
}

test('DKIM signing: without dkim_strict a missing key lets the message go unsigned, and is told', async () => {
  const { data } = await through('missing')
  assert.doesNotMatch(data, /DKIM-Signature/)
  assert.match(
    server.log('panic'),
    /DKIM: message could not be signed: one\.test rsa: unable to open file for reading: \S+missing\.pem/,
  )
})

for (const [way, why] of [
  ['strict', /could not be signed: one\.test rsa: unable to open file/],
  ['short', /could not be signed: one\.test rsa: \S+short\.pem: RSA key of 768 bits/],
  ['tainted', /could not be signed: one\.test rsa: Tainted name '\S+\/one\.test\.pem'/],
  ['nofrom', /could not be signed: one\.test rsa: dkim_sign_headers lacks From/],
] as const) {
  test(`DKIM signing: with dkim_strict the message waits (${way})`, async () => {
    const known = sink.messages.length
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.test')
    await client.deliver('a@one.test', [`${way}@here.test`], text)
    client.end()
    const [line] = await server.logged(new RegExp(`== ${way}@here\\.test .*`))
    assert.match(line, why)
    assert.ok(!sink.messages.slice(known).some((one) => one.rcpts[0]?.includes(`${way}@`)))
    assert.doesNotMatch(server.log(), /PRIVATE KEY/)
  })
}

test('DKIM signing: a message of megabytes is hashed and sent in pieces', async () => {
  const body = `${'Line of  text \t with spaces \r\n'.repeat(100_000)}\r\n\r\n`
  const message = await through('plain', `From: a@one.test\r\nSubject: big\r\n\r\n${body}`)
  assert.ok(message.data.length > 2_900_000)
  assert.deepEqual(await check(message), ['one.test rsa rsa-sha256 pass'])
})
