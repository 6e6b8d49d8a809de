/**
 * PROXY protocol through the real program: the requirements P1 to P15, each by its number, and the examples of the
 * text of 2014 as they stand there.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { noOpenssl, selfSigned } from './support/certificates.ts'
import { startDnsServer, type DnsServer } from './support/dns-server.ts'
import { connectRaw, proxyAddress } from './support/proxied-client.ts'
import { proxyHeaders } from './support/proxy-headers.ts'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const refused = '503 Command refused, required Proxy negotiation failed\r\n'
const v1 = 'PROXY TCP4 192.0.2.1 198.51.100.9 40123 25\r\n'
const signature = '\r\n\r\n\0\r\nQUIT\n'
const bytes = (...values: number[]): string => String.fromCharCode(...values)
const v2 = (command: number, family: number, rest: string): string =>
  signature + bytes(command, family, rest.length >> 8, rest.length & 255) + rest
const tlv = (type: number, value: string): string =>
  bytes(type, value.length >> 8, value.length & 255) + value
const tcp4 = bytes(192, 0, 2, 1, 198, 51, 100, 9, 156, 187, 0, 25)
const healthCheck = v2(0x20, 0, '')

/** The connect ACL of the 2014 text, as it stands there, and what its author left to the reader. */
const connectAcl = String.raw`
check_connect:
  warn    condition      = ${'$'}{if and{ {bool{$proxy_session}} \
                                     {eq{$proxy_host_address}{}} } }
          log_message    = Failed required proxy protocol negotiation \
                           from $sender_host_name [$sender_host_address]

  warn    condition      = ${'$'}{if and{ {bool{$proxy_session}} \
                                     {!eq{$proxy_host_address}{}} } }
          # But don't log health probes from the proxy itself
          condition      = ${'$'}{if eq{$proxy_host_address}{$sender_host_address} \
                                {false}{true}}
          log_message    = Successfully proxied from $sender_host_name \
                           [$sender_host_address] through proxy protocol \
                           host $proxy_host_address

  # Possibly more clear
  warn logwrite = Remote Source Address: $sender_host_address:$sender_host_port
       logwrite = Proxy Target Address: $proxy_target_address:$proxy_target_port
       logwrite = Proxy Internal Address: $proxy_host_address:$proxy_host_port
       logwrite = Internal Server Address: $received_ip_address:$received_port

  warn logwrite = today: $proxy_session $proxy_local_address:$proxy_local_port $proxy_external_address:$proxy_external_port
       logwrite = fields: $proxy_tlv_authority $proxy_tlv_alpn $proxy_tlv_unique_id $proxy_tlv_ssl_version $proxy_tlv_ssl_cn $proxy_tlv_ssl_cipher $proxy_tlv_ssl_verify $proxy_tlv_netns $proxy_tlv_aws_vpce $proxy_tlv_azure_link ${'$'}{proxy_tlv{0xE0}}
  accept
`
const common = `
primary_hostname = mail.example.net
queue_only = true
tls_advertise_hosts =
acl_smtp_rcpt = accept
`
const started: StartedServer[] = []
const folders: { remove(): void }[] = []
let dns: DnsServer
/** Calls from 127.0.0.2 are a proxy's; others are clients. */
let server: StartedServer

async function start(configuration: string, more: Partial<Parameters<typeof startServer>[0]> = {}) {
  const folder = temporaryFolder('proxy')
  folders.push(folder)
  const one = await startServer({
    configuration,
    folder: folder.path,
    arguments: [],
    environment: { POSTERN_DNS: `${dns.address}:${dns.port}` },
    ...more,
  })
  started.push(one)
  return one
}

before(async () => {
  dns = await startDnsServer({
    '1.2.0.192.in-addr.arpa PTR': [{ type: 'PTR', data: 'client.example.net' }],
    'client.example.net A': [{ type: 'A', data: '192.0.2.1' }],
    '2.0.0.127.in-addr.arpa PTR': [{ type: 'PTR', data: 'proxy.example.net' }],
    'proxy.example.net A': [{ type: 'A', data: '127.0.0.2' }],
  })
  server = await start(`${common}
hosts_proxy = ${proxyAddress}
log_selector = +proxy
acl_smtp_connect = check_connect
begin acl
${connectAcl}`)
})
after(async () => {
  for (const one of started) await one.stop()
  await dns.close()
  for (const one of folders) one.remove()
})

