/** What a test file can state: each kind of fact and of answer, in the real engine. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('test-world')
after(() => folder.remove())

const configuration = `
primary_hostname = mail.example.net
log_selector = +dkim_verbose
domainlist local_domains = example.net
auth_advertise_hosts = *
tls_advertise_hosts = *
hosts_proxy = 10.0.0.1
acl_smtp_connect = conn
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
conn:
  deny  condition = \${if eq{$proxy_session}{yes}}
        condition = \${if eq{$proxy_external_port}{2500}}
        message = not on this port
  accept
rcpt:
  accept authenticated = *
         message = hello $authenticated_id
  accept local_parts = limited
         ratelimit = 1 / 1h / strict / per_cmd / $sender_address
         message = slow
  defer  local_parts = grey
        !seen = -5m / key=$sender_address
         message = greylisted
  require verify = recipient/callout
  deny   local_parts = spf
         spf = fail
         message = spf $spf_result for $sender_address_domain
  deny   local_parts = here
         hosts = localhost
         message = from this host
  deny   local_parts = command
         message = says \${run{/usr/bin/whoami now}}
  deny   local_parts = pam
         message = PAM: \${if pam{$sender_address_local_part:secret}{yes}{no}}
  deny   local_parts = socket
         message = says \${readsocket{/run/answer}{what}{5s}}
  deny   local_parts = sql
         message = quota \${lookup pgsql{SELECT quota FROM u WHERE a='\${quote_pgsql:$sender_address}'}}
  deny   local_parts = ldap
         message = phone \${lookup ldap{ldap:///o=x?phone?sub?(mail=\${quote_ldap:$sender_address})}}
  deny   local_parts = time
         message = at $tod_zulu
  deny   local_parts = dice
         message = drew \${randint:6}\${randint:6}
  deny   local_parts = packet
         udpsend = <; 127.0.0.1 ; 514 ; from $sender_address
         message = sent
  deny   local_parts = tls
         message = $tls_in_cipher $tls_in_sni $received_protocol
  deny   local_parts = macro
         message = MACRO
  deny   local_parts = who
         message = \${lookup passwd{alice}}
  deny   local_parts = list
         condition = \${lookup{$sender_address_domain}dsearch{/etc/domains}{yes}}
         message = in the folder
  accept
begin routers
remote:
  driver = manualroute
  domains = far.example
  route_list = * mx.far.example byname
  transport = smtp
local:
  driver = accept
  domains = +local_domains
  transport = discard
begin transports
smtp:
  driver = smtp
discard:
  driver = appendfile
  file = /dev/null
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{$auth3}{\${lookup redis{GET pass:$auth2}}}}
  server_set_id = $auth2
`

interface Fact {
  readonly says: string
  readonly yaml: string
  /** Of the output, when the test is to fail. */
  readonly fails?: RegExp
}

