import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import type { ScriptedRecord } from '../../support/dns-server.ts'
import { until } from '../../support/server.ts'
import { dns, hostAt, logged, logs, mail, readIfThere, restart, shell, type Walk, waitMs } from '../world.ts'

const txt = (text: string): ScriptedRecord[] => [{ type: 'TXT', data: text }]
const letter = (from: string): string => `From: ${from}\r\nTo: u@here.example\r\nSubject: x\r\n\r\nhello\r\n`
const lists = {
  main: 'domainlist local_domains = here.example\nlocal_interfaces = 127.0.0.1\nhost_lookup =\nqualify_domain = mx.example\n',
}
const delivery = {
  routers: `local:
  driver = accept
  domains = +local_domains
  transport = box
out:
  driver = dnslookup
  transport = remote_smtp
`,
  transports:
    'box:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\nremote_smtp:\n  driver = smtp\n',
  retry: '* * F,1h,15m\n',
}
const day: readonly (readonly [RegExp, string])[] = [[/\b\d{4}-\d\d-\d\d\b/, '\\d{4}-\\d\\d-\\d\\d']]

export const dmarc: Walk = {
  hostname: 'mx.example',
  async walk(page) {
    const mx = (exchange: string): ScriptedRecord[] => [{ type: 'MX', data: { preference: 10, exchange } }]
    const server = await dns({
      'pass.example TXT': txt('v=spf1 ip4:192.0.2.1 -all'),
      'shop.example TXT': txt('v=spf1 ip4:192.0.2.1 -all'),
      'shop.example MX': mx('mail.shop.example'),
      'mail.shop.example A': [{ type: 'A', data: '198.51.100.1' }],
      '_dmarc.shop.example TXT': txt(
        'v=DMARC1; p=reject; ruf=mailto:ruf@shop.example,mailto:ruf@other.example; rua=mailto:dmarc@shop.example,mailto:gone@shop.example,mailto:x@big.example',
      ),
    })
    const configuration = page.take('acl_smtp_data = check_data')
    await restart({ main: configuration }, lists, delivery)
    const judged = (from: string, author: string) =>
      mail({ from, to: 'u@here.example', client: '192.0.2.1', text: letter(author) })
    assert.equal((await judged('a@pass.example', 'a@shop.example')).code, 550)
    assert.equal((await judged('a@shop.example', 'a@shop.example')).code, 250)
    await logged(page.take('DMARC results:'))
    const two = await mail({
      from: 'a@pass.example',
      to: 'u@here.example',
      client: '192.0.2.1',
      text: 'From: a@attack.example\r\nFrom: b@shop.example\r\nSubject: x\r\n\r\nhello\r\n',
    })
    assert.equal(two.code, 550)
    await logged(page.take('several From: headers'), [[/'a@attack\.example'/, "'.*a@attack\\.example.*'"]])

    const list = '/usr/share/publicsuffix/public_suffix_list.dat'
    if (!existsSync(list)) {
      mkdirSync('/usr/share/publicsuffix', { recursive: true })
      writeFileSync(list, 'example\ncom\n')
    }
    const then = new Date('2023-02-09T12:00:00Z')
    utimesSync(list, then, then)
    await restart(
      { main: `${configuration}`.replace('log_selector', `dmarc_tld_file = ${list}\nlog_selector`) },
      lists,
      delivery,
    )
    await judged('a@shop.example', 'a@shop.example')
    await logged(page.take('more than a year old'))

    const history = 'dmarc_history_file = /var/spool/postern/dmarc.dat\n'
    const failing = page.take('failure to create DMARC history file')
    const collecting = { main: `${history}dmarc_report_org = mx.example\n` }
    await restart({ main: configuration }, collecting, lists, delivery)
    await judged('a@shop.example', 'a@shop.example')
    const file = '/var/spool/postern/dmarc.dat'
    assert.ok(
      await until(() => (readIfThere(file).includes('from shop.example') ? true : undefined), waitMs),
      logs(),
    )
    const imported = await shell(`cp ${file} /root/history && postern dmarc import /root/history`)
    assert.equal(imported.status, 0, imported.all)
    await shell(`chown root: ${file} && chmod 600 ${file}`)
    chmodSync(file, 0o600)
    await judged('a@shop.example', 'a@shop.example')
    await logged(failing)

    const shop = await hostAt('198.51.100.1', {
      rcpt: (line) => (line.includes('<gone@') ? '550 no such user' : '250 ok'),
    })
    const forensic = configuration.replace(
      'check_rcpt:\n',
      'check_rcpt:\n  warn control = dmarc_enable_forensic\n',
    )
    await restart({ main: forensic }, lists, delivery)
    await judged('a@pass.example', 'a@shop.example')
    await logged(page.take('forensic report sent'))
    assert.ok(
      await until(() => shop.messages.find(({ rcpts }) => rcpts.join().includes('ruf@')), waitMs),
      logs(),
    )

    const [sent = '', refused = '', bounced = ''] = page.take('aggregate report about').trim().split('\n')
    await restart({ main: configuration }, { main: 'dmarc_aggregate_reports = true\n' }, lists, delivery)
    await judged('a@shop.example', 'a@shop.example')
    const commands = page.take(
      'postern dmarc show [DOMAIN]',
      'postern dmarc report [--today] [--dry-run]',
      'postern dmarc import FILE...',
    )
    assert.equal(commands.trim().split('\n').length, 3)
    const dry = await shell('postern dmarc report --today --dry-run')
    assert.match(dry.all, /dmarc@shop\.example/)
    const done = await shell('postern dmarc report --today')
    assert.equal(done.status, 0, done.all)
    await shell('postern -qf')
    await logged([sent, refused, bounced].join('\n'), day)
    const shown = await shell('postern dmarc show shop.example; postern dmarc show')
    assert.match(shown.all, /shop\.example/)
    const report = shop.messages.find(({ rcpts }) => rcpts.join().includes('dmarc@'))
    assert.ok(report !== undefined, logs())
    const [, encoded = ''] = /\r\n\r\n((?:[A-Za-z0-9+/=]{20,76}\r\n)+)/.exec(report.data) ?? []
    writeFileSync('/root/report.xml.gz', Buffer.from(encoded, 'base64'))
    const taken = await shell('postern dmarc import report.xml.gz')
    assert.equal(taken.status, 0, `${taken.all}\n${readFileSync('/root/report.xml.gz').length} bytes`)
    void server
  },
}