/** Waits for a line in what the log has gained. */
async function gains(since: () => string, pattern: RegExp): Promise<void> {
  const found = await until(() => (pattern.test(since()) ? true : undefined), 3000)
  if (found === undefined) assert.match(since(), pattern)
}

/** What the log has gained since. */
function logSince(one: StartedServer = server): () => string {
  const size = one.log().length
  return () => one.log().slice(size)
}

const mail = async (say: (line: string) => Promise<string>): Promise<string> => {
  for (const line of [
    'EHLO client.example.net',
    'MAIL FROM:<me@example.net>',
    'RCPT TO:<you@example.net>',
    'DATA',
  ])
    await say(line)
  return say('Subject: a\r\n\r\nb\r\n.')
}

test('P1: connections from hosts of hosts_proxy begin with a header, others do not', async () => {
  const proxied = await connectRaw(server.port, [v1])
  await proxied.hears(/^220 .*\r\n/)
  assert.match(
    await proxied.say('EHLO x'),
    /^250-mail\.example\.net Hello client\.example\.net \[192\.0\.2\.1\]/,
  )
  proxied.end()
  const plain = await connectSmtp(server.port)
  assert.match((await plain.say('EHLO x')).raw, /Hello x \[127\.0\.0\.1\]/)
  plain.end()
  const uncalled = await connectRaw(server.port, [v1], { from: '127.0.0.1' })
  // From others it is only a command that nobody knows.
  await uncalled.hears(/^220 .*\r\n500 unrecognized command\r\n/)
  uncalled.end()
})

/** Starts `postern -bs` with each connection as its standard input and output, as inetd does. */
async function inetd(
  configurationFile: string,
  ...flags: string[]
): Promise<{ port: number; close(): void }> {
  const listener = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(postern, ['-C', configurationFile, '-bs', ...flags], {
      stdio: [socket, socket, 'ignore'],
      env: { ...process.env, POSTERN_DNS: `${dns.address}:${dns.port}` },
    })
    child.once('exit', () => socket.destroy())
  })
  // Where there is IPv6 one socket is for both kinds, and clients of IPv4 have an address of IPv6.
  await new Promise<void>((resolve) => listener.listen(0, resolve))
  const address = listener.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => listener.close(),
  }
}

test('P1: under inetd hosts of hosts_proxy begin with a header as well, and our own address is known', async () => {
  const folder = temporaryFolder('proxy-inetd')
  folders.push(folder)
  const one = await start(
    `${common.replace('rcpt = accept', 'rcpt = tell')}
hosts_proxy = ${proxyAddress}
pipelining_connect_advertise_hosts =
begin acl
tell:
  deny message = $sender_host_address:$sender_host_port $proxy_session $proxy_local_address $proxy_external_address:$proxy_external_port $received_ip_address:$received_port
`,
    { folder: folder.path },
  )
  const by = await inetd(one.configurationFile)
  const told = async (sent: string, from?: string): Promise<string> => {
    const client = await connectRaw(by.port, [sent], from === undefined ? {} : { from })
    await client.hears(/^220 .*\r\n/, 10_000)
    assert.match(await client.say('EHLO client.example.net'), /^250-/)
    await client.say('MAIL FROM:<a@example.net>')
    const reply = await client.say('RCPT TO:<b@example.net>')
    assert.match(await client.say('QUIT'), /^221 /)
    return reply
  }
  try {
    for (const header of [v1, v2(0x21, 0x11, tcp4)])
      assert.match(
        await told(header),
        new RegExp(
          `^550 192\\.0\\.2\\.1:\\d+ yes 127\\.0\\.0\\.2 198\\.51\\.100\\.9:25 127\\.0\\.0\\.1:${by.port}\r\n`,
        ),
      )
    assert.match(
      await told('', '127.0.0.1'),
      new RegExp(`^550 127\\.0\\.0\\.1:\\d+ no  :0 127\\.0\\.0\\.1:${by.port}\r\n`),
    )
    const without = await connectRaw(by.port, [])
    await without.hears(/^220 .*\r\n/, 10_000)
    assert.equal(await without.say('EHLO client.example.net'), refused)
    assert.match(await without.say('QUIT'), /^221 /)
    const early = await connectRaw(by.port, [`${v1}EHLO early\r\n`])
    assert.equal(await early.closed(5000), '554 SMTP synchronization error\r\n')
  } finally {
    by.close()
  }
})

