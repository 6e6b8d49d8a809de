import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { startSink } from '../../support/smtp-sink.ts'
import { assertShown } from '../page.ts'
import {
  configurationFile,
  dns,
  logged,
  logs,
  mail,
  readIfThere,
  session,
  shell,
  start,
  stop,
  typeAndCompare,
  type Walk,
  write,
} from '../world.ts'

/** Statements and routers stand on the lines that the page shows. */
const configuration = `primary_hostname = mx.example.org
domainlist local_domains = example.org
hostlist relay_hosts = 127.0.0.1
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
host_lookup =
tls_advertise_hosts =
MORE

#
#

begin acl

acl_check_rcpt:
  accept  hosts    = +relay_hosts
  deny    local_parts = bad
          message  = not him
  require message  = relay not permitted
          domains  = +local_domains
          verify   = recipient
  accept

acl_check_data:
#
#
  deny    condition = \${if match{$h_subject:}{^Invoice}{\${lookup{$sender_address_domain}lsearch{/etc/postern/partners}{no}{yes}}}{no}}
          message   = invoices come from partners only
  accept

begin routers

#
users:
  driver = accept
  local_parts = ann
  transport = box

away:
  driver = manualroute
  route_list = away.test 127.0.0.1
  self = send
  transport = smtp

begin transports

box:
  driver = appendfile
  file = /home/ann/box
  user = ann

smtp:
  driver = smtp
  port = 25926
  allow_localhost
  hosts_try_chunking =

begin retry

* * F,2h,15m
`

export const explain: Walk = {
  async walk(page) {
    await dns({})
    writeFileSync(configurationFile, configuration.replace('MORE\n', '\n'))
    write('/etc/postern/partners', 'partner.example: yes\n')
    write(
      '/root/invoice.eml',
      'From: billing@shop.test\nTo: ann@example.org\nSubject: Invoice 2026-117\n\nPay.\n',
    )
    await typeAndCompare(page.take('postern explain --from', '--brief'), { status: 0 })
    const html = page.take('--html why.html')
    const made = await shell(html)
    assert.equal(made.status, 0, made.all)
    const page1 = statSync('/root/why.html')
    assert.equal(page1.mode & 0o777, 0o600)
    assert.ok(page1.size < 300_000)

    const store = page.take('explain_store')
    const json = 'log_format_json = /var/log/postern/json'
    writeFileSync(configurationFile, configuration.replace('MORE', `${store.trim()} \n${json}`))
    await start()
    const far = await startSink(
      {
        greeting: '220 away.test ESMTP',
        ehlo: '250-away.test\n250 PIPELINING',
        mail: () => '250 ok',
        rcpt: () => '452 4.2.2 mailbox of bob is full',
      },
      '127.0.0.1',
      25_926,
    )
    await session(
      [
        'EHLO client.test',
        'MAIL FROM:<a@b.test>',
        'RCPT TO:<bad@example.org>',
        'RCPT TO:<ann@example.org>',
        'DATA',
        'Subject: x\n\nhello\n.',
        'QUIT',
      ],
      '192.0.2.10',
    )
    await logged('rejected RCPT <bad@example.org>: not him\nCompleted')
    const id = /(\S+) <= a@b\.test/.exec(logs())?.[1] ?? ''
    await mail({ to: 'bob@away.test' })
    await logged('bob@away.test R=away T=smtp defer')
    const waiting = /== bob@away/.test(logs()) ? (/(\S+) == bob@away\.test/.exec(logs())?.[1] ?? '') : ''
    const commands = page.take('postern explain 1x', '--rejected --last 20', '--trace').trim().split('\n')
    const line =
      readIfThere('/var/log/postern/json')
        .split('\n')
        .find((each) => each.includes('not him')) ?? ''
    const trace = /"trace":"(\w+)"/.exec(line)?.[1] ?? ''
    assert.equal(commands.length, 3)
    await stop()
    await far.close()
    const told: string[] = []
    for (const command of commands) {
      const { status, all } = await shell(
        command.replace(/1x\S+/, id).replace(/--trace \w+/, `--trace ${trace}`),
      )
      assert.equal(status, 0, `${command}\n${all}`)
      told.push(all)
    }
    assert.match(told[1] ?? '', /not him/)
    assertShown(
      page.take('transport of smtp to bob@away.test'),
      (await shell(`postern explain ${waiting}`)).all,
      [
        [/EHLO mx\.test/, 'EHLO mx\\.example\\.org'],
        [/<root@mx\.test>/, '<\\S+>'],
      ],
    )
    const shown = page
      .take('"trace"')
      .replace('\n RCPT', ' RCPT')
      .replace('\n ', '')
      .replace('acl_rcpt', 'acl_check_rcpt')
    assertShown(shown, line, [
      [/"trace":"\w+"/, '"trace":"\\w+"'],
      [/here\.test/, 'example\\.org'],
      [/"line":\d+/, '"line":\\d+'],
    ])
    assert.ok(existsSync('/var/spool/postern/explain'))
  },
}
