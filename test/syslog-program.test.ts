/** The program writes to /dev/log: a namespace of its own has one, behind which a real rsyslog listens. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fetchDebian, wrapper } from './support/debian.ts'
import { postern, temporaryFolder, until } from './support/server.ts'

const fetched = fetchDebian(['rsyslog', 'libestr0', 'libfastjson4'])
const namespaces = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0

test('log_file_path = syslog: the program writes to /dev/log, lines for two logs once or twice as syslog_duplication says', {
  skip: 'missing' in fetched ? fetched.missing : namespaces ? false : 'needs root and mount namespaces',
}, async (t) => {
  if ('missing' in fetched) return
  const folder = temporaryFolder('devlog')
  chmodSync(folder.path, 0o777)
  const at = (name: string): string => join(folder.path, name)
  const modules = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
    .map((each) => join(fetched.root, 'usr/lib', each, 'rsyslog'))
    .find((each) => existsSync(each))
  writeFileSync(
    at('rsyslog.conf'),
    `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${at('socket')}" UseSysTimeStamp="off" RateLimit.Interval="0")
template(name="all" type="string" string="%syslogfacility-text%.%syslogseverity-text% %programname%%msg%\\n")
action(type="omfile" file="${at('messages')}" template="all")
`,
  )
  const daemon = spawn(
    wrapper(fetched.root, 'usr/sbin/rsyslogd'),
    ['-n', '-f', at('rsyslog.conf'), '-i', at('pid'), '-M', modules ?? ''],
    { stdio: 'ignore' },
  )
  try {
    assert.ok(await until(() => existsSync(at('socket')) || undefined, 20_000), 'rsyslogd did not start')
    chmodSync(at('socket'), 0o666)
    writeFileSync(
      at('inside'),
      `#!/bin/sh
set -e
mkdir -p ${at('dev')}
mount -t tmpfs tmpfs ${at('dev')}
for each in null zero full random urandom tty; do : > ${at('dev')}/$each; mount --bind /dev/$each ${at('dev')}/$each; done
ln -s /proc/self/fd ${at('dev')}/fd
ln -s ${at('socket')} ${at('dev')}/log
mount --rbind ${at('dev')} /dev
exec ${postern} "$@"
`,
    )
    const session = 'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nQUIT\r\n'
    const seen: string[][] = []
    for (const duplication of ['true', 'false']) {
      const before = existsSync(at('messages')) ? readFileSync(at('messages'), 'utf8').length : 0
      writeFileSync(
        at('conf'),
        `spool_directory = ${at('spool')}
log_file_path = syslog
syslog_duplication = ${duplication}
syslog_facility = local3
syslog_processname = posterntest
primary_hostname = mx.example
acl_smtp_rcpt = deny message = no
`,
      )
      const done = spawnSync(
        'unshare',
        ['-m', '/bin/sh', at('inside'), '-C', at('conf'), '-bs', '-oMa', '192.0.2.1'],
        {
          encoding: 'latin1',
          input: session,
          timeout: 60_000,
        },
      )
      if (/mount: .*permission denied/i.test(done.stderr)) return t.skip('mount is not allowed here')
      assert.match(done.stdout, /^550 no/m, done.stderr)
      const text = await until(() => {
        const all = existsSync(at('messages')) ? readFileSync(at('messages'), 'utf8').slice(before) : ''
        return all.split('\n').length > (duplication === 'true' ? 2 : 1) ? all : undefined
      }, 20_000)
      seen.push(
        (text ?? '')
          .trimEnd()
          .split('\n')
          .filter((line) => /rejected RCPT/.test(line)),
      )
    }
    const line =
      / posterntest \d{4}-\d\d-\d\d \d\d:\d\d:\d\d H=.*\[192\.0\.2\.1\].* rejected RCPT <c@d\.example>: no$/
    for (const each of seen.flat()) assert.match(each, line)
    assert.deepEqual(
      seen.map((lines) => lines.map((each) => each.split(' ')[0] ?? '')),
      [['local3.info', 'local3.notice'], ['local3.notice']],
    )
  } finally {
    daemon.kill('SIGTERM')
    folder.remove()
  }
})