test('P1: proxy_required_hosts is the same option, expanded, with other separators; both at once are an error', async () => {
  const other = await start(`${common}
proxy_required_hosts = \${if eq{1}{1}{<; ::1 ; 127.0.0.0/30 ; !*}}
hosts_connection_nolog = 127.0.0.1
proxy_protocol_timeout = 1s
`)
  const client = await connectRaw(other.port, [v1])
  await client.hears(/^220 /)
  assert.match(await client.say('EHLO x'), /Hello x \[192\.0\.2\.1\]/)
  client.end()
  const file = join(other.folder, 'both.conf')
  writeFileSync(file, 'hosts_proxy = 192.0.2.1\nproxy_required_hosts = 192.0.2.2\n')
  const both = spawnSync(postern, ['-C', file, '-bV'], { encoding: 'utf8' })
  assert.notEqual(both.status, 0)
  assert.match(both.stdout + both.stderr, /option set for the second time/)
})

test('P1: local input needs no header', () => {
  const everyone = ['-bs', '-oMa', proxyAddress]
  const done = spawnSync(postern, ['-C', server.configurationFile, ...everyone], {
    input: 'EHLO x\r\nQUIT\r\n',
    encoding: 'latin1',
  })
  assert.match(done.stdout, /^220 [^]*250 HELP\r\n221 /)
})

test('P2: version 1 and version 2 are read, whole, byte by byte, and with their end in another packet', async () => {
  for (const header of [v1, v2(0x21, 0x11, tcp4), v2(0x21, 0x11, tcp4 + tlv(2, 'mail.example'))]) {
    for (const pieces of [[header], Array.from(header), [header.slice(0, 14), header.slice(14)]]) {
      const client = await connectRaw(server.port, pieces, pieces.length === 1 ? {} : { pauseMs: 2 })
      await client.hears(/^220 /)
      assert.match(await client.say('EHLO x'), /Hello client\.example\.net \[192\.0\.2\.1\]|\[192\.0\.2\.1\]/)
      assert.match(await client.say('QUIT'), /^221 /)
    }
  }
})

test('P2: UNKNOWN, LOCAL and UNIX keep the addresses of the connection', async () => {
  for (const header of ['PROXY UNKNOWN\r\n', healthCheck, v2(0x21, 0x31, '\0'.repeat(216))]) {
    const client = await connectRaw(server.port, [header])
    await client.hears(/^220 /)
    assert.match(await client.say('EHLO x'), /Hello x \[127\.0\.0\.2\]/)
    client.end()
  }
})

test('P2: a header that is wrong anywhere is refused', async () => {
  for (const header of [
    'PROXY TCP4 192.0.2.1 198.51.100.9 65536 25\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.9 1234 25\n',
    v2(0x21, 0x12, tcp4),
    v2(0x31, 0x11, tcp4),
    v2(0x21, 0x11, tcp4 + tlv(3, 'zero')),
  ]) {
    const client = await connectRaw(server.port, [header])
    await client.hears(/^220 .*\r\n$/)
    assert.equal(await client.say('EHLO x'), refused, JSON.stringify(header))
    client.end()
  }
})

