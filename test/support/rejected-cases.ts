/**
 * Why was this rejected? One configuration and one dialogue for each case; the comment `#@ name` stands on the line
 * before the statement that decides.
 */
import type { ScriptedRecord, Zone } from './dns-server.ts'

export interface RejectedCase {
  /** The mark of the deciding statement. */
  readonly mark: string
  readonly says: string
  readonly arguments: readonly string[]
  readonly message?: string
  readonly answer: RegExp
  /** What the first screen tells of the values seen. */
  readonly saw: RegExp
}

const txt = (text: string): ScriptedRecord => ({ type: 'TXT', data: [text] })

export const rejectedZone: Zone = {
  'failing.test TXT': [txt('v=spf1 -all')],
  'strict.test TXT': [txt('v=spf1 ip4:192.0.2.99 -all')],
  '_dmarc.strict.test TXT': [txt('v=DMARC1; p=reject')],
  '9.2.0.192.list.test A': [{ type: 'A', data: '127.0.0.2' }],
  '9.2.0.192.list.test TXT': [txt('seen sending spam')],
  'good.test A': [{ type: 'A', data: '192.0.2.50' }],
  'slow.test TXT': 'servfail',
}

export const rejectedConfiguration = (folder: string): string => `primary_hostname = mx.test
domainlist local_domains = here.test
domainlist relay_domains = partner.test
hostlist closed = 192.0.2.66
message_size_limit = 10K
hosts_treat_as_local = mx.test
hide mysql_servers = db/mail/reader/verysecret
FROM_RULE = sender_domains = macro.test
acl_smtp_connect = acl_connect
acl_smtp_helo = acl_helo
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_predata = acl_predata
acl_smtp_data = acl_data
host_reject_connection = 192.0.2.77

begin acl
acl_connect:
#@ connect
  drop hosts = +closed
       message = your network is closed
  accept

acl_helo:
#@ helo
  deny condition = \${if match{$sender_helo_name}{\\N^\\d+\\N}}
       message = say a name
  accept

acl_mail:
#@ mail
  deny senders = ^spam.*@
       message = no $sender_address
  accept

acl_rcpt:
#@ local part
  deny local_parts = ^[./|]
       message = restricted characters in address
#@ dnslist
  deny dnslists = list.test
       message = $sender_host_address is listed at $dnslist_domain: $dnslist_text
#@ spf
  deny spf = fail
       message = $spf_smtp_comment
#@ lookup
  deny senders = lsearch*@;${folder}/blocked
       message = you are on our list
#@ file value
  deny condition = \${lookup{$sender_address_domain}lsearch{${folder}/wishes}{\${if eq{$value}{no}}}{no}}
#@ macro
  deny FROM_RULE
#@ defer
  defer sender_domains = greylisted.test
        message = come back later
#@ included
  .include ${folder}/included.acl
#@ nested caller
  require acl = acl_inner \${domain:$sender_address}
#@ negated acl
  deny sender_domains = stranger.test
       !acl = acl_friends
       message = friends only
#@ rate
  defer sender_domains = often.test
        ratelimit = 1.5 / 1h / strict / per_rcpt / $sender_address
        message = not so often
#@ negated
  deny !hosts = 192.0.2.0/24
       sender_domains = inside.test
       message = only from our own network
#@ encrypted
  deny sender_domains = tls.test
       !encrypted = *
       message = use TLS
#@ sender verify
  deny sender_domains = verify.test : nosuch.test
       !verify = sender
#@ discard
  discard sender_domains = hole.test
  accept domains = +local_domains
         endpass
#@ unknown user
         verify = recipient
  accept domains = +relay_domains
#@ helo verify
  require message = relay not permitted
          authenticated = *
  accept

acl_friends:
  accept hosts = 203.0.113.9

acl_inner:
#@ nested
  deny condition = \${if eq{$acl_arg1}{nested.test}}
       message = refused within
  accept

acl_predata:
#@ predata
  deny condition = \${if >{$rcpt_count}{2}}
       message = one at a time
  accept

acl_data:
#@ header syntax
  require verify = header_syntax
#@ dmarc
  deny dmarc_status = reject
       message = $dmarc_status_text
#@ subject
  deny condition = \${if match{$h_subject:}{\\N(?i)cheap\\N}}
       log_message = subject "$h_subject:"
       message = not here
#@ fake
  warn condition = \${if def:h_x-fake:}
       control = fakereject/550 no, thank you
  accept condition = \${if !def:h_x-nothing:}
#@ implicit
  accept hosts = 203.0.113.9

begin routers
aliases:
  driver = redirect
  domains = +local_domains
  data = \${lookup{$local_part}lsearch{${folder}/aliases}}
  allow_fail
users:
  driver = accept
  domains = +local_domains
  local_parts = joe : ann
  transport = local
remote:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote
  no_more

begin transports
local:
  driver = appendfile
  file = ${folder}/mail/$local_part_data
remote:
  driver = smtp
`

