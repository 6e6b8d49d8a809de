import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { noOpenssl, TestAuthority } from '../../support/certificates.ts'
import {
  atEnd,
  boxes,
  dns,
  logged,
  mail,
  otherHost,
  restart,
  shell,
  type,
  type Walk,
  write,
} from '../world.ts'

const dated: readonly (readonly [RegExp, string])[] = []

export const certificatesAndOcsp: Walk = {
  hostname: 'mail.example',
  needs: [() => (noOpenssl === false ? { path: 'openssl' } : { missing: noOpenssl })],
  async walk(page) {
    mkdirSync('/srv/ca', { recursive: true })
    const ca = new TestAuthority('/srv/ca')
    ca.leaf('mail.example', { ocspUrl: 'http://ocsp.ca.example/' })
    ca.leaf('mx.partner.example')
    ca.responder('resp')
    ca.proof('good.der', 'mail.example', { signer: 'resp' })
    ca.redated('good.der', 'expired.der', 'resp', -9, -2)
    mkdirSync('/etc/ssl/mail', { recursive: true })
    copyFileSync('/srv/ca/mail.example.chain', '/etc/ssl/mail/fullchain.pem')
    copyFileSync('/srv/ca/mail.example.key', '/etc/ssl/mail/key.pem')
    const put = (proof: string): void => {
      copyFileSync(`/srv/ca/${proof}`, '/etc/ssl/mail/new')
      renameSync('/etc/ssl/mail/new', '/etc/ssl/mail/ocsp.der')
    }
    put('good.der')
    await dns({
      'ocsp.ca.example A': [{ type: 'A', data: '127.0.0.1' }],
      'partner.example MX': [{ type: 'MX', data: { preference: 10, exchange: 'mx.partner.example' } }],
      'mx.partner.example A': [{ type: 'A', data: '192.0.2.7' }],
      'mail.example A': [{ type: 'A', data: '127.0.0.1' }],
    })
    const here = { main: 'local_interfaces = 127.0.0.1\n' }
    const stapling = page.take('tls_ocsp_file')
    await restart(boxes, here, { main: stapling })
    const ask = (): Promise<{ all: string }> =>
      shell('openssl s_client -connect mail.example:25 -starttls smtp -status -CAfile /srv/ca/ca.pem', {
        input: 'QUIT\r\n',
      })
    assert.match((await ask()).all, /Cert Status: good/)
    put('expired.der')
    await ask()
    await logged(page.take('is not served'), dated)

    const certificate =
      'tls_certificate = /srv/ca/mx.partner.example.chain\ntls_privatekey = /srv/ca/mx.partner.example.key\n'
    await otherHost('192.0.2.7', boxes, { main: `primary_hostname = mx.partner.example\n${certificate}` })
    await restart(
      { main: 'acl_smtp_rcpt = accept\nhost_lookup =\n' },
      here,
      { routers: 'dns:\n  driver = dnslookup\n  transport = remote_smtp\n' },
      { transports: page.take('hosts_require_ocsp') },
      { retry: '* * F,1h,15m\n' },
    )
    await mail({ to: 'c@partner.example' })
    await logged(page.take('a good OCSP proof of the certificate is required'))

    const answers = { file: 'good.der' }
    const responder = createServer((request, response) => {
      request
        .resume()
        .on('end', () =>
          response
            .writeHead(200, { 'content-type': 'application/ocsp-response' })
            .end(readFileSync(`/srv/ca/${answers.file}`)),
        )
    })
    await new Promise<void>((resolve) => responder.listen(80, '127.0.0.1', resolve))
    atEnd(() => void responder.close())
    const fetching = page.take('tls_ocsp_fetch')
    const pair = stapling.replace(/^tls_ocsp_file.*\n/m, '')
    const [fetched = '', failed = ''] = page.take('fetched from').trim().split('\n')
    await restart(boxes, here, { main: pair }, { main: fetching })
    await logged(fetched)
    assert.match((await ask()).all, /Cert Status: good/)
    write('/srv/ca/later.der', '\u0030\u0003\u000a\u0001\u0003')
    answers.file = 'later.der'
    rmSync('/var/spool/postern/ocsp', { recursive: true })
    await restart(boxes, here, { main: pair }, { main: fetching })
    await logged(failed)

    answers.file = 'good.der'
    for (const [from, to] of [
      ['mail.example.chain', 'fullchain.pem'],
      ['mail.example.pem', 'cert.pem'],
      ['int.pem', 'issuer.pem'],
      ['ca.pem', 'ca.pem'],
    ])
      write(`/root/ocsp/${to}`, readFileSync(`/srv/ca/${from}`, 'utf8'))
    await type(page.take('postern ocsp-fetch'), '/root/ocsp')
    assert.deepEqual(readFileSync('/root/ocsp/ocsp.der'), readFileSync('/srv/ca/good.der'))
  },
}
