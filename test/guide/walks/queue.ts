import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { until } from '../../support/server.ts'
import { assertShown, commandOf, commandsOf } from '../page.ts'
import {
  dns,
  logged,
  logs,
  mail,
  restart,
  shell,
  start,
  stop,
  type,
  typeAndCompare,
  type Walk,
  waitMs,
} from '../world.ts'

const configuration = {
  main: 'acl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\nqualify_domain = b.example\nprimary_hostname = mx.example.org\nlocal_interfaces = 127.0.0.1\n',
  acl: 'acl_check_rcpt:\n  warn local_parts = slow\n       queue = slow\n  accept\n',
  routers: `out:
  driver = manualroute
  route_list = x.example mx.x.example ; * 127.0.0.1::9
  self = send
  transport = remote_smtp
`,
  transports: 'remote_smtp:\n  driver = smtp\n',
  retry: '* * F,4d,15m\n',
}
const remote = { ...configuration, routers: configuration.routers.replace('out:', 'elsewhere:') }

const idOf = (address: string): string => new RegExp(`(\\S+) == ${address}`).exec(logs())?.[1] ?? ''

export const queue: Walk = {
  async walk(page) {
    await dns({ 'mx.x.example A': [{ type: 'A', data: '192.0.2.1' }] })
    await restart(remote)
    await mail({ from: '', to: 'a@b.example', text: `Subject: x\n\n${'x'.repeat(70)}\n`.repeat(18) })
    await logged('== a@b.example')
    await mail({ from: 'a@b.example', to: 'c@elsewhere.example' })
    await logged('== c@elsewhere.example')
    const sizes = {
      more: [
        [/\b\d+(?:\.\d)?[KM]?(?= 1x)/, '[\\d.]+[KM]?'],
        [/\b\d+[mhd]\b/, '\\d+[mhd]'],
      ],
    } as const
    await typeAndCompare(page.take('exim -bp', 'c@elsewhere.example'), sizes)

    const first = idOf('a@b\\.example')
    await shell(`exim -Mf ${first}`)
    const { command, prints } = commandOf(page.take('exim -Mvl'))
    assertShown(prints, (await shell(command.replace(/1x\S+/, first))).all, [
      [/frozen by root/, 'frozen by root'],
    ])
    await shell('exim -Mrm $(exim -bpi)')
    await stop()
    rmSync('/var/log/postern/mainlog')
    rmSync('/var/spool/postern/hints', { recursive: true, force: true })

    await restart(configuration)
    for (const to of ['c@x.example', 'd@x.example', 'e@x.example']) await mail({ from: '', to })
    await logged('== c@x.example\n== d@x.example\n== e@x.example')
    await stop()
    await start(['-bdf', '-q1h'])
    const tools = commandsOf(page.take('exinext x.example', 'exiqsumm', 'exipick', 'exim_dumpdb', 'exiwhat'))
    assert.deepEqual(
      tools.map(({ command: tool }) => /\w+/.exec(tool)?.[0]),
      ['exinext', 'exim', 'exipick', 'exim_dumpdb', 'exiwhat'],
    )
    for (const { command: tool, prints: shown } of tools) {
      const { all, status } = await shell(tool.replaceAll("'$message_age > 2d'", "'$message_age < 2d'"))
      assert.equal(status, 0, all)
      if (tool.includes('exipick')) assert.equal(all.trim().split('\n').length, 3, all)
      assertShown(shown, all, [
        [/\b164\b/, '\\d+'],
        [/mx\.example\.net 1x\S+ 1x\S+/, 'mx\\.x\\.example 1x\\S+ 1x\\S+'],
        [
          /daemon\(4\.99\): -q1h, listening for SMTP on port 25/,
          'daemon\\([\\d.]+\\): -q1h, listening for SMTP on .*25',
        ],
        [/\b768\b/, '\\d+'],
        [/\b0m\b/, '\\d+m'],
      ])
    }
    await shell('exim -Mrm $(exim -bpi)')
    await mail({ to: 'slow@x.example' })
    await shell('exim -qGslow')
    const inSlow = await until(
      async () => /\b\S{16,23}\b/.exec((await shell('exim -bpi -qGslow')).out)?.[0],
      waitMs,
    )
    const moved = page.take('moved from (slow)')
    const [move = '', run = ''] = moved.trim().split('\n')
    assert.equal((await shell(`exim -MG other ${inSlow}`)).status, 0)
    await shell('exim -qGother')
    await logged(move)
    await logged(run, [[/Start 'other' queue run: pid=\d+ -qq/, "Start 'other' queue run: pid=\\d+"]])
    await shell(`exim -qGother -Mrm ${inSlow}`)

    await mail({ from: 'a@b.example', to: 'c@x.example' })
    await mail({ from: 'spammer@b.example', to: 'c@x.example' })
    await logged('== c@x.example')
    // Not as one that waits for the retry time of its host.
    const refused = (): number => logs().match(/== c@x\.example .*Connection refused/g)?.length ?? 0
    const before = refused()
    await shell('exim -qf')
    await until(() => (refused() >= before + 2 ? true : undefined), waitMs)
    const many = commandsOf(
      page.take('postern queue --state deferred', 'postern queue freeze', 'postern queue bounce'),
    )
    assert.equal(many.length, 3)
    for (const { command: line, prints: shown } of many) {
      // No message here is two hours, or three days, old.
      const { all } = await shell(line.replace(/ --older \w+/, '').replace("'mailbox full'", 'refused'))
      assertShown(shown, all, [
        [/ ?\d+h +\d+ /, '\\d+m +\\S+ '],
        [/\b214 messages\b/, '1 messages?'],
        [/in \d+m/, 'in +\\d+[mh]'],
      ])
    }
    await stop()
    await shell('mkdir -p /tmp/queue-import; rm -rf /tmp/queue')
    const transfer = page.take('postern spool import', 'postern spool export').trim().split('\n')
    assert.equal(transfer.length, 2)
    const file = '/root/exim.conf'
    await shell(`cp /etc/postern/postern.conf ${file}`)
    const exported = await type(transfer[1] ?? '')
    assert.match(exported, /^2 messages written$/m)
    await shell(
      'mkdir -p /var/spool/exim4 && cp -r /tmp/queue/input /var/spool/exim4/ && chown -R Debian-exim: /var/spool/exim4 && exim -Mrm $(exim -bpi)',
    )
    assert.match(await type(transfer[0] ?? ''), /^2 messages taken over$/m)
  },
}
