import assert from 'node:assert/strict'
import { assertFlows, assertShown, commandOf } from '../page.ts'
import { configure, shell, typeAndCompare, type Walk, write } from '../world.ts'

const bad = `primary_hostname = mx.example.org
smtp_acept_max = 50
acl_smtp_rcpt = check_rcpt

begin acl

check_rcpt:
  accept  domains   = example.org
          hosts     = 192.0.2.0/24
  deny    message   = we take no mail for you
          condition = \${if eq{$domain}{example.org}{yes}

begin routers

local:
  driver    = accept
  transport = local_delivery
`

export const configuration: Walk = {
  async walk(page) {
    write('/root/bad.conf', bad)
    await typeAndCompare(page.take('postern check bad.conf'), { status: 1 })

    const tainted = page.take('[taint]')
    const before =
      'begin routers\nall:\n  driver = accept\n  transport = mailbox\nbegin transports\n\nmailbox:\n  driver = appendfile\n'
    const filler = '#\n'.repeat(40 - before.split('\n').length + 1)
    write('/root/exim.conf', `${filler}${before}  file = /var/mail/$local_part\n`)
    assertFlows(tainted, (await shell('postern check exim.conf')).all)

    await configure(
      {
        main: 'acl_smtp_rcpt = acl_check_rcpt\nhost_lookup =\ndomainlist local_domains = example.org\nqualify_domain = example.org\n',
      },
      {
        acl: '\nacl_check_rcpt:\n  deny senders = *@spammer.example\n       message = we do not want your mail\n  require domains = +local_domains\n  accept\n',
      },
      {
        routers: `aliases:
  driver = redirect
  domains = +local_domains
  local_parts = postmaster
  data = anna
mailboxes:
  driver = accept
  domains = +local_domains
  local_parts = anna
  transport = maildir
elsewhere:
  driver = manualroute
  domains = ! +local_domains
  route_list = * 127.0.0.1
  self = send
  transport = remote_smtp
`,
      },
      {
        transports: `maildir:
  driver = appendfile
  directory = /home/bill/$local_part_data
  maildir_format
  user = bill
remote_smtp:
  driver = smtp
`,
      },
    )
    await typeAndCompare(page.take('exim -bt postmaster@example.org'))
    const { command, prints } = commandOf(page.take('exim -bh 192.0.2.9'))
    const { all } = await shell(command, {
      input: 'HELO me\nMAIL FROM:<x@spammer.example>\nRCPT TO:<anna@example.org>\nQUIT\n',
    })
    assertShown(prints, all, [[/\(exim\.conf 11\)/, '\\(\\S+ \\d+\\)']])
    assert.match(all, /550 we do not want your mail/)
  },
}
