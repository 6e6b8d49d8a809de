import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { connectRaw } from '../../support/proxied-client.ts'
import { assertShown } from '../page.ts'
import { boxes, dns, hostAt, logged, mail, restart, session, type Walk } from '../world.ts'

const far = {
  routers: `far:
  driver = manualroute
  domains = far.example
  route_list = * mx.far.example
  transport = out
`,
}
const out = { transports: 'out:\n  driver = smtp\n' }
const named = {
  main: 'domainlist relayed = far.example\nlocal_interfaces = 127.0.0.1\nlog_selector = +proxy\nprdr_enable\n',
}
const accepting = 'acl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\n'
const mailboxes = { routers: boxes.routers ?? '', transports: boxes.transports ?? '' }

export const checkingMail: Walk = {
  hostname: 'here.example',
  async walk(page) {
    const a = (data: string) => [{ type: 'A', data }]
    await dns({ 'mx.far.example A': a('198.51.100.1'), 'client.example A': a('203.0.113.7') })
    const hop = await hostAt('198.51.100.1', {
      rcpt: (line) => (line.includes('<bad@') ? '550 no such user' : '250 ok'),
      end: () => '250 taken',
    })
    const verifying = page.take('verify = sender/callout=10s,defer_ok')
    await restart({ main: accepting }, named, { acl: `${verifying}  accept\n` }, far, mailboxes, out)
    const refused = await session(
      ['EHLO x', 'MAIL FROM:<bad@far.example>', 'RCPT TO:<u@here.example>', 'QUIT'],
      '192.0.2.1',
    )
    const [logLines = '', reply = ''] = page.take('sender verify fail').split('\n\n')
    await logged(logLines)
    assertShown(reply, refused[3]?.text ?? '')
    assert.match(
      (await mail({ from: 'good@far.example', to: 'u@here.example', client: '192.0.2.1', helo: 'x' })).text,
      /^250/,
    )

    const cut = page.take('cutthrough_delivery')
    await restart({ main: accepting }, named, { acl: `acl_check_rcpt:\n${cut}` }, far, mailboxes, out)
    const seen = hop.messages.length
    await mail({ to: 'u@far.example', client: '192.0.2.1', helo: 'x' })
    assert.equal(hop.messages.length, seen + 1)
    await logged(page.take('>> u@far.example'))

    const prdr = 'acl_smtp_data_prdr = at_prdr\n'
    const acl =
      'acl_check_rcpt:\n  accept\nat_prdr:\n  deny local_parts = v\n       message = not v\n  accept\n'
    await restart({ main: accepting + prdr }, named, { acl }, mailboxes, out)
    const client = await connectRaw(25, [], { from: '192.0.2.1' })
    await client.hears(/^220/)
    for (const line of [
      'EHLO x',
      'MAIL FROM:<a@b.example> PRDR',
      'RCPT TO:<u@here.example>',
      'RCPT TO:<v@here.example>',
      'DATA',
    ])
      await client.say(line)
    client.send('Subject: x\r\n\r\nhello\r\n.\r\n')
    const heard = await client.hears(/id=\S+.*\r\n/)
    client.end()
    const [replies = '', lines = ''] = page.take('353 PRDR').split('\n\n')
    assertShown(replies, heard)
    await logged(lines)

    await restart({ main: `${accepting}hosts_xclient = 192.0.2.10\n` }, named, { acl }, mailboxes, out)
    await session(
      ['EHLO front', 'XCLIENT NAME=client.example ADDR=203.0.113.7 PORT=1234', 'QUIT'],
      '192.0.2.10',
    )
    await logged(page.take('XCLIENT: now'))

    await restart(
      { main: accepting },
      named,
      { main: page.take('smtp_ratelimit_rcpt') },
      { acl },
      mailboxes,
      out,
    )
    const began = performance.now()
    await session([
      'EHLO x',
      'MAIL FROM:<a@b.example>',
      ...Array.from({ length: 8 }, (_, i) => `RCPT TO:<u${i}@here.example>`),
      'QUIT',
    ])
    // Four of them wait for a quarter of a second each.
    assert.ok(performance.now() - began > 900, String(performance.now() - began))

    const watched = page.take('control = debug')
    await restart(
      { main: accepting },
      named,
      { acl: `acl_check_rcpt:\n${watched}  accept\n` },
      mailboxes,
      out,
    )
    await mail({ to: 'u@here.example', client: '203.0.113.7' })
    await mail({ to: 'u@here.example', client: '203.0.113.9' })
    assert.ok(existsSync('/var/log/postern/debuglog.203.0.113.7'))
    assert.ok(!existsSync('/var/log/postern/debuglog.203.0.113.9'))
  },
}
