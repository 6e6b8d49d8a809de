import assert from 'node:assert/strict'
import { until } from '../../support/server.ts'
import { assertShown, commandOf } from '../page.ts'
import { dns, hostAt, logged, logs, mail, restart, session, shell, type Walk, waitMs } from '../world.ts'

const configuration = {
  main: 'primary_hostname = mx.example\nacl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\nlocal_interfaces = 127.0.0.1\nmetrics_listen = 127.0.0.1:9125\nlog_format_json = /var/log/postern/json\n',
  acl: 'acl_check_rcpt:\n  deny local_parts = nobody\n  accept\n',
  routers: `slow:
  driver = manualroute
  domains = slow.example
  route_list = * 192.0.2.9
  transport = smtp
local:
  driver = accept
  domains = b.example
  transport = box
out:
  driver = manualroute
  route_list = * mx.x.example
  transport = smtp
`,
  transports: 'smtp:\n  driver = smtp\nbox:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\n',
  retry: '* * F,1h,15m\n',
}

export const watching: Walk = {
  hostname: 'mx.example',
  async walk(page) {
    await dns({ 'mx.x.example A': [{ type: 'A', data: '192.0.2.7' }] })
    await hostAt('192.0.2.7', { rcpt: () => '550 no such user' })
    await restart(configuration)
    await mail({ to: 'c@x.example' })
    await mail({ to: 'd@slow.example' })
    await session(['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<nobody@b.example>', 'QUIT'])
    await logged('== d@slow.example\n=> a <a@b.example>')
    const { command: top, prints } = commandOf(page.take('postern top'))
    const seen = await shell(top)
    const numbers = [
      [/ \(oldest \w+\)/, '(?: \\(oldest \\w+\\))?'],
      [/mx\.slow\.example \[192\.0\.2\.7\]: Connection timed out/, '192\\.0\\.2\\.9.*: Connection refused'],
      [/\b\d+(?:\.\d)?(?:[smhd]\b)?/, '(?:[\\d.]+[smhd]?|-)'],
    ] as const
    assertShown(prints, seen.all, numbers)

    const { command, prints: lines } = commandOf(page.take('postern log 1x'))
    const id = /(\S+) \*\* c@x\.example/.exec(logs())?.[1] ?? ''
    const followed = await until(async () => {
      const { all } = await shell(command.replace(/1x\S+/, id))
      return all.includes('=> a <a@b.example>') ? all : undefined
    }, waitMs)
    assertShown(lines, followed ?? logs(), [
      [
        /H=mx\.x\.example \[192\.0\.2\.7\]: 550 no such user/,
        'H=mx\\.x\\.example \\[192\\.0\\.2\\.7\\]: .*550 no such user',
      ],
    ])
    assert.ok(followed !== undefined)
  },
}
