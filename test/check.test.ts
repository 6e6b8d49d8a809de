/** `postern check`: what it finds in a configuration, through the real program. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { postern, temporaryFolder } from './support/server.ts'

function check(
  configuration: string,
  ...args: string[]
): { readonly status: number | null; readonly text: string } {
  const folder = temporaryFolder('check')
  const file = join(folder.path, 'exim.conf')
  writeFileSync(file, configuration)
  const done = spawnSync(postern, ['check', ...args, file], { encoding: 'latin1' })
  folder.remove()
  return { status: done.status, text: (done.stdout + done.stderr).replaceAll(`${folder.path}/`, '') }
}

test('check tells all mistakes at once, those inside the texts of ACLs too', () => {
  const { status, text } = check(`domainlist local_domains = @ : example.org
smtp_acept_max = 50
acl_smtp_rcpt = acl_check_rcpt

begin acl

acl_check_rcpt:
  accept  domains = +local_domains
  deny    condition = \${if eq{$domian}{example.org}}

begin routers

local:
  driver = accept
  transport = local_delivery
`)
  assert.equal(status, 1)
  assert.match(text, /^exim\.conf:2:1: error: main option "smtp_acept_max" unknown/m)
  assert.match(text, /= help: did you mean "smtp_accept_max"\?/)
  assert.match(text, /^exim\.conf:9:\d+: error: .*unknown variable.*domian/m)
  assert.match(text, /^exim\.conf:15:15: error: local router: transport "local_delivery" is not defined/m)
  assert.match(text, /3 errors, no warnings/)
})

test('check is content with a configuration that is', () => {
  const { status, text } = check('primary_hostname = mail.example\nacl_smtp_rcpt = accept\n', '--strict')
  assert.equal(status, 0, text)
})

test('check finds constant arguments that fail each time, options where there are none, and numbers below zero', () => {
  const { status, text } = check(`queue_run_max = -1
acl_smtp_rcpt = acl_check_rcpt
smtp_banner = \${eval:1+} \${mask:10.0.0.1/99}

begin acl

acl_check_rcpt:
  require verify = helo/x
  warn    add_header = X-Spam yes
  deny    condition = \${if >{$message_size}{20MB}}

begin routers

local:
  driver = accept
  check_local_user
  transport = local_delivery
  headers_add = X-Seen

begin transports

local_delivery:
  driver = appendfile
  file = /var/mail/\${substr{a}{3}{$local_part_data}}
`)
  assert.equal(status, 1)
  const heads = text.split('\n').filter((line) => line.startsWith('exim.conf:'))
  assert.deepEqual(heads, [
    'exim.conf:1:17: warning: -1 makes no sense for "queue_run_max" [value-negative]',
    'exim.conf:3:22: error: error in expression evaluation: expecting number or opening parenthesis (after processing "1+") [expansion-constant]',
    'exim.conf:3:33: error: mask value too big in "10.0.0.1/99" [expansion-constant]',
    'exim.conf:8:25: error: unexpected \'/\' found in "helo/x" (this verify item has no options) [acl-verify-option]',
    'exim.conf:9:24: warning: no colon stands in this header: it goes out as "X-ACL-Warn: X-Spam yes" [header-colon]',
    'exim.conf:10:45: error: invalid integer "20MB" [expansion-number]',
    'exim.conf:18:17: warning: no colon stands in this header: it goes out as "X-Seen", which is no header [header-colon]',
    'exim.conf:24:29: error: "a" is not a number (in "substr" expansion) [expansion-constant]',
    'exim.conf: 5 errors, 3 warnings',
  ])
})

test('check tells a certificate and a key that do not belong together, and an ended certificate', {
  skip: noOpenssl,
}, () => {
  const folder = temporaryFolder('pairs')
  const ca = new TestAuthority(folder.path)
  ca.leaf('one')
  ca.leaf('two')
  ca.leaf('old', { days: -1 })
  const rows: readonly (readonly [string, string, string])[] = [
    ['one.pem', 'one.key', 'no errors'],
    ['one.key', 'one.pem', `1:19: error: there is no certificate in ${ca.at('one.key')} [tls-files]`],
    ['one.pem', 'two.pem', `2:18: error: there is no private key in ${ca.at('two.pem')} [tls-files]`],
    [
      'one.pem',
      'two.key',
      `2:18: error: the private key in ${ca.at('two.key')} is not that of the certificate in ${ca.at('one.pem')} [tls-files]`,
    ],
    ['old.pem', 'old.key', `1:19: error: the certificate in ${ca.at('old.pem')} ended on `],
  ]
  for (const [certificate, key, says] of rows) {
    const { text } = check(`tls_certificate = ${ca.at(certificate)}\ntls_privatekey = ${ca.at(key)}\n`)
    assert.ok(text.includes(says), `${says}\n${text}`)
    if (certificate === 'one.key') assert.match(text, /help: tls_certificate and tls_privatekey are swapped/)
  }
  assert.match(
    check(`tls_certificate = ${ca.at('one.pem')}\n`).text,
    /help: name its file with tls_privatekey/,
  )
  folder.remove()
})
