/**
 * DANE with TLSA records from a zone that is really signed, behind a resolver that validates: unbound and ldnsutils of
 * Debian. Source: RFC 7672; Exim manual, "DANE".
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { chmodSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { type Fetched, fetchDebian, libraryPath } from './support/debian.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const fetched: Fetched = noOpenssl === false ? fetchDebian(['unbound', 'ldnsutils']) : { missing: noOpenssl }
const skip = 'missing' in fetched ? fetched.missing : false
const root = 'root' in fetched ? fetched.root : ''
const environment = { ...process.env, LD_LIBRARY_PATH: root === '' ? '' : libraryPath(root) }

const folder = temporaryFolder('dane')
const at = (name: string): string => `${folder.path}/${name}`
const running: StartedServer[] = []
let resolver: ChildProcess | undefined
let dnsPort = 0
let tlsServer: StartedServer
let bare: StartedServer
let ca: TestAuthority

after(async () => {
  for (const server of running) await server.stop()
  resolver?.kill('SIGKILL')
  folder.remove()
})

interface Case {
  readonly says: string
  /** Of the host `mx.NAME`; left out: none. */
  readonly tlsa?: () => string
  readonly options?: string
  /** The other server, without TLS. */
  readonly bare?: boolean
  /** In the zone that is not signed. */
  readonly insecure?: boolean
  /** The MX record is not signed, the host it names is. */
  readonly insecureMx?: boolean
  /** Not in the certificate. */
  readonly unnamed?: boolean
  readonly logged: string
}

