import assert from 'node:assert/strict'
import { dns, readIfThere, shell, typeAndCompare, type Walk, write } from '../world.ts'
import { assertShown, commandOf } from '../page.ts'

const configuration = `primary_hostname = mx.example.net
domainlist local_domains = example.net
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_data = acl_check_data
host_lookup =
tls_advertise_hosts =
begin acl
acl_check_rcpt:
  deny    dnslists = zen.example.org
  deny    message = sender is locally blacklisted
          senders = bad@example.org
  defer   message = greylisted
          local_parts = grey
          condition = \${if <{$tod_epoch}{1768478700}}
  require message = relay not permitted
          domains = +local_domains
  accept
acl_check_data:
  warn    add_header = X-Spam-Score: 5
          remove_header = X-Internal
          set acl_m_kind = clear
  accept
begin routers
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
local_user:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
remote_smtp:
  driver = smtp
maildir:
  driver = appendfile
  directory = /home/bill/Maildir
  maildir_format
  user = bill
`
const world =
  'world:\n  client: {address: 203.0.113.5, name: mail.example.org}\n  dns: {5.113.0.203.zen.example.org: nxdomain}\n'

export const testing: Walk = {
  async walk(page) {
    write('/etc/exim4/exim4.conf', configuration.replace(/ {2}deny {4}dnslists.*\n/, ''))
    const first = page.take(
      'relay.postern-test.yaml'.slice(0, 0),
      'configuration: /etc/exim4/exim4.conf',
      'tests:',
    )
    write('/root/relay.postern-test.yaml', first)
    await typeAndCompare(page.take('postern test relay.postern-test.yaml'), { status: 0 })
    const failing = page.take('FAIL')
    write(
      '/etc/exim4/exim4.conf',
      configuration.replace(/ {2}deny {4}dnslists.*\n/, '').replace(/ {2}require[\s\S]*?local_domains\n/, ''),
    )
    assertShown(failing, (await shell('postern test')).all)
    write('/etc/exim4/exim4.conf', configuration)
    assertShown(page.take('not stated: the DNS'), (await shell('postern test')).all, [
      [/ {2,}# or .*/, '\\s+# or .*'],
    ])

    const dialogue = page.take('dialogue:', 'wait: 6m')
    const indented = (text: string, by = '  '): string => text.replace(/^(?=.)/gm, by)
    write(
      '/root/relay.postern-test.yaml',
      `configuration: /etc/exim4/exim4.conf\n${world}  time: 2026-01-15T12:00:00Z\ntests:\n- name: x\n${indented(dialogue.replaceAll('b@example.net', 'grey@example.net'))}  expect: {replies: {message: 250}}\n`,
    )
    const played = await shell('postern test')
    assert.equal(played.status, 0, played.all)

    const [byReply = '', byRoute = ''] = page.take('decided_by', '# of route:').split('# of route:\n')
    const message = 'X-Internal: 1\\nSubject: hello\\n\\ntext\\n'
    write(
      '/root/relay.postern-test.yaml',
      `configuration: /etc/exim4/exim4.conf\n${world}tests:\n- name: all that can be said\n  mail: bob@example.org\n  helo: client.example\n  rcpt: [c@elsewhere.example, alice@example.net]\n  message: "${message}"\n${indented(byReply)}`,
    )
    const said = await shell('postern test')
    assert.equal(said.status, 0, said.all)
    const routes = byRoute
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +#.*$/, ''))
    assert.equal(routes.length, 2)
    write(
      '/root/relay.postern-test.yaml',
      `configuration: /etc/exim4/exim4.conf\n${world.trimEnd().replace(/ {2}dns: \{/, '  dns: {example.com: {MX: 10 mx.example.com}, mx.example.com: {A: 192.0.2.1}, none.example: nxdomain, ')}\ntests:\n- name: a\n  route: carol@example.com\n  ${routes[0]}\n- name: b\n  route: carol@none.example\n  ${routes[1]}\n`,
    )
    const routed = await shell('postern test')
    assert.equal(routed.status, 0, routed.all)

    write(
      '/root/relay.postern-test.yaml',
      first.replace('dns: {', 'dns: {5.113.0.203.zen.example.org: nxdomain, '),
    )
    write('/root/new.conf', configuration)
    const [typed = '', printed = ''] = page.take('--watch', '--coverage', '--junit').split('\n\n')
    const commands = typed.trim().split('\n')
    assert.equal(commands.length, 5)
    for (const command of commands) {
      const bounded = command.includes('--watch')
        ? `timeout 10 bash -c "${command}" || test $? = 124`
        : command
      const { status, all } = await shell(bounded)
      assert.equal(status, 0, `${command}\n${all}`)
    }
    assert.match(readIfThere('/root/results.xml'), /<testsuite/)
    assertShown(printed.replace(/^ {2}never.*\n/gm, ''), (await shell('postern test --coverage')).all, [
      [/\d+ of \d+/, '\\d+ of \\d+'],
    ])
    assert.match(
      (await shell('postern test --coverage')).all,
      /^ {2}never {2}\/etc\/exim4\/exim4\.conf:\d+ +ACL acl_check_rcpt: /m,
    )

    write('/root/exim4.conf', configuration.replace(/ {2}deny {4}dnslists.*\n/, ''))
    const recorded = await shell(page.take('--record --from'))
    assert.equal(recorded.status, 0, recorded.all)
    assert.equal((await shell('postern test x.postern-test.yaml')).status, 0)
    page.take('--record ID')

    const { command, prints } = commandOf(page.take('postern replay /var/lib/sessions'))
    await dns({
      '5.113.0.203.bl.example A': [{ type: 'A', data: '127.0.0.2' }],
      '5.113.0.203.bl.example TXT': [{ type: 'TXT', data: ['spam source'] }],
    })
    const plain = configuration.replace(/ {2}deny {4}dnslists.*\n/, '')
    const listed = (verb: string): string =>
      plain.replace(
        'acl_check_rcpt:\n',
        `acl_check_rcpt:\n  ${verb} dnslists = bl.example\n       message = listed: $dnslist_text\n`,
      )
    write('/root/exim4.conf', listed('warn'))
    write('/root/new.conf', listed('deny'))
    const kept = await shell(
      'mkdir -p /var/lib/sessions && postern test --record --from 203.0.113.5 --mail bob@example.org --rcpt alice@example.net -C exim4.conf > /var/lib/sessions/17.yaml && cp /var/lib/sessions/17.yaml /var/lib/sessions/18.yaml',
    )
    assert.equal(kept.status, 0, kept.all)
    const replayed = await shell(command)
    assert.equal(replayed.status, 1, replayed.all)
    assertShown(prints, replayed.all, [
      [/new\.conf:\d+/, '\\S*new\\.conf:\\d+'],
      [/\b212 of 10000 sessions differ/, '2 of 2 sessions differ'],
      [/\b212\b/, '2'],
    ])
  },
}
