/**
 * OCSP stapling through the real program: proofs by openssl, served to `openssl s_client` and to ourselves.
 * Requirements O1 to O8, O11, O12 (the helper of O9 and O10 has a file of its own).
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const skip = noOpenssl
const folder = temporaryFolder('ocsp')
const running: StartedServer[] = []
after(async () => {
  for (const server of running) await server.stop()
  folder.remove()
})

const ca = skip === false ? prepare() : undefined
const at = (name: string): string => `${folder.path}/${name}`

function prepare(): TestAuthority {
  const made = new TestAuthority(folder.path)
  made.leaf('mail.example')
  made.leaf('other.example')
  made.leaf('rsa.example', { rsa: true })
  made.leaf('direct.example', { issuer: 'ca' })
  made.responder('resp')
  made.responder('resp-noeku', { usage: 'serverAuth' })
  made.proof('mail.der', 'mail.example', { signer: 'resp' })
  made.proof('mail-ca.der', 'mail.example', { signer: 'int' })
  made.proof('other.der', 'other.example', { signer: 'int' })
  made.proof('rsa.der', 'rsa.example', { signer: 'resp' })
  made.proof('revoked.der', 'mail.example', { signer: 'resp', revoked: true })
  made.proof('nonext.der', 'mail.example', { signer: 'resp', days: 0 })
  made.proof('noeku.der', 'mail.example', { signer: 'resp-noeku' })
  made.proof('nocert.der', 'mail.example', { signer: 'resp', switches: ['-resp_no_certs'] })
  made.proof('direct.der', 'direct.example', { signer: 'ca', issuer: 'ca' })
  made.redated('mail.der', 'expired.der', 'resp', -9, -2)
  made.pem('mail.der', 'mail.proof.pem')
  made.pem('nocert.der', 'nocert.proof.pem', ['resp'])
  return made
}

async function start(configuration: string, name: string): Promise<StartedServer> {
  const place = temporaryFolder(name)
  const started = await startServer({
    configuration: `primary_hostname = mail.example\nhost_lookup =\n${configuration}`,
    folder: place.path,
    arguments: [],
  })
  running.push({ ...started, stop: async () => started.stop().then(() => place.remove()) })
  return started
}

const accepts = `
acl_smtp_rcpt = check
begin acl
check:
  accept logwrite = ocsp in: $tls_in_ocsp
begin routers
all:
  driver = redirect
  data = :blackhole:
`
const certificate = (name: string): string =>
  `tls_certificate = ${at(`${name}.chain`)}\ntls_privatekey = ${at(`${name}.key`)}\n`

/** What `openssl s_client -status` says of a server. */
async function client(port: number, ...switches: string[]): Promise<string> {
  const child = spawn(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${port}`, '-starttls', 'smtp', '-CAfile', at('ca.pem'), ...switches],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')))
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString('latin1')))
  // Quits once the handshake is over and the server has said its words.
  child.stdin.end('QUIT\r\n')
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return said
}

const stapled = /OCSP Response Status: successful[\s\S]*Cert Status: good/
const none = /OCSP response: no response sent/

const serving = [
  {
    says: 'O1: the proof of tls_ocsp_file is served to clients that ask',
    file: () => at('mail.der'),
    sees: stapled,
  },
  {
    says: 'O1: a PEM file with its prefix',
    file: () => `PEM ${at('mail.proof.pem')}`,
    sees: stapled,
  },
  {
    says: 'O1: a DER file with its prefix',
    file: () => `DER ${at('mail.der')}`,
    sees: stapled,
  },
  {
    says: 'O1: a proof signed by the issuer itself',
    file: () => at('mail-ca.der'),
    sees: stapled,
  },
  {
    says: 'O4: a proof that says revoked is not served',
    file: () => at('revoked.der'),
    sees: none,
    logged: /OCSP proof \S+revoked\.der is not served: the certificate is revoked since 2020-01-01/,
  },
  {
    says: 'O4: a proof without nextUpdate is not served',
    file: () => at('nonext.der'),
    sees: none,
    logged: /OCSP proof \S+nonext\.der is not served: the OCSP response has no nextUpdate/,
  },
  {
    says: 'O4: a proof by one who may not sign is not served',
    file: () => at('noeku.der'),
    sees: none,
    logged: /is not served: the signer's certificate is not for signing OCSP responses \(no OCSPSigning\)/,
  },
  {
    says: 'O4: a proof of another certificate is not served',
    file: () => at('other.der'),
    sees: none,
    logged: /is not served: the OCSP response is about another certificate/,
  },
  {
    says: 'O4: a file that is no proof is not served',
    file: () => at('ca.pem'),
    sees: none,
    logged: /is not served: it holds no PEM block "OCSP RESPONSE"/,
  },
  {
    says: 'O4: a file that is not there does not end TLS',
    file: () => '/nonexistent/proof.der',
    sees: none,
    logged: /OCSP proof \/nonexistent\/proof\.der is not served: it cannot be read/,
  },
  {
    says: 'O5: a signer that is only beside the response does not travel, so clients could not verify it',
    file: () => `PEM ${at('nocert.proof.pem')}`,
    sees: none,
    logged: /is not served: clients cannot verify it: signer certificate not embedded in the OCSP response/,
  },
]
/** One server; the name that a client asks for chooses the case. */
let server: StartedServer | undefined
async function servingAll(): Promise<StartedServer> {
  const table = serving.map((c, i) => `case${i}: ${c.file()}\n`).join('')
  writeFileSync(at('cases'), table)
  server ??= await start(
    `tls_certificate = \${if def:tls_in_sni{${at('mail.example.chain')}}{${at('mail.example.chain')}}}
tls_privatekey = ${at('mail.example.key')}
tls_ocsp_file = \${lookup{$tls_in_sni}lsearch{${at('cases')}}}
${accepts}`,
    'ocsp-serve',
  )
  return server
}
for (const [i, c] of serving.entries()) {
  test(c.says, { skip }, async () => {
    const { port, log, logged } = await servingAll()
    const before = log().length
    for (const version of ['-tls1_2', '-tls1_3'])
      assert.match(await client(port, '-status', version, '-servername', `case${i}`), c.sees)
    if (c.logged === undefined) return
    await logged(c.logged)
    // Once for each changed file, not for each connection.
    assert.equal(
      log()
        .slice(before)
        .match(/is not served/g)?.length,
      1,
      log(),
    )
  })
}

test('O1: who does not ask gets none', { skip }, async () => {
  const { port } = await servingAll()
  assert.doesNotMatch(await client(port, '-servername', 'case0'), /OCSP Response Status/)
})

test('O2: the option is expanded again for the name the client asks for', { skip }, async () => {
  for (const name of ['mail', 'other']) {
    for (const end of ['chain', 'key']) copyFileSync(at(`${name}.example.${end}`), at(`sni-${name}.${end}`))
    copyFileSync(at(`${name}.der`), at(`sni-${name}.der`))
  }
  const chosen = '${if eq{$tls_in_sni}{other.example}{other}{mail}}'
  const server = await start(
    `tls_certificate = ${folder.path}/sni-${chosen}.chain
tls_privatekey = ${folder.path}/sni-${chosen}.key
tls_ocsp_file = ${folder.path}/sni-${chosen}.der
${accepts}`,
    'ocsp-sni',
  )
  for (const version of ['-tls1_2', '-tls1_3']) {
    const other = await client(server.port, '-status', version, '-servername', 'other.example')
    assert.match(other, stapled)
    assert.match(other, /subject=O = Test, CN = other\.example/)
    const mail = await client(server.port, '-status', version, '-servername', 'mail.example')
    assert.match(mail, stapled)
    assert.match(mail, /subject=O = Test, CN = mail\.example/)
  }
})

test('O3: a proof that was replaced is served from the next connection on, without a restart', {
  skip,
}, async () => {
  const serialOf = (text: string): string => /This Update: (.*)/.exec(text)?.[1] ?? ''
  copyFileSync(at('revoked.der'), at('live.der'))
  const server = await start(
    `${certificate('mail.example')}tls_ocsp_file = ${at('live.der')}\n${accepts}`,
    'ocsp-swap',
  )
  assert.match(await client(server.port, '-status'), none)
  const swap = (from: string): void => {
    copyFileSync(at(from), at('live.new'))
    renameSync(at('live.new'), at('live.der'))
  }
  swap('mail.der')
  const first = await client(server.port, '-status')
  assert.match(first, stapled)
  assert.match(first, /Responder Id: O = Test, CN = resp/)
  swap('mail-ca.der')
  const second = await client(server.port, '-status')
  assert.match(second, /Responder Id: O = Test, CN = int/)
  assert.notEqual(serialOf(first), '')
  swap('revoked.der')
  assert.match(await client(server.port, '-status'), none)
  await until(() => (server.log().match(/is not served/g)?.length === 2 ? true : undefined), 5000)
  assert.equal(server.log().match(/is not served/g)?.length, 2)
})

test('O3: a proof that becomes readable is served from the next connection on', { skip }, async () => {
  copyFileSync(at('mail.der'), at('closed.der'))
  chmodSync(at('closed.der'), 0)
  const server = await start(
    `${certificate('mail.example')}tls_ocsp_file = ${at('closed.der')}\n${accepts}`,
    'ocsp-readable',
  )
  assert.match(await client(server.port, '-status'), none)
  await server.logged(/OCSP proof .*closed\.der is not served: EACCES/)
  chmodSync(at('closed.der'), 0o644)
  assert.match(await client(server.port, '-status'), stapled)
})

test('O8: a list of proofs goes with a list of certificates, RSA and ECDSA', { skip }, async () => {
  const server = await start(
    `tls_certificate = ${at('mail.example.chain')} : ${at('rsa.example.chain')}
tls_privatekey = ${at('mail.example.key')} : ${at('rsa.example.key')}
tls_ocsp_file = DER ${at('mail.der')} : ${at('rsa.der')}
${accepts}`,
    'ocsp-list',
  )
  const rsaOnly = [
    ['-tls1_3', '-sigalgs', 'rsa_pss_rsae_sha256'],
    ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256', '-sigalgs', 'RSA+SHA256:rsa_pss_rsae_sha256'],
    ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ]
  for (const switches of rsaOnly) {
    const said = await client(server.port, '-status', ...switches)
    assert.match(said, /subject=O = Test, CN = rsa\.example/, said)
    assert.match(said, stapled)
    assert.ok(said.includes(`Serial Number: ${ca?.serial('rsa.example')}`), said)
  }
  for (const version of ['-tls1_2', '-tls1_3']) {
    const said = await client(server.port, '-status', version)
    assert.match(said, /subject=O = Test, CN = mail\.example/)
    assert.ok(said.includes(`Serial Number: ${ca?.serial('mail.example')}`), said)
  }
})

test('O11: an OCSP request leaves a line in the log only under its selector', { skip }, async () => {
  const server = await start(
    `${certificate('mail.example')}tls_ocsp_file = ${at('mail.der')}\nlog_selector = +all -ocsp\n${accepts}`,
    'ocsp-quiet',
  )
  assert.match(await client(server.port, '-status'), stapled)
  assert.doesNotMatch(server.log(), /stapling|OCSP [rp]|status request/i)
  const told = await start(
    `${certificate('mail.example')}tls_ocsp_file = \${if eq{$tls_in_sni}{x}{}{${at('mail.der')}}}\nlog_selector = +ocsp\n${accepts}`,
    'ocsp-told',
  )
  assert.match(await client(told.port, '-status'), stapled)
  await told.logged(/ \[127\.0\.0\.1\] Received OCSP stapling req; responding$/m)
})

test('the example of 2014 runs as written', { skip }, async () => {
  const behind = await start(
    `tls_certificate = ${at('mail.example.chain')}
tls_privatekey = ${at('mail.example.key')}
tls_ocsp_file = ${at('mail.der')}
${accepts}`,
    'ocsp-2014',
  )
  await relayAll([
    {
      port: behind.port,
      options: 'hosts_require_ocsp = *\n  hosts_require_tls = *',
      logged: /=> c@mail\.example .*X=TLS1\.3:\S+ CV=yes .*C="250/,
    },
  ])
  await behind.logged(/ocsp in: 4/)
})

interface Relayed {
  readonly options: string
  readonly port: number
  readonly logged: RegExp
}

/** Sends a message for each case through one server of ours, each with a transport of its own. */
async function relayAll(cases: readonly Relayed[]): Promise<StartedServer> {
  const front = await start(
    `acl_smtp_rcpt = accept
log_selector = +tls_certificate_verified
begin acl
told:
  accept logwrite = ocsp out to $domain: $tls_out_ocsp
begin routers
${cases
  .map(
    (_, i) =>
      `next${i}:\n  driver = manualroute\n  route_list = case${i}.example localhost\n  self = send\n  transport = out${i}\n`,
  )
  .join('')}
begin transports
${cases
  .map(
    ({ options, port }, i) => `out${i}:
  driver = smtp
  port = ${port}
  hosts = localhost
  allow_localhost
  hosts_override
  event_action = \${if eq{$event_name}{msg:delivery}{\${acl{told}}}}
  ${options.includes('tls_verify_certificates') ? '' : `tls_verify_certificates = ${at('ca.pem')}`}
  ${options}
`,
  )
  .join('')}
begin retry
* * F,1h,10m
`,
    'ocsp-front',
  )
  const smtp = await connectSmtp(front.port)
  await smtp.say('EHLO client.example')
  for (const i of cases.keys())
    assert.equal((await smtp.deliver('a@b.example', [`c@case${i}.example`], 'Subject: x\n\nx\n')).code, 250)
  smtp.end()
  for (const [i, { logged }] of cases.entries())
    await front.logged(new RegExp(logged.source.replace('c@mail\\.example', `c@case${i}\\.example`)), 30_000)
  return front
}

const required = [
  { says: 'a good proof', file: 'mail.der', logged: /=> c@mail\.example .*X=TLS1\.3:\S+ CV=yes .*C="250/ },
  {
    says: 'no proof',
    file: undefined,
    logged:
      /== c@mail\.example .*H=localhost \[127\.0\.0\.1\]: .*a good OCSP proof of the certificate is required, but the server gave none \(no response\)/,
  },
  {
    says: 'an expired proof',
    file: 'expired.der',
    logged: /== c@mail\.example .*is required, but the OCSP response has expired at/,
  },
  {
    says: 'a proof that says revoked',
    file: 'revoked.der',
    logged: /== c@mail\.example .*is required, but the certificate is revoked since/,
  },
  {
    says: 'a proof by one who may not sign',
    file: 'noeku.der',
    logged:
      /== c@mail\.example .*is required, but the signer's certificate is not for signing OCSP responses/,
  },
  {
    says: 'O5: a proof whose signer is not embedded',
    file: 'nocert.der',
    logged: /== c@mail\.example .*is required, but .*signer certificate not embedded/,
  },
  {
    says: 'a proof under a chain that is not trusted',
    file: 'mail.der',
    options: () => 'tls_verify_certificates = system',
    logged: /== c@mail\.example .*is required, but the certificate above it is not trusted/,
  },
  {
    says: 'without the intermediate certificate in the handshake, but among the authorities',
    file: 'mail.der',
    chain: 'mail.example.pem',
    options: () => `tls_verify_certificates = ${at('both.pem')}`,
    logged: /=> c@mail\.example .*CV=yes .*C="250/,
  },
]
/** `openssl s_server` serves what it is told, good or bad; it knows no SMTP, so the transport begins with TLS. */
async function opensslServer(
  file: string | undefined,
  version: string,
  chain = 'mail.example.chain',
): Promise<{ port: number; stop(): void }> {
  const port = await freePort()
  const child = spawn(
    'openssl',
    [
      's_server',
      '-accept',
      `127.0.0.1:${port}`,
      '-cert',
      at(chain),
      ...(chain.endsWith('chain') ? ['-cert_chain', at('int.pem')] : []),
      '-key',
      at('mail.example.key'),
      version,
      ...(file === undefined ? [] : ['-status_file', at(file)]),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
  child.stdout.on('data', (bytes: Buffer) => {
    const text = bytes.toString()
    said += text
    // Plays the least of an SMTP server.
    if (/^CIPHER is/m.test(text)) child.stdin.write('220 openssl ESMTP\r\n')
    for (const line of text.split(/\r?\n/)) {
      if (/^(EHLO|MAIL|RCPT|RSET)/.test(line)) child.stdin.write('250 ok\r\n')
      if (line === 'DATA') child.stdin.write('354 go on\r\n')
      if (line === '.') child.stdin.write('250 taken by openssl\r\n')
    }
  })
  await until(() => (/ACCEPT/.test(said) ? true : undefined), 10_000)
  return { port, stop: () => child.kill('SIGKILL') }
}

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`O6: hosts_require_ocsp with good, missing, expired, revoked and unverifiable proofs, ${version}`, {
    skip,
  }, async () => {
    writeFileSync(
      at('both.pem'),
      Buffer.concat([ca?.read('ca.pem') ?? Buffer.alloc(0), ca?.read('int.pem') ?? Buffer.alloc(0)]),
    )
    const servers = await Promise.all(required.map((c) => opensslServer(c.file, version, c.chain)))
    try {
      await relayAll(
        required.map((c, i) => ({
          port: servers[i]?.port ?? 0,
          options: `protocol = smtps\n  hosts_require_ocsp = *\n  hosts_try_chunking = :\n  ${c.options?.() ?? ''}`,
          logged:
            version === '-tls1_2' ? new RegExp(c.logged.source.replace('TLS1\\.3', 'TLS1\\.2')) : c.logged,
        })),
      )
    } finally {
      for (const each of servers) each.stop()
    }
  })
}

test('O12: $tls_in_ocsp and $tls_out_ocsp, 0 to 4; who only requests a proof sends in any case', {
  skip,
}, async (t) => {
  const asked = await start(
    `${certificate('mail.example')}tls_ocsp_file = ${at('mail.der')}\n${accepts}`,
    'ocsp-ask',
  )
  const bare = await start(`${certificate('mail.example')}${accepts}`, 'ocsp-none')
  const wrong = await opensslServer('noeku.der', '-tls1_3')
  const revoked = await opensslServer('revoked.der', '-tls1_3')
  t.after(() => {
    for (const each of [wrong, revoked]) each.stop()
  })
  const tells = 'helo_data = ocsp.$tls_out_ocsp'
  const sent = /=> c@mail\.example .*C="250/
  const front = await relayAll([
    { port: asked.port, options: `hosts_request_ocsp = :\n  ${tells}`, logged: sent },
    { port: asked.port, options: tells, logged: sent },
    { port: asked.port, options: `tls_verify_certificates = system\n  ${tells}`, logged: sent },
    { port: bare.port, options: tells, logged: sent },
    {
      port: wrong.port,
      options: 'protocol = smtps\n  hosts_try_chunking = :',
      logged: /=> c@mail\.example .* CV=yes .*C="250/,
    },
    // What is proven revoked is not good, whoever asked for the proof.
    {
      port: revoked.port,
      options: 'protocol = smtps\n  hosts_try_chunking = :',
      logged: /=> c@mail\.example .* CV=no .*C="250/,
    },
    {
      port: revoked.port,
      options: 'protocol = smtps\n  tls_verify_hosts = *',
      logged: /== c@mail\.example .*certificate verification failed\): the certificate is revoked since/,
    },
  ])
  // Not asked for; good; not verified, since the chain is not; none came; wrong; of a revoked certificate.
  for (const [i, state] of [0, 4, 2, 1, 3, 3].entries())
    await front.logged(new RegExp(`ocsp out to case${i}\\.example: ${state}\\n`), 30_000)
  await asked.logged(/ocsp in: 0/)
  await asked.logged(/ocsp in: 4/)
  await bare.logged(/ocsp in: 1/)
})

test('O7: a host in hosts_require_ocsp gets nothing in clear, and the next host is tried', {
  skip,
}, async () => {
  const bare = await start(`tls_advertise_hosts =\n${accepts}`, 'ocsp-bare')
  const good = await start(
    `${certificate('mail.example')}tls_ocsp_file = ${at('mail.der')}\n${accepts}`,
    'ocsp-next',
  )
  await relayAll([
    {
      port: bare.port,
      options: 'hosts_require_ocsp = *',
      logged: /== c@mail\.example .*a TLS session is required, but the server did not offer TLS support/,
    },
    {
      port: bare.port,
      options: `hosts_require_ocsp = *\n  fallback_hosts = localhost::${good.port}`,
      logged: /=> c@mail\.example .* CV=yes .*C="250/,
    },
  ])
  assert.doesNotMatch(bare.log(), / <= /)
})

test('O7: check says what hosts_require_ocsp wants beside it', { skip }, () => {
  writeFileSync(
    at('check.conf'),
    'begin transports\nout:\n  driver = smtp\n  hosts_require_ocsp = *\n  tls_verify_certificates =\n',
  )
  const { stdout } = spawnSync(postern, ['check', at('check.conf')], { encoding: 'utf8' })
  assert.match(stdout, /hosts_require_ocsp needs tls_verify_certificates/)
})