test('P2: every header of the table, whole, byte by byte, and glued to the first command', async () => {
  const lax = await start(`${common}\nhosts_proxy = ${proxyAddress}\nsmtp_enforce_sync = false\n`)
  const commands = 'NOOP\r\nQUIT\r\n'
  const talk = async (name: string, header: string, expected: string): Promise<void> => {
    const bad = expected === 'foreign' || expected.startsWith('!')
    // What is no header, or a line without end, is taken for commands: each gets its refusal.
    const answers = bad ? /^220 .*\r\n(503 Command refused.*\r\n)*221 / : /^220 .*\r\n250 OK\r\n221 /
    const unended = expected.startsWith('!no end') || expected === 'foreign'
    const glued = await connectRaw(lax.port, [header + commands])
    // Bytes that came with a line too long went with it.
    if (unended) {
      await glued.hears(/^220 /)
      glued.send('\r\nQUIT\r\n')
    }
    assert.match(await glued.closed(), answers, name)
    if (header.length > 400) return
    const slow = await connectRaw(lax.port, header.split(''), { pauseMs: 0 })
    await slow.hears(/^220 /)
    slow.send(unended ? `\r\n${commands}` : commands)
    assert.match(await slow.closed(), answers, name)
  }
  for (let i = 0; i < proxyHeaders.length; i += 20)
    await Promise.all(proxyHeaders.slice(i, i + 20).map(([name, header, said]) => talk(name, header, said)))
})

test('P3: address, port and name are the client’s; our own address stays that of the socket', async () => {
  const since = logSince()
  const client = await connectRaw(server.port, [v1])
  await client.hears(/^220 /)
  await gains(since, /Remote Source Address: 192\.0\.2\.1:40123\n/)
  await gains(since, new RegExp(`Internal Server Address: 127\\.0\\.0\\.1:${server.port}\n`))
  await mail((line) => client.say(line))
  await gains(since, /<= me@example\.net H=client\.example\.net \[192\.0\.2\.1\] P=esmtp /)
  client.end()
})

test('P4: by default nothing is logged of a negotiation, good or bad', async () => {
  const quiet = await start(`${common}\nhosts_proxy = ${proxyAddress}\nproxy_protocol_timeout = 1s\n`)
  const since = logSince(quiet)
  for (const pieces of [[v1], ['PROXY bad\r\n'], [healthCheck], []]) {
    const client = await connectRaw(quiet.port, pieces)
    await client.hears(/^220 /)
    await client.say('QUIT')
  }
  ;(await connectRaw(quiet.port)).end()
  ;(await connectRaw(quiet.port, ['PROXY TC'])).end()
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(since(), '')
  assert.equal(quiet.log('reject'), '')
})

test('P4: under the selector proxy a line tells why a negotiation failed', async () => {
  const client = await connectRaw(server.port, ['PROXY TCP5 bad\r\n'])
  await client.hears(/^220 /)
  client.end()
  assert.match(
    server.log('reject'),
    /PROXY negotiation with \[127\.0\.0\.2\] failed: not a protocol, two addresses/,
  )
})

test('P4: health checks are not logged, even where connections are', async () => {
  const other = await start(`${common}\nhosts_proxy = ${proxyAddress}
log_selector = +smtp_connection +smtp_no_mail +lost_incoming_connection\n`)
  const since = logSince(other)
  const client = await connectRaw(other.port, [healthCheck])
  await client.hears(/^220 /)
  await client.say('EHLO proxy')
  await client.say('QUIT')
  const lost = await connectRaw(other.port, [healthCheck])
  await lost.hears(/^220 /)
  lost.end()
  ;(await connectRaw(other.port)).end()
  await new Promise((resolve) => setTimeout(resolve, 100))
  // The test's own first call, to see whether the server is up, may still be logged.
  assert.doesNotMatch(since(), /127\.0\.0\.2/)
  const real = await connectRaw(other.port, [v1])
  await real.hears(/^220 /)
  await real.say('QUIT')
  await gains(since, /SMTP connection from .*\[192\.0\.2\.1\]/)
})

test('P5: after a failure only QUIT works, and not for ever', async () => {
  const client = await connectRaw(server.port, ['PROXY bad\r\n'])
  await client.hears(/^220 .*\r\n/)
  for (const line of [
    'EHLO localhost',
    'HELO x',
    'MAIL FROM:<a@b>',
    'NOOP',
    'RSET',
    'STARTTLS',
    'rubbish',
    '',
    'QUIT now',
  ])
    assert.equal(await client.say(line), refused, line)
  assert.equal(await client.say('quit'), '221 mail.example.net closing connection\r\n')
  await client.closed()
  const stubborn = await connectRaw(server.port, ['PROXY bad\r\n'])
  await stubborn.hears(/^220 .*\r\n/)
  stubborn.send('NOOP\r\n'.repeat(100))
  const heard = await stubborn.closed()
  assert.equal(heard.split(refused).length - 1, 20)
})