export const includedAcl = `#@ in the included file
  deny sender_domains = included.test
       message = from another file
`

const from = (ip: string, ...more: readonly string[]): string[] => ['--from', ip, ...more]
const usual = (sender: string, rcpt: string = 'joe@here.test', ip: string = '192.0.2.1'): string[] =>
  from(ip, '--helo', 'client.test', '--mail', sender, '--rcpt', rcpt)
const mail = (headers: string): string => `From: a@good.test\nTo: joe@here.test\n${headers}\nhello\n`

export const rejectedCases: readonly RejectedCase[] = [
  {
    says: 'a network that is closed',
    mark: 'connect',
    arguments: usual('a@good.test', 'joe@here.test', '192.0.2.66'),
    answer: /550 your network is closed/,
    saw: /192\.0\.2\.66 in host list \+closed: yes/,
  },
  {
    says: 'a HELO name that is a number',
    mark: 'helo',
    arguments: from('192.0.2.1', '--helo', '12', '--mail', 'a@good.test', '--rcpt', 'joe@here.test'),
    answer: /550 say a name/,
    saw: /\$sender_helo_name is "12"/,
  },
  {
    says: 'a sender that a regular expression matches',
    mark: 'mail',
    arguments: usual('spammer@good.test'),
    answer: /550 no spammer@good\.test/,
    saw: /spammer@good\.test in address list \^spam\.\*@: yes/,
  },
  {
    says: 'a local part with a slash',
    mark: 'local part',
    arguments: usual('a@good.test', '/etc@here.test'),
    answer: /550 restricted characters/,
    saw: /\/etc in localpart list .*: yes/,
  },
  {
    says: 'a client in a DNS list, with the name server’s answer',
    mark: 'dnslist',
    arguments: usual('a@good.test', 'joe@here.test', '192.0.2.9'),
    answer: /550 192\.0\.2\.9 is listed at list\.test: seen sending spam/,
    saw: /9\.2\.0\.192\.list\.test A -> 127\.0\.0\.2/,
  },
  {
    says: 'SPF, with the record',
    mark: 'spf',
    arguments: usual('a@failing.test'),
    answer: /550 /,
    saw: /SPF: may 192\.0\.2\.1 send for failing\.test\? -> fail[\s\S]*failing\.test TXT -> "v=spf1 -all"/,
  },
  {
    says: 'a sender in a file',
    mark: 'lookup',
    arguments: usual('bad@blocked.test'),
    answer: /550 you are on our list/,
    saw: /bad@blocked\.test in address list lsearch/,
  },
  {
    says: 'a value from a file',
    mark: 'file value',
    arguments: usual('a@unwished.test'),
    answer: /550 Administrative prohibition/,
    saw: /lsearch unwished\.test in \S+wishes -> found: no/,
  },
  {
    says: 'a condition that a macro holds',
    mark: 'macro',
    arguments: usual('a@macro.test'),
    answer: /550 Administrative prohibition/,
    saw: /macro\.test in domain list macro\.test: yes/,
  },
  {
    says: 'a deferral',
    mark: 'defer',
    arguments: usual('a@greylisted.test'),
    answer: /451 come back later/,
    saw: /greylisted\.test in domain list/,
  },
  {
    says: 'a statement in an included file',
    mark: 'in the included file',
    arguments: usual('a@included.test'),
    answer: /550 from another file/,
    saw: /included\.test in domain list/,
  },
  {
    says: 'a statement of an ACL that another one calls',
    mark: 'nested',
    arguments: usual('a@nested.test'),
    answer: /550 refused within/,
    saw: /\$acl_arg1 is "nested\.test"[\s\S]*called by|called by[\s\S]*\$acl_arg1 is "nested\.test"/,
  },
  {
    says: 'an ACL that must not accept, and does not: the caller refuses',
    mark: 'negated acl',
    arguments: usual('a@stranger.test'),
    answer: /550 friends only/,
    saw: /ACL acl_friends -> deny/,
  },
  {
    says: 'a rate, of this session',
    mark: 'rate',
    arguments: [...usual('a@often.test'), '--rcpt', 'ann@here.test'],
    answer: /451 not so often/,
    saw: /expands to "1\.5 \/ 1h \/ strict \/ per_rcpt \/ a@often\.test"/,
  },
  {
    says: 'a negated condition',
    mark: 'negated',
    arguments: usual('a@inside.test', 'joe@here.test', '203.0.113.5'),
    answer: /550 only from our own network/,
    saw: /203\.0\.113\.5 in host list 192\.0\.2\.0\/24: no/,
  },
  {
    says: 'a connection without TLS',
    mark: 'encrypted',
    arguments: usual('a@tls.test'),
    answer: /550 use TLS/,
    saw: /!encrypted = \*\s+-> true\s+the connection has no TLS/,
  },
  {
    says: 'a sender whose domain does not exist, with the router that says so',
    mark: 'sender verify',
    arguments: usual('a@nosuch.test'),
    answer: /550/,
    saw: /nosuch\.test MX -> nxdomain[\s\S]*remote router/,
  },
  {
    says: 'a message that is thrown away',
    mark: 'discard',
    arguments: usual('a@hole.test'),
    answer: /250 Accepted \(and throws it away\)/,
    saw: /hole\.test in domain list/,
  },
  {
    says: 'a user who does not exist, with the routers that were asked',
    mark: 'unknown user',
    arguments: usual('a@good.test', 'nobody@here.test'),
    answer: /550 Unrouteable address/,
    saw: /users router skipped: local_parts mismatch \(\S+:\d+/,
  },
  {
    says: 'an alias that says :fail:',
    mark: 'unknown user',
    arguments: usual('a@good.test', 'gone@here.test'),
    answer: /550 she left in May/,
    saw: /aliases router.*she left in May/,
  },
  {
    says: 'a relay attempt',
    mark: 'helo verify',
    arguments: usual('a@good.test', 'x@elsewhere.test'),
    answer: /550 relay not permitted/,
    saw: /the client has not authenticated/,
  },
  {
    says: 'too many recipients, before the message',
    mark: 'predata',
    arguments: [...usual('a@good.test'), ...['--rcpt', 'ann@here.test', '--rcpt', 'x@partner.test']],
    message: mail(''),
    answer: /550 one at a time/,
    saw: /\$rcpt_count is "3"/,
  },
  {
    says: 'a header without an address',
    mark: 'header syntax',
    arguments: usual('a@good.test'),
    message: 'From: a@@b\n\nhello\n',
    answer: /550/,
    saw: /verify = header_syntax\s+-> false/,
  },
  {
    says: 'DMARC, with the record',
    mark: 'dmarc',
    arguments: usual('a@good.test'),
    message: 'From: boss@strict.test\n\nhello\n',
    answer: /550/,
    saw: /From: is of strict\.test\n +SPF of \S+ \w+, not aligned\n +DKIM: no signature\n +_dmarc\.strict\.test TXT -> "v=DMARC1; p=reject"/,
  },
  {
    says: 'a subject',
    mark: 'subject',
    arguments: usual('a@good.test'),
    message: mail('Subject: Cheap watches\n'),
    answer: /550 not here/,
    saw: /\$h_subject: is "Cheap watches"/,
  },
  {
    says: 'a refusal that is feigned',
    mark: 'fake',
    arguments: usual('a@good.test'),
    message: mail('X-Fake: 1\n'),
    answer: /550 no, thank you/,
    saw: /control = fakereject/,
  },
  {
    says: 'the end of an ACL where nothing accepts',
    mark: 'implicit',
    arguments: usual('a@good.test'),
    message: mail('X-Nothing: 1\n'),
    answer: /550 Administrative prohibition/,
    saw: /the end of the ACL: nothing accepted/,
  },
]
