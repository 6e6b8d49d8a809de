import assert from 'node:assert/strict'
import { until } from '../../support/server.ts'
import { assertShown } from '../page.ts'
import {
  compose,
  configure,
  mail,
  readIfThere,
  restart,
  session,
  shell,
  stop,
  type Walk,
  waitMs,
  write,
} from '../world.ts'

const configuration = {
  main: 'primary_hostname = mx.example.org\nacl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\n',
  acl: 'acl_check_rcpt:\n  deny senders = *@spammer.example\n       message = we do not want your mail\n  accept\n',
  routers: 'mailboxes:\n  driver = accept\n  transport = maildir\n',
  transports:
    'maildir:\n  driver = appendfile\n  directory = /home/bill/Maildir\n  maildir_format\n  user = bill\n',
}

export const logs: Walk = {
  async walk(page) {
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
    void compose
    void write
  },
}