const facts: readonly Fact[] = [
  {
    says: 'SPF asks the DNS of the file',
    yaml: `mail: a@b.example\nrcpt: spf@example.net\nworld: {dns: {b.example: {TXT: "v=spf1 ip4:198.51.100.1 -all"}}}\nexpect: 550 spf fail for b.example`,
  },
  {
    says: 'the keys of DKIM signatures come from the DNS of the file',
    yaml: `mail: a@b.example\nrcpt: x@example.net\nworld: {dns: {s._domainkey.b.example: nxdomain}}\nmessage: |\n  DKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=s; c=relaxed/relaxed; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YWJj\n  From: a@b.example\n\n  text\nexpect: {reply: accepted, log: "DKIM: d=b.example s=s"}`,
  },
  {
    says: 'a host list names localhost',
    yaml: `from: 127.0.0.1\nmail: a@b.example\nrcpt: here@example.net\nexpect: 550 from this host`,
  },
  {
    says: 'localhost may be stated otherwise',
    yaml: `from: 127.0.0.1\nmail: a@b.example\nrcpt: here@example.net\nworld: {dns: {localhost: {A: 192.0.2.1, AAAA: nodata}}}\nexpect: accepted`,
  },
  {
    says: 'a command prints what is stated',
    yaml: `mail: a@b.example\nrcpt: command@example.net\nworld: {commands: {/usr/bin/whoami now: nobody}}\nexpect: 550 says nobody`,
  },
  {
    says: 'what PAM says',
    yaml: `mail: a@b.example\nrcpt: pam@example.net\nworld: {commands: {pam a: 'yes'}}\nexpect: "550 PAM: yes"`,
  },
  {
    says: 'that PAM refuses',
    yaml: `mail: a@b.example\nrcpt: pam@example.net\nworld: {commands: {pam a: 'no'}}\nexpect: "550 PAM: no"`,
  },
  {
    says: 'a command that is not stated is not run',
    yaml: `mail: a@b.example\nrcpt: command@example.net\nexpect: refused`,
    fails: /not stated: the command \/usr\/bin\/whoami now/,
  },
  {
    says: 'a socket answers what is stated',
    yaml: `mail: a@b.example\nrcpt: socket@example.net\nworld: {sockets: {/run/answer: pong}}\nexpect: 550 says pong`,
  },
  {
    says: 'a socket that is not stated is not opened',
    yaml: `mail: a@b.example\nrcpt: socket@example.net\nexpect: {}`,
    fails: /not stated: the socket \/run\/answer, asked "what"/,
  },
  {
    says: 'an SQL query is answered by a pattern',
    yaml: `mail: o'neil@b.example\nrcpt: sql@example.net\nworld: {lookups: {pgsql: {"/a='o''neil@b\\\\.example'$/": 100}}}\nexpect: 550 quota 100`,
  },
  {
    says: 'an LDAP query is answered',
    yaml: `mail: a@b.example\nrcpt: ldap@example.net\nworld: {lookups: {ldap: {/mail=a%40b.example/: 555}}}\nexpect: 550 phone 555`,
  },
  {
    says: 'a database that is away gives the reason stated',
    yaml: `mail: a@b.example\nrcpt: sql@example.net\nworld: {lookups: {pgsql: {/^SELECT/: {defer: gone}}}}\nexpect: {panic_log: gone}`,
  },
  {
    says: 'the clock stands where it is set',
    yaml: `mail: a@b.example\nrcpt: time@example.net\nworld: {time: 2026-02-03T04:05:06Z}\nexpect: 550 at 20260203040506Z`,
  },
  {
    says: 'times are those of UTC wherever the test runs',
    yaml: `expand: $tod_full\nworld: {time: 2026-02-03T04:05:06Z}\nexpect: "Tue, 03 Feb 2026 04:05:06 +0000"`,
  },
  {
    says: 'chance draws the numbers that are stated',
    yaml: `mail: a@b.example\nrcpt: dice@example.net\nworld: {random: [4, 2]}\nexpect: 550 drew 42`,
  },
  {
    says: 'a UDP packet is not sent, and can be expected',
    yaml: `mail: a@b.example\nrcpt: packet@example.net\nexpect: {reply: 550 sent, packets: "127.0.0.1:514 from a@b.example"}`,
  },
  {
    says: 'TLS has the facts that are stated',
    yaml: `mail: a@b.example\nrcpt: tls@example.net\nworld: {tls: {cipher: "TLS1.3:SOME:256", sni: here.example}}\nexpect: 550 TLS1.3:SOME:256 here.example esmtps`,
  },
  {
    says: 'a macro is defined for the file',
    yaml: `mail: a@b.example\nrcpt: macro@example.net\nexpect: 550 from the file`,
  },
  {
    says: 'users are those that are stated',
    yaml: `mail: a@b.example\nrcpt: who@example.net\nworld: {users: {alice: {uid: 1234, home: /h/alice}}}\nexpect: {reply: {contains: "1234:1234"}}`,
  },
  {
    says: 'a folder has the files that are stated',
    yaml: `mail: a@b.example\nrcpt: list@example.net\nworld: {files: {/etc/domains: {folder: true}, /etc/domains/b.example: ""}}\nexpect: 550 in the folder`,
  },
  {
    says: 'a stated client has authenticated itself',
    yaml: `mail: a@b.example\nrcpt: x@example.net\nworld: {authenticated: {id: alice, by: plain}}\nexpect: 250 hello alice`,
  },
  {
    says: 'AUTH asks the configuration’s own authenticators',
    yaml: `dialogue:\n- EHLO x.example: {contains: AUTH PLAIN}\n- AUTH PLAIN AGFsaWNlAHNlY3JldA==: 235\n- MAIL FROM:<a@b.example>: 250\n- RCPT TO:<x@example.net>: 250 hello alice\nworld: {lookups: {redis: {GET pass:alice: secret}}}\nexpect: {variables: {authenticated_id: alice}}`,
  },
  {
    says: 'a wrong password is refused',
    yaml: `dialogue:\n- EHLO x.example\n- AUTH PLAIN AGFsaWNlAHdyb25n: 535\nworld: {lookups: {redis: {GET pass:alice: secret}}}\nexpect: {log: 535 Incorrect authentication data}`,
  },
  {
    says: 'what the PROXY protocol told is known',
    yaml: `helo: x\nworld: {proxy: {local_address: 10.0.0.1, external_address: 192.0.2.9, external_port: 2500}}\nexpect: {replies: {connect: 550 not on this port}, decided_by: proxy_external_port}`,
  },
  {
    says: 'a proxy without a header is served nothing',
    yaml: `dialogue:\n- EHLO x: 503\nworld: {proxy: {failed: true}}\nexpect: {}`,
  },
  {
    says: 'a callout gets the stated reply',
    yaml: `mail: a@b.example\nrcpt: x@far.example\nworld: {dns: {mx.far.example: {A: 192.0.2.77}}, callouts: {x@far.example: 550 nobody here}}\nexpect: {reply: [550, nobody here], log: "mx.far.example [192.0.2.77] : SMTP error from remote mail server after RCPT TO:<x@far.example>: 550 nobody here"}`,
  },
  {
    says: 'a callout that is not stated fails the test',
    yaml: `mail: a@b.example\nrcpt: x@far.example\nworld: {dns: {mx.far.example: {A: 192.0.2.77}}}\nexpect: {}`,
    fails: /not stated: a callout about x@far\.example\n[^]*callouts:\n +x@far\.example: ok/,
  },
  {
    says: 'time passes in a dialogue, and a greylist sees it',
    yaml: `dialogue:\n- EHLO x.example\n- MAIL FROM:<a@b.example>\n- RCPT TO:<grey@example.net>: 451 greylisted\n- wait: 1m\n- RCPT TO:<grey@example.net>: 451\n- wait: 6m\n- RCPT TO:<grey@example.net>: 250\nexpect: {}`,
  },
  {
    says: 'an address is routed',
    yaml: `route: x@far.example\nworld: {dns: {mx.far.example: {A: 192.0.2.77}}}\nexpect: {router: remote, transport: smtp, hosts: "mx.far.example [192.0.2.77]"}`,
  },
  {
    says: 'an address that should fail and does not',
    yaml: `route: x@example.net\nexpect: {fails: Unrouteable}`,
    fails: /expected +Unrouteable\n +found +x@example\.net goes to discard by local/,
  },
  {
    says: 'an expansion that fails can be expected to',
    yaml: `expand: "\${if eq{a}}"\nexpect: {fails: "{"}`,
  },
  {
    says: 'a step of a dialogue to which it does not come',
    yaml: `dialogue:\n- EHLO x.example\n- QUIT: 221\n- NOOP: 250\nexpect: {}`,
    fails: /the reply to NOOP [^]*the connection was closed before/,
  },
]

