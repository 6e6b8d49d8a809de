import assert from 'node:assert/strict'
import { symlinkSync } from 'node:fs'
import { fetchDebian } from '../../support/debian.ts'
import { until } from '../../support/server.ts'
import { assertShown } from '../page.ts'
import {
  configure,
  logged,
  logs as logsOf,
  mail,
  readIfThere,
  restart,
  session,
  shell,
  stop,
  type Walk,
  waitMs,
} from '../world.ts'

const configuration = {
  main: 'primary_hostname = mx.example.org\nacl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\n',
  acl: 'acl_check_rcpt:\n  deny senders = *@spammer.example\n       message = we do not want your mail\n  accept\n',
  routers: 'mailboxes:\n  driver = accept\n  local_parts = ! nobody\n  transport = maildir\n',
  transports:
    'maildir:\n  driver = appendfile\n  directory = /home/bill/Maildir\n  maildir_format\n  user = bill\n',
}

const fetchTools = () => fetchDebian(['exim4-base'])

export const logs: Walk = {
  needs: [fetchTools],
  async walk(page) {
    const tools = fetchTools()
    const paths = page
      .take('log_file_path')
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('#'))
    assert.equal(paths.length, 3)
    for (const path of paths) {
      await configure(configuration, { main: `${path}\n` })
      const { all, status } = await shell('sendmail -odi anna@example.org', {
        input: 'Subject: x\n\nhello\n',
      })
      assert.equal(status, 0, all)
      const seen = path.includes('stderr') ? all : readIfThere('/var/log/postern/mainlog')
      assert.match(seen, /=> anna <anna@example\.org>/, `${path}\n${all}`)
    }
    const lines = page.take('<= bill@example.org', 'Completed')
    const selector = page.take('log_selector')
    await restart(configuration, { main: selector })
    await mail({ from: 'bill@example.org', to: ['anna@example.org', 'nobody@example.org'], helo: 'vm' })
    await logged(lines)
    const id = /(\S+) <= bill@example\.org/.exec(logsOf())?.[1] ?? ''
    const whole = / <= bill@example\.org [^]*=> anna <anna@example\.org>[^]*Completed/
    assert.match((await shell(page.take('postern log').trim().replace(/\S+$/, id))).all, whole)
    const [form = '', exigrep = ''] = page.take('message_id_form', 'exigrep').split('\n\n')
    await restart(configuration, { main: `${form}\n` })
    await mail({ from: 'bill@example.org', to: 'anna@example.org' })
    assert.ok(
      await until(() => (/-\w{6}-\w\w Completed/.test(logsOf()) ? true : undefined), waitMs),
      logsOf(),
    )
    if ('root' in tools) symlinkSync(`${tools.root}/usr/sbin/exigrep`, '/usr/local/bin/exigrep')
    assert.match((await shell(exigrep.trim())).all, whole)
    const json = page.take('log_format_json')
    await restart(configuration, { main: json })
    await session(['HELO vm', 'MAIL FROM:<x@spammer.example>', 'RCPT TO:<anna@example.org>', 'QUIT'])
    await mail({ to: 'anna@example.org' })
    const file = '/var/log/postern/json'
    assert.ok(
      await until(() => (readIfThere(file).includes('"event":"delivery"') ? true : undefined), waitMs),
      readIfThere(file),
    )
    await stop()
    assertShown(page.take('"decidedBy"'), readIfThere(file), [
      [/"trace":"\w+"/, '"trace":"\\w+"'],
      [/"file":"exim\.conf","line":\d+/, '"file":"\\S+","line":\\d+'],
    ])
  },
}
