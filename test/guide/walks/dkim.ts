import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { noOpenssl } from '../../support/certificates.ts'
import { rsaKey, signOddly, type TestKey } from '../../support/dkim-world.ts'
import type { ScriptedRecord } from '../../support/dns-server.ts'
import { until } from '../../support/server.ts'
import {
  dns,
  hostAt,
  logged,
  logs,
  mail,
  otherHost,
  restart,
  shell,
  type,
  type Walk,
  waitMs,
  write,
} from '../world.ts'

const txt = (text: string): ScriptedRecord[] => [{ type: 'TXT', data: text.match(/.{1,255}/g) ?? [] }]
const keyRecord = ({ data }: TestKey) => txt(`v=DKIM1; k=rsa; p=${data}`)
const letter = (from: string): string =>
  `From: a@${from}\r\nTo: u@here.example\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nhello\r\n`

const lists = {
  main: 'domainlist local_domains = here.example\nhostlist relay_from_hosts = 127.0.0.1\nlocal_interfaces = 127.0.0.1\nhost_lookup =\n',
}
const box = {
  routers: 'local:\n  driver = accept\n  domains = +local_domains\n  transport = box\n',
  transports: 'box:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\n',
}
const outward = {
  routers:
    'out:\n  driver = manualroute\n  domains = ! +local_domains\n  route_list = * 192.0.2.7\n  transport = remote_smtp\n',
  retry: '* * F,1h,15m\n',
}