test('each fact and answer of a world is what the engine sees', () => {
  writeFileSync(join(folder.path, 'exim.conf'), configuration)
  const indented = (yaml: string): string => yaml.split('\n').join('\n  ')
  const tests = facts.map(({ says, yaml }) => `- name: ${JSON.stringify(says)}\n  ${indented(yaml)}\n`)
  const file = join(folder.path, 'world.postern-test.yaml')
  writeFileSync(
    file,
    `configuration: exim.conf\nmacros: {MACRO: from the file}\nworld: {client: {name: null}}\ntests:\n${tests.join('')}`,
  )
  const { stdout, stderr } = spawnSync(process.execPath, [postern, 'test', file], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, TZ: 'America/New_York' },
  })
  assert.equal(stderr, '')
  const wrong: string[] = []
  for (const { says, fails } of facts) {
    const at = stdout.indexOf(` ${says}`)
    assert.ok(at > 0, `${says}:\n${stdout}`)
    const line = stdout.slice(stdout.lastIndexOf('\n', at) + 1)
    const told = line.slice(0, line.search(/\n {2}(?:ok|FAIL) |\n\n/))
    if (!(fails ?? /^ {2}ok /).test(told)) wrong.push(told)
  }
  assert.ok(wrong.length === 0, wrong.join('\n'))
})