test('P6: the limit is for the whole header, and proxy_protocol_timeout sets it', async () => {
  const other = await start(`${common}\nhosts_proxy = ${proxyAddress}\nproxy_protocol_timeout = 1s\n`)
  const began = Date.now()
  const client = await connectRaw(other.port, ['PROXY '])
  // Each byte comes soon after the one before.
  for (let i = 0; i < 4; i++) setTimeout(() => client.send('U'), i * 200)
  await client.hears(/^220 .*\r\n/)
  const took = Date.now() - began
  assert.ok(took >= 950 && took < 2500, String(took))
  assert.match(await client.say('EHLO x'), /^503 Command refused/)
  client.end()
})

test('P7: what is no header is input before the banner', async () => {
  const since = server.log('reject').length
  const client = await connectRaw(server.port, ['EHLO early\r\n'])
  assert.equal(await client.closed(2000), '554 SMTP synchronization error\r\n')
  await gains(
    () => server.log('reject').slice(since),
    /SMTP protocol synchronization error \(input sent without waiting for greeting\): rejected connection from H=.*\[127\.0\.0\.2\] input="EHLO early\\r\\n"/,
  )
})

test('P7: a command glued to a good header is early too, unless smtp_enforce_sync is off', async () => {
  const careful = await start(
    `${common}\nhosts_proxy = ${proxyAddress}\npipelining_connect_advertise_hosts =\n`,
  )
  const strict = await connectRaw(careful.port, [`${v1}EHLO early\r\n`])
  assert.equal(await strict.closed(2000), '554 SMTP synchronization error\r\n')
  const lax = await start(`${common}\nhosts_proxy = ${proxyAddress}\nsmtp_enforce_sync = false\n`)
  for (const header of [v1, v2(0x21, 0x11, tcp4)]) {
    const client = await connectRaw(lax.port, [`${header}EHLO early\r\nQUIT\r\n`])
    assert.match(await client.closed(2000), /^220 .*\r\n250-.*Hello early \[192\.0\.2\.1\][^]*\r\n221 /)
  }
  const foreign = await connectRaw(lax.port, ['EHLO early\r\nQUIT\r\n'])
  assert.match(await foreign.closed(2000), /^220 .*\r\n503 Command refused.*\r\n221 /)
})

test('P8: smtp_accept_max_per_host counts the proxy, or with an option the client', async () => {
  const limits = `${common}\nhosts_proxy = ${proxyAddress}\nsmtp_accept_max_per_host = 1\n`
  const asExim = await start(limits)
  const first = await connectRaw(asExim.port, [v1])
  await first.hears(/^220 /)
  const second = await connectRaw(asExim.port, ['PROXY TCP4 192.0.2.77 198.51.100.9 1 25\r\n'])
  assert.match(await second.closed(), /^421 Too many concurrent SMTP connections from this IP address/)
  first.end()
  const byClient = await start(`${limits}smtp_accept_max_per_host_counts_client = true\n`)
  const one = await connectRaw(byClient.port, [v1])
  await one.hears(/^220 /)
  const another = await connectRaw(byClient.port, ['PROXY TCP4 192.0.2.77 198.51.100.9 1 25\r\n'])
  await another.hears(/^220 /)
  const again = await connectRaw(byClient.port, [v1])
  assert.match(await again.closed(), /^421 Too many concurrent SMTP connections from this IP address/)
  await one.say('QUIT')
  await one.closed()
  const later = await connectRaw(byClient.port, [v1])
  await later.hears(/^220 /)
  for (const client of [later, another]) client.end()
})