export const dkim: Walk = {
  hostname: 'example.com',
  needs: [() => (noOpenssl === false ? { path: 'openssl' } : { missing: noOpenssl })],
  async walk(page) {
    const [good, old] = [rsaKey(2048), rsaKey(1024)]
    const server = await dns({
      'sel._domainkey.good.example TXT': keyRecord(good),
      'sel._domainkey.old.example TXT': keyRecord(old),
    })
    const checking = page.take('acl_smtp_dkim')
    await restart({ main: checking }, lists, box)
    await mail({
      from: 'a@good.example',
      to: 'u@here.example',
      client: '192.0.2.1',
      helo: 'mail.good.example',
      text: signOddly(letter('good.example'), good, { d: 'good.example', s: 'sel' }),
    })
    await logged(page.take('verification succeeded'))
    const bank = await mail({
      from: 'a@bank.example',
      to: 'u@here.example',
      client: '192.0.2.1',
      text: letter('bank.example'),
    })
    assert.equal(bank.code, 250, 'dkim_signers names nobody: the ACL runs for signers alone')

    const shorter = page.take('key too short for us')
    const own = `${checking.replace('  accept\n', '  accept\n')}`
    await restart({ main: own.replace(/check_dkim:\n/, `check_dkim:\n${shorter}`) }, lists, box)
    await mail({
      from: 'a@old.example',
      to: 'u@here.example',
      client: '192.0.2.1',
      text: signOddly(letter('old.example'), old, { d: 'old.example', s: 'sel' }),
    })
    await logged(page.take('[fail - key too short for us]'))

    const signing = page.take('dkim_private_key')
    mkdirSync('/etc/postern/dkim', { recursive: true })
    await type(page.take('openssl genpkey'), '/etc/postern/dkim')
    await type('chown postern: *.pem', '/etc/postern/dkim')
    const published = (await shell(page.take('v=DKIM1; k=ed25519'), { cwd: '/etc/postern/dkim' })).out
      .trim()
      .split('\n')
    assert.equal(published.length, 2, published.join('\n'))
    server.zone = {
      ...server.zone,
      'ed2026._domainkey.example.com TXT': txt(published[0] ?? ''),
      'rsa2026._domainkey.example.com TXT': txt(published[1] ?? ''),
    }
    const hop = await hostAt('192.0.2.7')
    const relays = { main: 'acl_smtp_rcpt = accept\n' }
    await restart(relays, lists, box, outward, { transports: signing })
    await mail({ from: 'me@example.com', to: 'c@far.example', text: letter('example.com') })
    assert.ok(await until(() => hop.messages[0], waitMs), logs())
    await mail({
      from: 'me@example.com',
      to: 'u@here.example',
      client: '192.0.2.1',
      text: hop.messages[0]?.data.replace(/\r\n$/, '') ?? '',
    })
    await logged(
      'DKIM: d=example.com s=ed2026 c=relaxed/relaxed a=ed25519-sha256 b=256 [verification succeeded]\nDKIM: d=example.com s=rsa2026 c=relaxed/relaxed a=rsa-sha256 b=2048 [verification succeeded]\n'.replaceAll(
        /^DKIM.*\n/gm,
        '',
      ),
    )
    assert.match(logs(), / <= me@example\.com .* DKIM=example\.com/)

    const unsigned = page.take('could not be signed')
    const key = readFileSync('/etc/postern/dkim/rsa2026.pem', 'utf8')
    rmSync('/etc/postern/dkim/rsa2026.pem')
    await restart(relays, lists, box, outward, { transports: signing.replace(/^.*dkim_strict.*\n/m, '') })
    const before = hop.messages.length
    await mail({ from: 'me@example.com', to: 'c@far.example', text: letter('example.com') })
    await logged(unsigned)
    assert.ok(await until(() => hop.messages[before], waitMs))
    await restart(relays, lists, box, outward, { transports: signing })
    await mail({ from: 'me@example.com', to: 'strict@far.example', text: letter('example.com') })
    await logged(
      `== strict@far.example R=out T=remote_smtp defer ... could not be signed: example.com rsa2026: unable to open file for reading`,
    )
    write('/etc/postern/dkim/rsa2026.pem', key)

    // A list that seals and signs what it sends.
    const list = rsaKey(2048)
    write('/srv/list.pem', String(list.privateKey.export({ type: 'pkcs8', format: 'pem' })))
    server.zone = { ...server.zone, 'sel._domainkey.list.example TXT': keyRecord(list) }
    await otherHost(
      '192.0.2.9',
      {
        main: 'primary_hostname = list.example\nacl_smtp_rcpt = accept\nacl_smtp_data = check_data\nhost_lookup =\n',
      },
      {
        acl: 'check_data:\n  warn verify = arc/pass:none:fail\n       add_header = :at_start:${authresults{list.example}}\n  accept\n',
      },
      { routers: 'out:\n  driver = manualroute\n  route_list = * 192.0.2.7\n  transport = remote_smtp\n' },
      {
        transports:
          'remote_smtp:\n  driver = smtp\n  dkim_domain = list.example\n  dkim_selector = sel\n  dkim_private_key = /srv/list.pem\n  arc_sign = list.example : sel : /srv/list.pem\n',
      },
    )
    const sent = hop.messages.length
    await shell(`perl -e 'use Socket'`)
    await mail({
      from: 'a@list.example',
      to: 'all@list.example',
      text: letter('list.example'),
      at: '192.0.2.9',
    })
    const sealed = await until(() => hop.messages[sent], waitMs)
    assert.ok(
      sealed !== undefined && sealed.data.includes('ARC-Seal:'),
      readFileSync('/srv/hosts/192.0.2.9/log/mainlog', 'utf8'),
    )

    const [option = '', acl = ''] = page.take('acl_smtp_data', 'verify = arc').split('\n\n')
    await restart(relays, { main: option }, { acl }, lists, box)
    await mail({
      from: 'a@list.example',
      to: 'u@here.example',
      client: '192.0.2.7',
      helo: 'list.example',
      text: sealed.data.replace(/\r\n$/, ''),
    })
    await logged(page.take(' ARC'))

    await restart(relays, { main: option }, { acl }, lists, box, outward, {
      transports: `remote_smtp:\n  driver = smtp\n${page.take('arc_sign')}`,
    })
    const passed = hop.messages.length
    await mail({ from: 'a@list.example', to: 'c@far.example', text: sealed.data.replace(/\r\n$/, '') })
    const again = await until(() => hop.messages[passed], waitMs)
    assert.match(again?.data ?? logs(), /^ARC-Seal: i=2;[\s\S]*cv=pass/m)
  },
}
