/** Lines that arrive at a real syslog daemon (rsyslog of Debian) over its datagram socket, which stands for /dev/log. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSyslog } from '../src/server/syslog.ts'
import { fetchDebian, wrapper } from './support/debian.ts'
import { temporaryFolder, until } from './support/server.ts'

const fetched = fetchDebian(['rsyslog', 'libestr0', 'libfastjson4'])

test('lines of the three logs arrive with facility, severity and name, long ones in pieces', {
  skip: 'missing' in fetched ? fetched.missing : false,
}, async () => {
  if ('missing' in fetched) return
  const folder = temporaryFolder('syslog')
  const socket = join(folder.path, 'log.socket')
  const file = join(folder.path, 'messages')
  const modules = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
    .map((each) => join(fetched.root, 'usr/lib', each, 'rsyslog'))
    .find((each) => existsSync(each))
  writeFileSync(
    join(folder.path, 'rsyslog.conf'),
    `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" UseSysTimeStamp="off" RateLimit.Interval="0")
template(name="all" type="string" string="%syslogfacility-text%.%syslogseverity-text% %syslogtag%%msg%\\n")
action(type="omfile" file="${file}" template="all")
`,
  )
  const daemon = spawn(
    wrapper(fetched.root, 'usr/sbin/rsyslogd'),
    ['-n', '-f', join(folder.path, 'rsyslog.conf'), '-i', join(folder.path, 'pid'), '-M', modules ?? ''],
    { stdio: 'ignore' },
  )
  try {
    assert.ok(await until(() => existsSync(socket) || undefined, 20_000), 'rsyslogd did not start')
    const writer = openSyslog(
      { facility: 'local3', processName: 'postern', pid: 4711, timestamp: false, now: () => new Date() },
      socket,
    )
    assert.ok(typeof writer !== 'string', String(writer))
    writer('main', '2026-11-24 02:40:06 1xXYpe-0005zJ-2y <= a@b.example')
    writer('reject', '2026-11-24 02:40:06 refused')
    writer('panic', `2026-11-24 02:40:06 ${'x'.repeat(900)}`)
    const seen = await until(() => {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
      return text.split('\n').length > 4 ? text : undefined
    }, 20_000)
    assert.deepEqual(seen?.trimEnd().split('\n'), [
      'local3.info postern[4711]: 1xXYpe-0005zJ-2y <= a@b.example',
      'local3.notice postern[4711]: refused',
      `local3.alert postern[4711]: [1/2] ${'x'.repeat(870)}`,
      `local3.alert postern[4711]: [2/2] ${'x'.repeat(30)}`,
    ])
  } finally {
    daemon.kill('SIGTERM')
    folder.remove()
  }
})