test('P9: PRX= stands in the <= line before S=, under the selector proxy', async () => {
  const since = logSince()
  const client = await connectRaw(server.port, [v1])
  await client.hears(/^220 /)
  await mail((line) => client.say(line))
  client.end()
  await gains(
    since,
    / <= me@example\.net H=client\.example\.net \[192\.0\.2\.1\] P=esmtp PRX=127\.0\.0\.2 S=\d+\n/,
  )
  const plain = await connectSmtp(server.port)
  await plain.say('EHLO x')
  await plain.deliver('me@example.net', ['you@example.net'], 'Subject: a\r\n\r\nb\r\n')
  plain.end()
  await gains(since, / <= me@example\.net H=\(x\) \[127\.0\.0\.1\] P=esmtp S=\d+\n/)
})

test('P10: both names of the variables, and fields of version 2', async () => {
  const since = logSince()
  const fields =
    tlv(1, 'smtp') +
    tlv(2, 'mail.example') +
    tlv(5, 'id-1') +
    tlv(0x30, 'space') +
    tlv(0x20, `${bytes(1, 0, 0, 0, 19)}${tlv(0x21, 'TLSv1.3')}${tlv(0x22, 'Ann')}${tlv(0x23, 'AES')}`) +
    tlv(0xea, bytes(1) + 'vpce-08d') +
    tlv(0xee, bytes(1, 4, 1, 0, 0)) +
    tlv(0xe0, 'gcp')
  const client = await connectRaw(server.port, [v2(0x21, 0x11, tcp4 + fields)])
  await client.hears(/^220 /)
  client.end()
  await gains(since, new RegExp(`Proxy Internal Address: 127\\.0\\.0\\.2:${client.port}\n`))
  await gains(since, /Proxy Target Address: 198\.51\.100\.9:25\n/)
  await gains(since, new RegExp(`today: yes 127\\.0\\.0\\.2:${client.port} 198\\.51\\.100\\.9:25\n`))
  await gains(since, /fields: mail\.example smtp id-1 TLSv1\.3 Ann AES 19 space vpce-08d 260 gcp\n/)
  ;(await connectSmtp(server.port)).end()
  await gains(since, /today: no :0 :0\n/)
  const forger = await connectRaw(server.port, [v2(0x21, 0x11, tcp4 + tlv(2, 'a\n2026-01-01 forged'))])
  await forger.hears(/^220 /)
  forger.end()
  await gains(since, /fields: a.*forged/)
  assert.doesNotMatch(since(), /^2026-01-01 forged/m)
})

test('P11: a failed negotiation shows as $proxy_session with an empty $proxy_host', async () => {
  const other = await start(`${common}\nhosts_proxy = ${proxyAddress}
acl_smtp_connect = \${if and{{bool{$proxy_session}}{eq{$proxy_host}{}}}{failed}{fine}}
begin acl
failed:
  accept logwrite = failed
fine:
  accept logwrite = fine
`)
  const since = logSince(other)
  for (const header of ['PROXY bad\r\n', v1]) {
    const client = await connectRaw(other.port, [header])
    await client.hears(/^220 /)
    client.end()
  }
  await gains(since, / failed\n.* fine\n/)
})

test('P12: the connect ACL of 2014 tells good negotiations from bad ones, and leaves out health probes', async () => {
  const since = logSince()
  const talk = async (header: string): Promise<string> => {
    const start = since().length
    const client = await connectRaw(server.port, [header])
    await client.hears(/^220 /)
    client.end()
    await until(() => (/fields:.*\n/.test(since().slice(start)) ? true : undefined), 3000)
    return since().slice(start)
  }
  assert.match(
    await talk(v1),
    /Warning: Successfully proxied from client\.example\.net \[192\.0\.2\.1\] through proxy protocol host 127\.0\.0\.2\n/,
  )
  assert.match(
    await talk('PROXY bad\r\n'),
    /Warning: Failed required proxy protocol negotiation from proxy\.example\.net \[127\.0\.0\.2\]\n/,
  )
  const probe = await talk(healthCheck)
  assert.doesNotMatch(probe, /negotiation|proxied/)
  assert.match(probe, /Remote Source Address: 127\.0\.0\.2:\d+\n.*Proxy Target Address: 127\.0\.0\.1:\d+\n/)
})