const spki = (name: string): string =>
  createHash('sha256')
    .update(new X509Certificate(ca.read(`${name}.pem`)).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
const whole = (name: string, hash: string): string =>
  createHash(hash)
    .update(new X509Certificate(ca.read(`${name}.pem`)).raw)
    .digest('hex')
const zeros = '0'.repeat(64)
const sent = String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=dane .*C="250`
const refused = String.raw`== c@NAME .*defer \(-3[78]\).*`

const cases: readonly Case[] = [
  {
    says: 'DANE-EE by key: the certificate is proved without any authority',
    tlsa: () => `3 1 1 ${spki('mail')}`,
    logged: sent,
  },
  {
    says: 'DANE-EE by the whole certificate, SHA-512',
    tlsa: () => `3 0 2 ${whole('mail', 'sha512')}`,
    logged: sent,
  },
  {
    says: 'DANE-EE: names do not matter (RFC 7672 section 3.1.1)',
    tlsa: () => `3 1 1 ${spki('mail')}`,
    unnamed: true,
    logged: sent,
  },
  {
    says: 'DANE-TA: the authority is named, and the certificate carries the host’s name',
    tlsa: () => `2 0 1 ${whole('int', 'sha256')}`,
    logged: sent,
  },
  { says: 'DANE-TA by key', tlsa: () => `2 1 1 ${spki('int')}`, logged: sent },
  {
    says: 'DANE-TA: a certificate for another name is refused',
    tlsa: () => `2 0 1 ${whole('int', 'sha256')}`,
    unnamed: true,
    logged: `${refused}certificate verification failed\\): the certificate is for another name`,
  },
  {
    says: 'another key is refused, also where everything else would let it pass',
    tlsa: () => `3 1 1 ${zeros}`,
    options: 'tls_try_verify_hosts = *\n  tls_tempfail_tryclear = true\n  hosts_avoid_tls = *',
    logged: `${refused}certificate verification failed\\): the certificate does not match the TLSA records`,
  },
  {
    says: 'one of several records is enough',
    tlsa: () => `3 1 1 ${zeros}\nTLSA 3 1 1 ${spki('mail')}`,
    logged: sent,
  },
  {
    says: 'a server that does not offer TLS gets nothing',
    tlsa: () => `3 1 1 ${spki('mail')}`,
    bare: true,
    logged: `${refused}the server did not offer TLS support`,
  },
  {
    says: 'records of no use for mail ask for TLS all the same (RFC 7672 section 2.2)',
    tlsa: () => `1 1 1 ${spki('mail')}`,
    logged: String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250`,
  },
  { says: 'without records nothing changes', logged: String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250` },
  {
    says: 'hosts_require_dane without records',
    options: 'hosts_require_dane = *',
    logged: String.raw`${refused}DANE is required, but there is no TLSA record at _\d+\._tcp\.mx\.NAME`,
  },
  {
    says: 'hosts_require_dane in a zone that is not signed',
    tlsa: () => `3 1 1 ${spki('mail')}`,
    options: 'hosts_require_dane = *',
    insecure: true,
    logged: `${refused}DANE is required, but the host's address is not secured by DNSSEC`,
  },
  {
    says: 'records in a zone that is not signed do not count',
    tlsa: () => `3 1 1 ${zeros}`,
    insecure: true,
    logged: String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250`,
  },
  {
    says: 'a signed host that an MX record without signature names does not count (RFC 7672 section 2.2.1)',
    tlsa: () => `3 1 1 ${zeros}`,
    insecureMx: true,
    logged: String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250`,
  },
  {
    says: 'hosts_try_dane = : looks for none',
    tlsa: () => `3 1 1 ${zeros}`,
    options: 'hosts_try_dane = :',
    logged: String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250`,
  },
  {
    says: 'dane_require_tls_ciphers takes the place of tls_require_ciphers',
    tlsa: () => `3 1 1 ${spki('mail')}`,
    options: 'tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2\n  dane_require_tls_ciphers = HIGH',
    logged: sent,
  },
]
const nameOf = (c: Case, i: number): string =>
  `d${i}.${c.insecure === true || c.insecureMx === true ? 'plain' : 'dane'}.example`

before(async () => {
  if (skip !== false) return
  ca = new TestAuthority(folder.path)
  const names = cases.flatMap((c, i) => (c.unnamed === true ? [] : [`DNS:mx.${nameOf(c, i)}`]))
  ca.leaf('mail', { names: names.join(',') })
  tlsServer = await start(`tls_certificate = ${at('mail.chain')}\ntls_privatekey = ${at('mail.key')}\n`)
  bare = await start('tls_advertise_hosts =\n')
  await startResolver()
})

async function start(options: string, environment?: Record<string, string>): Promise<StartedServer> {
  const place = temporaryFolder('dane-server')
  const server = await startServer({
    configuration: `primary_hostname = mx.example\nhost_lookup =\nsmtp_accept_queue_per_connection = 0\nlog_selector = +tls_certificate_verified\n${
      options.includes('begin ')
        ? options
        : `${options}acl_smtp_rcpt = accept\nbegin routers\nall:\n  driver = redirect\n  data = :blackhole:\n`
    }`,
    folder: place.path,
    arguments: [],
    ...(environment === undefined ? {} : { environment }),
  })
  running.push({ ...server, stop: async () => server.stop().then(() => place.remove()) })
  return server
}

/** Two zones in one server that validates: one signed, with its key as trust anchor, one not. */
async function startResolver(): Promise<void> {
  dnsPort = await freePort()
  for (const zone of ['dane', 'plain']) {
    const lines = [
      `$ORIGIN ${zone}.example.`,
      '$TTL 300',
      '@ IN SOA ns root 1 3600 900 86400 300',
      '@ IN NS ns',
      'ns IN A 127.0.0.1',
    ]
    for (const [i, c] of cases.entries()) {
      if (c.insecureMx === true && zone === 'plain') lines.push(`d${i} IN MX 10 mx.d${i}.dane.example.`)
      if ((c.insecure === true ? 'plain' : 'dane') !== zone) continue
      const port = c.bare === true ? bare.port : tlsServer.port
      lines.push(`d${i} IN MX 10 mx.d${i}`, `mx.d${i} IN A 127.0.0.1`)
      if (c.tlsa !== undefined)
        lines.push(
          ...c
            .tlsa()
            .split('\nTLSA ')
            .map((record) => `_${port}._tcp.mx.d${i} IN TLSA ${record}`),
        )
    }
    writeFileSync(at(`${zone}.zone`), `${lines.join('\n')}\n`)
  }
  const run = (program: string, ...args: string[]): string => {
    const done = spawnSync(`${root}/usr/bin/${program}`, args, {
      cwd: folder.path,
      encoding: 'utf8',
      env: environment,
    })
    assert.equal(done.status, 0, `${program}: ${done.stderr}`)
    return done.stdout.trim()
  }
  const key = run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', 'dane.example')
  run('ldns-signzone', '-o', 'dane.example', 'dane.zone', key)
  const zone = (name: string, file: string): string =>
    `auth-zone:\n  name: "${name}"\n  zonefile: "${at(file)}"\n  for-downstream: no\n  for-upstream: yes\n  fallback-enabled: no\n`
  writeFileSync(
    at('unbound.conf'),
    `server:
  directory: "${folder.path}"
  chroot: ""
  username: ""
  pidfile: ""
  interface: 127.0.0.1
  port: ${dnsPort}
  num-threads: 1
  do-daemonize: no
  use-syslog: no
  module-config: "validator iterator"
  trust-anchor-file: "${at(`${key}.ds`)}"
${zone('dane.example', 'dane.zone.signed')}${zone('plain.example', 'plain.zone')}remote-control:
  control-enable: no
`,
  )
  for (const file of ['dane.zone.signed', 'plain.zone', 'unbound.conf']) chmodSync(at(file), 0o644)
  resolver = spawn(`${root}/usr/sbin/unbound`, ['-d', '-c', at('unbound.conf')], { env: environment })
  let said = ''
  resolver.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const ready = await until(() => (/start of service/.test(said) ? true : undefined), 10_000)
  assert.ok(ready, said)
}

let front: StartedServer | undefined
/** One server of ours with a router and a transport for each case. */
async function wantFront(): Promise<StartedServer> {
  if (front !== undefined) return front
  front = await start(
    `acl_smtp_rcpt = accept
begin routers
${cases
  .map(
    (c, i) => `r${i}:
  driver = dnslookup
  domains = ${nameOf(c, i)}
  transport = t${i}
  self = send
  no_more
`,
  )
  .join('')}
begin acl
told:
  accept logwrite = event: $event_name $event_data at $host
tls:
  accept logwrite = out to $domain: dane $tls_out_dane usage $tls_out_tlsa_usage
begin transports
${cases
  .map(
    (c, i) => `t${i}:
  driver = smtp
  port = ${c.bare === true ? bare.port : tlsServer.port}
  event_action = \${if eq{$event_name}{dane:fail}{\${acl{told}}}{\${if eq{$event_name}{msg:delivery}{\${acl{tls}}}}}}
  ${c.options ?? ''}
`,
  )
  .join('')}
begin retry
* * F,1h,10m
`,
    { POSTERN_DNS: `127.0.0.1:${dnsPort}` },
  )
  const smtp = await connectSmtp(front.port)
  await smtp.say('EHLO client.example')
  for (const [i, c] of cases.entries())
    assert.equal((await smtp.deliver('a@b.example', [`c@${nameOf(c, i)}`], 'Subject: x\n\nx\n')).code, 250)
  smtp.end()
  return front
}

for (const [i, c] of cases.entries()) {
  test(`DANE: ${c.says}`, { skip }, async () => {
    const server = await wantFront()
    await server.logged(new RegExp(c.logged.replaceAll('NAME', nameOf(c, i).replaceAll('.', '\\.'))), 30_000)
  })
}

test('DANE: what failed is told as the event dane:fail, in the words of RFC 8460', { skip }, async () => {
  const server = await wantFront()
  for (const [i, c] of cases.entries()) {
    const word = / the server did not offer/.test(c.logged)
      ? 'starttls-not-supported'
      : /another name/.test(c.logged)
        ? 'certificate-host-mismatch'
        : /there is no TLSA record/.test(c.logged)
          ? 'dane-required'
          : undefined
    if (word !== undefined)
      await server.logged(
        new RegExp(`event: dane:fail ${word} at mx\\.${nameOf(c, i).replaceAll('.', '\\.')}`),
      )
  }
})

test('DANE: $tls_out_dane and $tls_out_tlsa_usage, one bit for each usage of the records', {
  skip,
}, async () => {
  const server = await wantFront()
  for (const [i, c] of cases.entries()) {
    if (!c.logged.startsWith('=>')) continue
    const counted = c.insecure !== true && c.insecureMx !== true && c.options !== 'hosts_try_dane = :'
    // Those of the other usages are of no use for mail: RFC 7672 section 3.1.3.
    const records = counted ? (c.tlsa?.().split('\nTLSA ') ?? []).filter((one) => /^[23]/.test(one)) : []
    const usage = records.reduce((bits, record) => bits | (1 << Number(record[0])), 0)
    const dane = c.logged.includes('CV=dane') ? 'yes' : 'no'
    await server.logged(
      new RegExp(`out to ${nameOf(c, i).replaceAll('.', '\\.')}: dane ${dane} usage ${usage}\\n`),
      30_000,
    )
  }
})
