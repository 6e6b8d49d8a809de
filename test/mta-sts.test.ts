/**
 * MTA-STS and the counts for TLS reports through the real program: policies from an HTTPS server of the test on port
 * 443 of a loopback address (so as root only), names from a DNS server of the test. RFC 8461, RFC 8460.
 */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:https'
import { spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer } from './support/dns-server.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const policyAddress = '127.0.0.93'
let skip: string | false = noOpenssl
const folder = temporaryFolder('mta-sts')
const at = (name: string): string => `${folder.path}/${name}`
const running: StartedServer[] = []
let web: Server | undefined
let dns: DnsServer | undefined
let tlsServer: StartedServer
let bare: StartedServer
let front: StartedServer
const fetched: string[] = []

after(async () => {
  for (const server of running) await server.stop()
  web?.close()
  await dns?.close()
  folder.remove()
})

interface Case {
  readonly says: string
  /** What the web server answers; undefined: nothing listens for this domain. */
  readonly policy?: string
  readonly status?: number
  readonly type?: string
  /** The TXT record is there. */
  readonly record?: boolean
  /** The certificate of the MX host does not carry its name. */
  readonly unnamed?: boolean
  readonly bare?: boolean
  readonly options?: string
  readonly logged: string
  readonly report?: { readonly type: string; readonly result?: string }
}

const policy = (mode: string, mx: string): string =>
  `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: 86400\r\n`
const sent = String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=yes .*C="250`
const unsure = String.raw`=> c@NAME .*X=TLS1\.3:\S+ CV=no .*C="250`
const refused = String.raw`== c@NAME .*defer \(-3[78]\).*`

const cases: readonly Case[] = [
  {
    says: 'enforce, a good host',
    policy: policy('enforce', 'mx.NAME'),
    logged: sent,
    report: { type: 'sts' },
  },
  {
    says: 'enforce, a wild card',
    policy: policy('enforce', '*.NAME'),
    logged: sent,
    report: { type: 'sts' },
  },
  {
    says: 'enforce, a host that the policy does not name',
    policy: policy('enforce', 'other.NAME'),
    logged: `${refused}the MTA-STS policy of NAME does not name the host mx\\.NAME`,
    report: { type: 'sts', result: 'validation-failure' },
  },
  {
    says: 'enforce, a certificate for another name',
    policy: policy('enforce', 'mx.NAME'),
    unnamed: true,
    logged: `${refused}certificate verification failed\\): the certificate is for another name`,
    report: { type: 'sts', result: 'certificate-host-mismatch' },
  },
  {
    says: 'enforce, a host without TLS',
    policy: policy('enforce', 'mx.NAME'),
    bare: true,
    logged: `${refused}the server did not offer TLS support`,
    report: { type: 'sts', result: 'starttls-not-supported' },
  },
  {
    says: 'testing sends all the same and counts',
    policy: policy('testing', 'mx.NAME'),
    unnamed: true,
    logged: unsure,
    report: { type: 'sts', result: 'certificate-host-mismatch' },
  },
  {
    says: 'none asks for nothing',
    policy: policy('none', 'mx.NAME'),
    unnamed: true,
    logged: unsure,
    report: { type: 'no-policy-found' },
  },
  {
    says: 'no record, no policy',
    record: false,
    policy: policy('enforce', 'x.NAME'),
    unnamed: true,
    logged: unsure,
    report: { type: 'no-policy-found' },
  },
  {
    says: 'a policy that is no policy does not stop mail',
    policy: '<html>',
    unnamed: true,
    logged: unsure,
    report: { type: 'sts', result: 'sts-policy-invalid' },
  },
  {
    says: 'a redirection is not followed (RFC 8461 section 3.3)',
    policy: policy('enforce', 'x.NAME'),
    status: 301,
    unnamed: true,
    logged: unsure,
    report: { type: 'sts', result: 'sts-policy-fetch-error' },
  },
  {
    says: 'without mta_sts nothing is asked',
    policy: policy('enforce', 'x.NAME'),
    unnamed: true,
    options: 'mta_sts = false',
    logged: unsure,
  },
]
const nameOf = (i: number): string => `s${i}.example`

