/**
 * Promises 9 to 11 of SECURITY where no other file does the bad thing to a started server: what a resolver's questions
 * give away, results of our own name that come from outside, and loops of every kind. (Forged senders: dmarc.test.ts,
 * dkim.test.ts, spf.test.ts; hostile name servers: hostile-dns.test.ts.)
 */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import packet from 'dns-packet'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('security-mail')
const asked: { readonly id: number; readonly port: number }[] = []
const dns = createSocket('udp4')
let server: StartedServer
let sink: Sink

before(async () => {
  dns.on('message', (bytes, from) => {
    const query = packet.decode(bytes)
    asked.push({ id: query.id ?? 0, port: from.port })
    const reply = packet.encode({
      type: 'response',
      id: query.id ?? 0,
      flags: 3,
      questions: query.questions ?? [],
    })
    dns.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => dns.bind(0, '127.0.0.1', resolve))
  sink = await startSink()
  writeFileSync(
    join(folder.path, 'list'),
    Array.from({ length: 120_000 }, (_, i) => `${i}@doubles.example`).join(',\n'),
  )
  server = await startServer({
    folder: folder.path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.address().port}` },
    arguments: [],
    configuration: `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
received_headers_max = 30
recipients_max = 0
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  warn condition = \${if eq{$domain}{dns.example}}
       set acl_m0 = \${lookup dnsdb{defer_never,txt=$local_part.example}{$value}{}}
  accept
data:
  warn remove_header = Authentication-Results
       add_header = :at_start:\${authresults{mx.test.example}}
  accept
begin routers
dns:
  driver = redirect
  domains = dns.example
  data = :blackhole:
two:
  driver = redirect
  domains = loop.example
  data = \${if eq{$local_part}{a}{b}{a}}@loop.example
grows:
  driver = redirect
  domains = grows.example
  data = x$local_part@grows.example
doubles:
  driver = redirect
  domains = doubles.example
  local_parts = all
  file = ${folder.path}/list
  user = mail
listed:
  driver = redirect
  domains = doubles.example
  data = :blackhole:
far:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  hosts_try_chunking =
begin retry
* * F,1h,10m
`,
  })
})
after(async () => {
  await server?.stop()
  await sink?.close()
  dns.close()
  folder.remove()
})

async function deliver(to: readonly string[], message: string, from = 's@far.example'): Promise<number> {
  const client = await connectSmtp(server.port)
  try {
    await client.say('EHLO x.example')
    return (await client.deliver(from, to, message)).code
  } finally {
    client.end()
  }
}

test('P9: ids and ports of questions to the DNS are random', async () => {
  const recipients = Array.from({ length: 64 }, (_, i) => `n${i}@dns.example`)
  asked.length = 0
  assert.equal(await deliver(recipients, 'Subject: x\n\nx\n'), 250)
  const those = asked.slice(0, 64)
  assert.equal(those.length, 64)
  const ids = those.map(({ id }) => id)
  const ports = those.map(({ port }) => port)
  // Of 64 out of 65,536 two are the same in one of 33 runs; three pairs never.
  assert.ok(new Set(ids).size >= 61, String(ids))
  assert.ok(new Set(ports).size >= 48, String(ports))
  for (const numbers of [ids, ports]) {
    const steps = numbers.slice(1).map((n, i) => n - (numbers[i] ?? 0))
    const same = Math.max(...steps.map((step) => steps.filter((other) => other === step).length))
    assert.ok(same <= 4, `steps of a row: ${steps.join(' ')}`)
  }
  // Each bit of the ids is set in some and not in others.
  for (let bit = 0; bit < 16; bit++) {
    const set = ids.filter((id) => (id & (1 << bit)) !== 0).length
    assert.ok(set > 8 && set < 56, `bit ${bit} is set in ${set} of 64`)
  }
})

test('P10: Authentication-Results of our own name that come from outside are removed by one option', async () => {
  const before = sink.messages.length
  const forged = 'Authentication-Results: mx.test.example; dmarc=pass header.from=bank.example'
  assert.equal(
    await deliver(
      ['u@far.example'],
      `${forged}\nauthentication-results : MX.test.example; spf=pass\nAuthentication-Results:\n mx.test.example; dkim=pass\nFrom: a@bank.example\n\nx\n`,
    ),
    250,
  )
  const got = await until(() => sink.messages[before], 10_000)
  const [head = ''] = (got?.data ?? '').split('\r\n\r\n')
  const found = head
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .filter((line) => /^authentication-results/i.test(line))
  assert.equal(found.length, 1, head)
  assert.match(found[0] ?? '', /^Authentication-Results: mx\.test\.example;/)
  assert.doesNotMatch(found[0] ?? '', /=pass/)
})

test('P11: more Received headers than allowed end as a bounce', async () => {
  const before = sink.messages.length
  const message = `${'Received: from a.example by b.example\n'.repeat(40)}Subject: round\n\nx\n`
  assert.equal(await deliver(['u@far.example'], message), 250)
  await server.logged(/\*\* u@far\.example.*Too many "Received" headers - suspected mail loop/)
  const got = await until(() => sink.messages[before], 10_000)
  assert.match(got?.mail ?? '', /<>/)
  // The bounce of a bounce goes nowhere.
  assert.equal(await deliver(['u@far.example'], message, ''), 250)
  await server.logged(/Frozen|error message.*discarded|cancelled by|rejected/i)
})

const loops: readonly { readonly says: string; readonly to: string; readonly logged: RegExp }[] = [
  {
    says: 'two addresses that lead to each other',
    to: 'a@loop.example',
    logged: /(?:=>|\*\*|==) [ab]@loop\.example/,
  },
  {
    says: 'an address that grows',
    to: 'x@grows.example',
    logged: /x@grows\.example.*defer \(-1\): too many/,
  },
  {
    says: '120,000 addresses out of one',
    to: 'all@doubles.example',
    logged: /all@doubles\.example.*error in redirect file: too many/,
  },
]
for (const { says, to, logged } of loops) {
  test(`P11: ${says}: it ends, and others are served meanwhile`, async () => {
    const started = Date.now()
    assert.equal(await deliver([to], 'Subject: x\n\nx\n'), 250)
    const before = sink.messages.length
    assert.equal(await deliver(['beside@far.example'], 'Subject: beside\n\nx\n'), 250)
    const beside = await until(
      () => sink.messages.slice(before).find(({ data }) => data.includes('Subject: beside')),
      10_000,
    )
    assert.ok(beside !== undefined, 'the message beside it is delivered')
    await server.logged(logged, 20_000)
    assert.ok(Date.now() - started < 20_000)
  })
}

test('nothing went wrong on the way', () => {
  assert.doesNotMatch(server.log() + server.log('panic'), /worker ended|unexpected error|session failed/)
})
