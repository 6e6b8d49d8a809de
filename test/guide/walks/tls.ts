import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync } from 'node:fs'
import { noOpenssl, TestAuthority } from '../../support/certificates.ts'
import { boxes, dns, hostAt, logged, mail, otherHost, restart, shell, type Walk } from '../world.ts'

export const tls: Walk = {
  hostname: 'mail.example',
  needs: [() => (noOpenssl === false ? { path: 'openssl' } : { missing: noOpenssl })],
  async walk(page) {
    mkdirSync('/srv/ca', { recursive: true })
    const ca = new TestAuthority('/srv/ca')
    ca.leaf('localhost')
    mkdirSync('/etc/ssl/mail', { recursive: true })
    copyFileSync('/srv/ca/localhost.chain', '/etc/ssl/mail/fullchain.pem')
    copyFileSync('/srv/ca/localhost.key', '/etc/ssl/mail/key.pem')
    await shell('chmod 644 /etc/ssl/mail/*')
    const here = 'local_interfaces = 127.0.0.1\n'
    const incoming = page.take('tls_certificate', 'daemon_smtp_ports')
    const verifying =
      'tls_verify_certificates = /srv/ca/ca.pem\ntls_try_verify_hosts = *\nlog_selector = +tls_peerdn +tls_certificate_verified\n'
    await restart(boxes, { main: here + incoming + verifying })
    const client = await shell(
      "(sleep 1; printf 'EHLO vm\\r\\n'; sleep 1; printf 'MAIL FROM:<d@e.f>\\r\\n'; sleep 1; printf 'rcpt TO:<u@here.example>\\r\\n'; sleep 1; printf 'DATA\\r\\n'; sleep 1; printf 'Subject: x\\r\\n\\r\\nx\\r\\n.\\r\\n'; sleep 1; printf 'QUIT\\r\\n'; sleep 1) | openssl s_client -connect 127.0.0.1:465 -quiet -cert /srv/ca/localhost.pem -cert_chain /srv/ca/int.pem -key /srv/ca/localhost.key",
    )
    assert.match(client.all, /250 OK id=/)
    await logged(page.take('P=esmtps', 'DN="/O=Test/CN=localhost"'))

    await dns({
      'mail.example MX': [{ type: 'MX', data: { preference: 10, exchange: 'localhost' } }],
      'localhost A': [{ type: 'A', data: '127.0.0.1' }],
      'mx.plain.example A': [{ type: 'A', data: '192.0.2.7' }],
      'd0.example MX': { secure: [{ type: 'MX', data: { preference: 10, exchange: 'mx.d0.example' } }] },
      'mx.d0.example A': { secure: [{ type: 'A', data: '192.0.2.7' }] },
      'd1.example MX': { secure: [{ type: 'MX', data: { preference: 10, exchange: 'mx.d1.example' } }] },
      'mx.d1.example A': { secure: [{ type: 'A', data: '192.0.2.9' }] },
      '_25._tcp.mx.d0.example TLSA': { secure: [tlsa(ca, 'localhost')] },
      '_25._tcp.mx.d1.example TLSA': { secure: [tlsa(ca, 'int')] },
      's2.example MX': [{ type: 'MX', data: { preference: 10, exchange: 'mx.s2.example' } }],
      'mx.s2.example A': [{ type: 'A', data: '192.0.2.9' }],
      '_mta-sts.s2.example TXT': [{ type: 'TXT', data: ['v=STSv1; id=1'] }],
      '_smtp._tls.s2.example TXT': [{ type: 'TXT', data: ['v=TLSRPTv1; rua=mailto:tls@s2.example'] }],
      'mta-sts.s2.example A': [{ type: 'A', data: '127.0.0.1' }],
    })
    const certificate = `tls_certificate = /srv/ca/localhost.chain\ntls_privatekey = /srv/ca/localhost.key\nprimary_hostname = localhost\n`
    await otherHost('192.0.2.7', boxes, { main: certificate })
    await otherHost('192.0.2.9', boxes, { main: certificate })
    const plain = await hostAt('192.0.2.10')
    void plain
    const next = (
      transport: string,
      host: string,
    ): { routers: string; transports: string; retry: string; main: string } => ({
      main: `acl_smtp_rcpt = accept\nhost_lookup =\n${here}`,
      routers: `next:\n  driver = manualroute\n  route_list = * ${host}\n  self = send\n  transport = out\n`,
      transports: `out:\n  driver = smtp\n${transport}`,
      retry: '* * F,1h,15m\n',
    })
    const [sent = '', refused = ''] = page.take('C="250- 228 byte chunk').trim().split('\n')
    await shell("sed -i 's/^127.0.0.1 localhost/127.0.0.1 loopback/; $a192.0.2.7 localhost' /etc/hosts")
    await restart(
      next('  tls_verify_certificates = /srv/ca/ca.pem\n  hosts_try_dane =\n', 'localhost byname'),
    )
    await mail({ to: 'c@mail.example' })
    const other = [
      [/localhost \[127\.0\.0\.1\]/, '\\S+ \\[[\\d.]+\\]'],
      [/\d+ byte chunk, total \d+/, '\\d+ byte chunk, total \\d+'],
      [/ C="/, ' (?:L )?C="'],
    ] as const
    await logged(sent, other)
    await restart(next('  hosts_require_tls = *\n', '192.0.2.10'))
    await mail({ to: 'c@mail.example' })
    await logged(refused, other)

    const warning = page.take('No server certificate defined')
    await restart(boxes, { main: `${here}tls_advertise_hosts = *\n` })
    await logged(warning)

    const [dane = '', failed = ''] = page.take('CV=dane').trim().split('\n')
    const lookup = (transport: string) => ({
      main: `acl_smtp_rcpt = accept\nhost_lookup =\n${here}dns_dnssec_ok = 1\n`,
      routers: 'dnslookup:\n  driver = dnslookup\n  dnssec_request_domains = *\n  transport = remote_smtp\n',
      transports: transport,
      retry: '* * F,1h,15m\n',
    })
    await restart(lookup('remote_smtp:\n  driver = smtp\n'))
    await mail({ to: ['c@d0.example'] })
    await mail({ to: ['c@d1.example'] })
    await logged(dane, [[/C="250 OK"/, '(?:K )?C="250.*OK.*"']])
    await logged(failed, [[/192\.0\.2\.8/, '192\\.0\\.2\\.9']])

    const policy = page.take('mta_sts = true')
    const { createServer } = await import('node:https')
    ca.leaf('mta-sts.s2.example')
    const web = createServer(
      { cert: ca.read('mta-sts.s2.example.chain'), key: ca.read('mta-sts.s2.example.key') },
      (_, response) => {
        response
          .writeHead(200, { 'content-type': 'text/plain' })
          .end('version: STSv1\r\nmode: enforce\r\nmx: other.s2.example\r\nmax_age: 86400\r\n')
      },
    )
    await new Promise<void>((resolve) => web.listen(443, '127.0.0.1', resolve))
    await restart(lookup(`${policy}  tls_verify_certificates = /srv/ca/ca.pem\n`))
    await mail({ to: 'c@s2.example' })
    await logged(page.take('the MTA-STS policy of'))
    const report = await shell('postern tlsrpt')
    assert.equal(report.status, 0, report.all)
    const [, cron = ''] = /^\S+ \S+ \* \* \* +root +(.*)$/m.exec(page.take('tlsrpt --send')) ?? []
    const mailed = await shell(cron)
    assert.equal(mailed.status, 0, mailed.all)
    // The reports of a day that goes on, too, so that there is one.
    const today = await shell(`${cron} --today`)
    assert.equal(today.status, 0, today.all)
    await logged(page.take('TLS report about'), [
      [/\bexample\.net\b/, 's2\\.example'],
      [/\b\d{4}-\d\d-\d\d\b/, '\\d{4}-\\d\\d-\\d\\d'],
    ])
    web.close()
    web.closeAllConnections()
  },
}

function tlsa(ca: TestAuthority, name: string): { type: string; data: unknown } {
  const der = ca.openssl('x509', '-in', `${name}.pem`, '-noout', '-fingerprint', '-sha256')
  const hex = (/=(.*)/.exec(der)?.[1] ?? '').replaceAll(':', '')
  return {
    type: 'TLSA',
    data: { usage: 3, selector: 0, matchingType: 1, certificate: Buffer.from(hex, 'hex') },
  }
}
