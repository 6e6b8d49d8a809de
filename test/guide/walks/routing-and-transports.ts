import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { startRemoteHost } from '../../support/remote-host.ts'
import { atEnd, dns, logged, mail, restart, shell, typeAndCompare, type Walk, write } from '../world.ts'

const main =
  'acl_smtp_rcpt = accept\nhost_lookup =\nqualify_domain = example.com\nprimary_hostname = mx.example.com\nlocal_interfaces = 127.0.0.1\ndomainlist local_domains = example.com\nsmtputf8_advertise_hosts = *\n'
const localuser = `localuser:
  driver = accept
  domains = +local_domains
  check_local_user
  transport = local_delivery
`
const dnslookup = `dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
`
const local = 'local_delivery:\n  driver = appendfile\n  file = /var/mail/$local_part_data\n'
const retry = '* * F,1h,15m\n'

export const routingAndTransports: Walk = {
  hostname: 'mx.example.com',
  async walk(page) {
    const a = (data: string) => [{ type: 'A', data }]
    const mx = (preference: number, exchange: string) => ({ type: 'MX', data: { preference, exchange } })
    await dns({
      'example.org MX': [mx(10, 'mx1.example.org'), mx(20, 'mx2.example.org')],
      'mx1.example.org A': a('192.0.2.1'),
      'mx2.example.org A': a('192.0.2.2'),
    })
    const sales =
      'sales:\n  driver = redirect\n  domains = +local_domains\n  local_parts = sales\n  data = bill\n'
    const smtp = 'remote_smtp:\n  driver = smtp\n'
    await restart({ main, routers: sales + localuser + dnslookup, transports: local + smtp, retry })
    await typeAndCompare(page.take('exim -bt sales@example.com'))

    const answers = page.take('accept transport=', 'redirect ', 'decline').trim().split('\n')
    assert.equal(answers.length, 3)
    const [accept = '', redirect = '', others = ''] = answers
    const program = (answer: string): void => write('/srv/route', `#!/bin/sh\necho '${answer}'\n`, 0o755)
    const query =
      'program:\n  driver = queryprogram\n  command = /srv/route $local_part_data\n  command_user = nobody\n  domains = ! +local_domains\n  local_parts = *\n  address_data = x\n'
        .replace(' $local_part_data', '')
        .replace('  local_parts = *\n  address_data = x\n', '')
    await restart({ main, routers: query + localuser, transports: local + smtp, retry })
    const route = async (answer: string): Promise<string> => {
      program(answer)
      return (await shell('exim -bt x@far.example')).all
    }
    const hosts = await route(
      accept.replaceAll('relay2.example', '192.0.2.2').replaceAll('relay.example', '192.0.2.1'),
    )
    assert.match(
      hosts,
      /router = program, transport = remote_smtp\n\s+host 192\.0\.2\.1 .*\n\s+host 192\.0\.2\.2/,
    )
    assert.match(await route(redirect), /bill@example\.com\n\s+<-- x@far\.example/)
    const says: Readonly<Record<string, RegExp>> = {
      decline: /undeliverable: Unrouteable address/,
      pass: /undeliverable|pass/,
      'defer TEXT': /cannot be resolved at this time: TEXT/,
      'fail TEXT': /undeliverable: TEXT/,
      'freeze TEXT': /cannot be resolved at this time: TEXT/,
    }
    for (const answer of others.split(' | ')) assert.match(await route(answer), says[answer] ?? /^$/, answer)

    const [full = '', locked = '', owner = ''] = page.take('mailbox is full').trim().split('\n')
    const mbox = (more: string): string => `${local}${more}`
    await restart({ main, routers: localuser, transports: mbox('  quota = 10\n'), retry })
    await mail({ to: 'bill@example.com' })
    await logged(full)
    write('/var/mail/bill.lock', 'x')
    await restart({
      main,
      routers: localuser,
      transports: mbox('  lock_retries = 1\n  lock_interval = 1s\n'),
      retry,
    })
    await mail({ to: 'bill@example.com' })
    await logged(locked)
    await shell(
      'rm -f /var/mail/bill.lock; rm -f /var/mail/bill; touch /var/mail/bill; chown root /var/mail/bill',
    )
    await mail({ to: 'bill@example.com' })
    await logged(owner, [[/0 != 1000/, '0 != 4711']])

    const filter = (command: string) => ({
      main,
      routers: 'filter:\n  driver = accept\n  check_local_user\n  transport = T\n',
      transports: `T:\n  driver = pipe\n  command = ${command}\n`,
      retry,
    })
    const [gone = '', later = ''] = page.take('Child process of pipe transport').trim().split('\n')
    const piped = page.name === '' ? '' : 'pipe'
    for (const [code, line] of [
      [3, gone],
      [75, later],
    ] as const) {
      write('/usr/bin/filter', `#!/bin/sh\ncat > /dev/null\nexit ${code}\n`, 0o755)
      const configuration = filter('/usr/bin/filter')
      await restart({
        ...configuration,
        routers: configuration.routers.replace('= T', `= ${piped}`),
        transports: configuration.transports.replace('T:', `${piped}:`),
      })
      await mail({ to: 'bill@example.com' })
      await logged(line)
    }

    const failed = page.take('transport filter process failed')
    write('/usr/local/bin/footer', '#!/bin/sh\ncat > /dev/null\nexit 1\n', 0o755)
    await shell('rm -f /var/mail/bill')
    await restart({
      main,
      routers: localuser,
      transports: mbox('  transport_filter = /usr/local/bin/footer $pipe_addresses\n'),
      retry,
    })
    await mail({ to: 'bill@example.com' })
    await logged(failed)

    const [prdr = '', utf8 = ''] = page.take('PRDR C="250 taken"').trim().split('\n')
    const first = await startRemoteHost(
      {
        offers: ['PIPELINING', 'PRDR'],
        each: () => '250 taken',
        reply: (line) => (line === 'end' ? '250 taken' : undefined),
      },
      25,
      ['192.0.2.1'],
    )
    atEnd(() => first.close())
    await restart({ main, routers: dnslookup, transports: `${smtp}  hosts_try_prdr = *\n`, retry })
    await mail({ to: ['ann@example.org', 'bob@example.org'] })
    await logged(prdr)
    const { all } = await shell(
      "printf 'EHLO x\\r\\nMAIL FROM:<a@b.example> SMTPUTF8\\r\\nRCPT TO:<us\\303\\251r@example.org>\\r\\nDATA\\r\\nSubject: x\\r\\n\\r\\nx\\r\\n.\\r\\nQUIT\\r\\n' | exim -bs -odi",
    )
    assert.match(all, /^250 OK id=/m)
    await logged(utf8)
    void mkdirSync
    void writeFileSync
  },
}