before(async () => {
  if (skip !== false) return
  const ca = new TestAuthority(folder.path)
  const named = cases.flatMap((c, i) => (c.unnamed === true ? [] : [`DNS:mx.${nameOf(i)}`]))
  ca.leaf('mail', { names: named.join(',') })
  ca.leaf('web', { names: cases.map((_, i) => `DNS:mta-sts.${nameOf(i)}`).join(',') })
  web = createServer({ key: ca.read('web.key'), cert: ca.read('web.chain') }, (request, response) => {
    const host = (request.headers.host ?? '').replace(/^mta-sts\./, '')
    const i = cases.findIndex((_, n) => nameOf(n) === host)
    const c = cases[i]
    fetched.push(`${host} ${request.url}`)
    response.writeHead(c?.status ?? 200, { 'content-type': c?.type ?? 'text/plain' })
    response.end((c?.policy ?? '').replaceAll('NAME', host))
  })
  const listening = await new Promise<boolean>((resolve) => {
    web?.once('error', () => resolve(false))
    web?.listen(443, policyAddress, () => resolve(true))
  })
  if (!listening) {
    skip = `port 443 of ${policyAddress} cannot be had`
    return
  }
  const zone: Record<string, ScriptedRecord[]> = {}
  for (const [i, c] of cases.entries()) {
    const name = nameOf(i)
    zone[`${name} MX`] = [{ type: 'MX', data: { preference: 10, exchange: `mx.${name}` } }]
    zone[`mx.${name} A`] = [{ type: 'A', data: '127.0.0.1' }]
    zone[`mta-sts.${name} A`] = [{ type: 'A', data: policyAddress }]
    if (c.record !== false) zone[`_mta-sts.${name} TXT`] = [{ type: 'TXT', data: 'v=STSv1; id=1;' }]
  }
  dns = await startDnsServer(zone)
  tlsServer = await start(
    `tls_certificate = ${at('mail.chain')}\ntls_privatekey = ${at('mail.key')}\n${accepts}`,
  )
  bare = await start(`tls_advertise_hosts =\n${accepts}`)
  front = await start(
    `acl_smtp_rcpt = accept
begin routers
${cases
  .map(
    (_, i) =>
      `r${i}:\n  driver = dnslookup\n  domains = ${nameOf(i)}\n  transport = t${i}\n  self = send\n  no_more\n`,
  )
  .join('')}
begin transports
${cases
  .map(
    (c, i) => `t${i}:
  driver = smtp
  port = ${c.bare === true ? bare.port : tlsServer.port}
  tls_verify_certificates = ${at('ca.pem')}
  tls_rpt = true
  ${c.options ?? 'mta_sts = true'}
`,
  )
  .join('')}
begin retry
* * F,1h,10m
`,
    { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  )
  const smtp = await connectSmtp(front.port)
  await smtp.say('EHLO client.example')
  for (const i of cases.keys())
    assert.equal((await smtp.deliver('a@b.example', [`c@${nameOf(i)}`], 'Subject: x\n\nx\n')).code, 250)
  smtp.end()
})

const accepts = 'acl_smtp_rcpt = accept\nbegin routers\nall:\n  driver = redirect\n  data = :blackhole:\n'
async function start(options: string, environment?: Record<string, string>): Promise<StartedServer> {
  const place = temporaryFolder('mta-sts-server')
  const server = await startServer({
    configuration: `primary_hostname = mx.example\nhost_lookup =\nsmtp_accept_queue_per_connection = 0\nlog_selector = +tls_certificate_verified\n${options}`,
    folder: place.path,
    arguments: [],
    ...(environment === undefined ? {} : { environment }),
  })
  running.push({ ...server, stop: async () => server.stop().then(() => place.remove()) })
  return server
}

for (const [i, c] of cases.entries()) {
  test(`MTA-STS: ${c.says}`, async (t) => {
    if (skip !== false) return t.skip(skip)
    await front.logged(new RegExp(c.logged.replaceAll('NAME', nameOf(i).replaceAll('.', '\\.'))), 30_000)
  })
}

test('MTA-STS: a policy is fetched once and kept', async (t) => {
  if (skip !== false) return t.skip(skip)
  const smtp = await connectSmtp(front.port)
  await smtp.say('EHLO client.example')
  await smtp.deliver('a@b.example', [`again@${nameOf(0)}`], 'Subject: x\n\nx\n')
  smtp.end()
  await front.logged(/=> again@s0\.example .* CV=yes/)
  assert.deepEqual(
    fetched.filter((each) => each.startsWith(nameOf(0))),
    [`${nameOf(0)} /.well-known/mta-sts.txt`],
  )
  assert.ok(
    !fetched.some((each) => each.startsWith(nameOf(cases.length - 1))),
    'without mta_sts nothing is asked',
  )
})

test('TLSRPT: postern tlsrpt gives reports as RFC 8460 section 4.4 has them', async (t) => {
  if (skip !== false) return t.skip(skip)
  const run = (...args: string[]): Report[] => {
    const done = spawnSync(postern, ['tlsrpt', '-C', front.configurationFile, ...args], { encoding: 'utf8' })
    assert.equal(done.status, 0, done.stderr)
    return done.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Report)
  }
  const found = await until(() => {
    const reports = run('--contact', 'tls@mx.example', '--organisation', 'Example')
    const all = cases.every(
      (c, i) =>
        c.report === undefined ||
        reports.some(({ policies }) => policies[0]?.policy['policy-domain'] === nameOf(i)),
    )
    return all ? reports : undefined
  }, 10_000)
  assert.ok(found)
  for (const [i, { report }] of cases.entries()) {
    if (report === undefined) continue
    const mine: Report[] = found.filter(({ policies }) => policies[0]?.policy['policy-domain'] === nameOf(i))
    const [policyResult] = mine[0]?.policies ?? []
    assert.ok(policyResult, nameOf(i))
    assert.equal(mine[0]?.['contact-info'], 'tls@mx.example')
    assert.equal(policyResult.policy['policy-type'], report.type, nameOf(i))
    const results = policyResult['failure-details']?.map((each) => each['result-type']) ?? []
    assert.deepEqual(results, report.result === undefined ? [] : [report.result], nameOf(i))
    if (report.type === 'sts' && !report.result?.startsWith('sts-'))
      assert.equal(policyResult.policy['policy-string']?.[0], 'version: STSv1')
  }
  assert.equal(run('--domain', nameOf(0), '--remove').length, 1)
  assert.equal(run('--domain', nameOf(0)).length, 0)
})

interface Report {
  readonly 'contact-info': string
  readonly policies: readonly {
    readonly policy: Readonly<Record<string, string>> & { readonly 'policy-string'?: readonly string[] }
    readonly summary: Readonly<Record<string, number>>
    readonly 'failure-details'?: readonly { readonly 'result-type': string }[]
  }[]
}