test('P13: check warns when the list matches this host, and the list works all the same', async () => {
  const file = join(server.folder, 'all.conf')
  for (const [list, warns] of [
    ['*', true],
    ['192.0.2.0/24 : 127.0.0.0/8', true],
    ['<; ::1', true],
    ['+proxies', true],
    ['!127.0.0.1 : !\\:\\:1 : *', false],
    ['192.0.2.1', false],
  ] as const) {
    writeFileSync(file, `hostlist proxies = 192.0.2.1 : 127.0.0.1\nproxy_required_hosts = ${list}\n`)
    const said = spawnSync(postern, ['check', file], { encoding: 'utf8' })
    assert.equal(/hosts_proxy matches (127\.0\.0\.1|::1)/.test(said.stdout + said.stderr), warns, list)
  }
  const all = await start(`${common}\nproxy_required_hosts = *\nproxy_protocol_timeout = 1s\n`)
  const client = await connectRaw(all.port, [v1], { from: '127.0.0.1' })
  await client.hears(/^220 /)
  assert.match(await client.say('EHLO x'), /\[192\.0\.2\.1\]/)
  client.end()
})

test('P14: the session of the 2014 text: a banner of two lines after three seconds, 503, 221', async () => {
  const other = await start(`
primary_hostname = mail.example.net
smtp_banner = "$smtp_active_hostname, ESMTP Exim 4.82+proxy, Mon, 04 Nov 2013 10:45:59\\n-0800 RFC's enforced"
proxy_required_hosts = ${proxyAddress}
`)
  const began = Date.now()
  const client = await connectRaw(other.port)
  await client.hears(/^220 .*\r\n/m)
  const took = Date.now() - began
  assert.ok(took >= 2950 && took < 4500, String(took))
  assert.equal(
    client.heard(),
    "220-mail.example.net, ESMTP Exim 4.82+proxy, Mon, 04 Nov 2013 10:45:59\r\n220 -0800 RFC's enforced\r\n",
  )
  assert.equal(await client.say('EHLO localhost'), refused)
  assert.equal(await client.say('QUIT'), '221 mail.example.net closing connection\r\n')
  await client.closed()
})

test('P15: the header comes in the clear before TLS on connect, and takes no byte of it', {
  skip: noOpenssl,
}, async () => {
  const folder = temporaryFolder('proxy-tls')
  folders.push(folder)
  selfSigned(folder.path, 'server', '/CN=mail.example.net')
  const [port, tlsPort] = [await freePort(), await freePort()]
  await start(
    `${common}\nhosts_proxy = ${proxyAddress}
tls_certificate = ${join(folder.path, 'server.crt')}
tls_privatekey = ${join(folder.path, 'server.key')}
tls_on_connect_ports = ${tlsPort}
daemon_smtp_ports = ${port} : ${tlsPort}
`,
    { port, arguments: ['-oX', `<; 127.0.0.1.${port} ; 127.0.0.1.${tlsPort}`] },
  )
  /** `glued`: header and client hello in one packet. */
  for (const glued of [true, false]) {
    for (const header of [v1, v2(0x21, 0x11, tcp4 + tlv(2, 'mail.example'))]) {
      const raw = await connectRaw(tlsPort)
      raw.socket.removeAllListeners('data')
      if (glued) raw.socket.cork()
      raw.send(header)
      const secured = connectTls({ socket: raw.socket, rejectUnauthorized: false })
      if (glued) setTimeout(() => raw.socket.uncork(), 50)
      const heard = await new Promise<string>((resolve, reject) => {
        let text = ''
        secured.on('data', (piece: Buffer) => {
          text += piece.toString('latin1')
          if (text.endsWith('closing connection\r\n')) resolve(text)
          else if (/^220 .*\r\n$/.test(text)) secured.write('EHLO x\r\n')
          else if (/^250 HELP\r\n$/m.test(text)) secured.write('QUIT\r\n')
        })
        secured.once('error', reject)
        secured.once('close', () => reject(new Error(`closed; heard ${text}`)))
      })
      assert.match(heard, /^220 .*\r\n250-.*Hello x \[192\.0\.2\.1\]/)
    }
  }
})
