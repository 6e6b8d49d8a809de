import assert from 'node:assert/strict'
import { until } from '../../support/server.ts'
import { assertShown, commandOf } from '../page.ts'
import { logged, logs, mail, readIfThere, restart, shell, type Walk, waitMs, write } from '../world.ts'

const base = {
  main: 'acl_smtp_rcpt = accept\nhost_lookup =\nqualify_domain = example.com\nprimary_hostname = mx.example.com\n',
  routers: '',
  retry: '* * F,1h,15m\n',
}
const inbox = 'localuser:\n  driver = accept\n  check_local_user\n  transport = local_delivery\n'
const transports = `local_delivery:
  driver = appendfile
  file = /home/$local_part_data/inbox
address_pipe:
  driver = pipe
address_reply:
  driver = autoreply
address_directory:
  driver = appendfile
  maildir_format
`
const plainFile = 'address_file:\n  driver = appendfile\n'

export const filters: Walk = {
  hostname: 'mx.example.com',
  async walk(page) {
    const router = page.take('userforward:')
    await restart(base, { routers: router + inbox }, { transports: transports + plainFile })
    write('/home/bill/.forward', '# Exim filter\nif $h_subject: contains "list" then save mail/lists endif\n')
    write('/home/bill/message', 'From: ann@example.com\nSubject: the list\n\nhello\n')
    await shell('chown -R bill: /home/bill; mkdir -p /home/bill/mail; chown bill: /home/bill/mail')
    const { command, prints } = commandOf(page.take('exim -bf ~/.forward'))
    const { all, status } = await shell(
      `cd /home/bill && setpriv --reuid=bill --regid=bill --clear-groups env HOME=/home/bill USER=bill bash -c '${command}'`,
    )
    assert.equal(status, 0, all)
    assertShown(prints, all)
    await mail({ to: 'bill@example.com', text: 'Subject: the list\n\nhello' })
    await logged('=> /home/bill/mail/lists <bill@example.com> R=userforward T=address_file')

    const file = page.take('address_file:', 'inbox')
    await restart(base, { routers: router + inbox }, { transports: transports + file })
    write(
      '/home/bill/.forward',
      '# Sieve filter\nrequire ["fileinto"];\nif header :contains "subject" "spam" { fileinto "spam"; }\n',
    )
    await shell('chown bill: /home/bill/.forward')
    await mail({ to: 'bill@example.com', text: 'Subject: spam\n\nhello' })
    await mail({ to: 'bill@example.com', text: 'Subject: other\n\nhello' })
    const kept = (): string => readIfThere('/home/bill/mail/spam')
    await until(() => (kept().includes('Subject: spam') ? true : undefined), waitMs)
    assert.match(kept(), /Subject: spam/, logs())
    await logged('=> /var/mail/bill <bill@example.com> R=userforward T=address_file')

    const system = page.take('system_filter')
    write(
      '/etc/postern/system.filter',
      '# Exim filter\nif $h_subject: contains "virus" then fail "<<virus>>Your message held a virus" endif\n',
    )
    await restart(base, { main: system }, { routers: inbox }, { transports: transports + plainFile })
    await mail({ to: 'bill@example.com', text: 'Subject: a virus\n\nhello' })
    await logged('cancelled by system filter: virus')
  },
}
