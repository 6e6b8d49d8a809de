/** `postern check`: what it finds in a configuration, through the real program. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
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
