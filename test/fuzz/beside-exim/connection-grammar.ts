/** The configuration of random SMTP dialogues over TCP, and what their client says. */
import type { Zone } from '../../support/dns-server.ts'
import type { Random } from '../random.ts'
import { aclStatement, randomAcls } from './acl-grammar.ts'
import { dialogue, seen, settings as dialogueSettings } from './smtp-grammar.ts'
import { authenticators } from '../../sessions/authentication.ts'

const a = (...addresses: string[]): Zone[string] => addresses.map((data) => ({ type: 'A', data }))
const txt = (data: string): Zone[string] => [{ type: 'TXT', data }]

/** DNS lists for all clients, as an entry for each would be one for each case. */
export const zone: Zone = {
  '1.2.0.192.one.test A': a('127.0.0.4'),
  'b.example.names.test A': a('127.0.0.2'),
  'b.example.names.test TXT': txt('a bad name'),
  'late.test': 'servfail',
}

const credentials = (text: string): string => Buffer.from(text, 'latin1').toString('base64')

/** What stands after each random part of an ACL. */
const ends: Readonly<Record<(typeof randomAcls)[number], string>> = {
  connect: '  accept',
  helo: '  deny condition = ${if match{$sender_helo_name}{^bad}}\n    message = no $sender_helo_name\n  accept',
  mail: '  deny senders = deny@*\n    message = not $sender_address\n    log_message = denied\n  defer senders = defer@*\n  accept',
  rcpt: '  deny local_parts = deny\n    message = no $local_part at $domain\n  defer local_parts = defer\n  discard local_parts = gone\n  drop local_parts = drop\n    message = dropped\n  accept',
  predata: '  deny condition = ${if eq{$rcpt_count}{3}}\n  accept',
  data: '  accept',
  vrfy: '  accept',
  quit: '  accept',
  prdr: '  deny local_parts = v\n    message = v does not want it\n  accept',
}

/** A setting that begins with `@NAME ` is a statement of that ACL. */
export function connectionConfiguration(place: string, given: readonly string[], ours: boolean): string {
  const options = given.filter((line) => !line.startsWith('@'))
  const acls = randomAcls.map((name) => {
    const statements = given
      .filter((line) => line.startsWith(`@${name} `))
      .map((line) => `  ${line.slice(name.length + 2).replaceAll('|', '\n')}\n`)
    const told = given.includes('@told')
      ? `  warn logwrite = [$sender_host_address] ${name}: ${name === 'connect' ? '' : seen}\n`
      : ''
    return `${name}:\n${told}${statements.join('')}${ends[name]}\n`
  })
  const names = ['connect', 'helo', 'mail', 'rcpt', 'predata', 'vrfy', 'quit']
  return `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
pid_file_path = ${place}/pid
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
tls_advertise_hosts =
smtp_banner = mx.example ESMTP
smtp_etrn_command = /bin/true
helo_lookup_domains =
host_lookup =
queue_only
smtp_accept_max = 0
pipelining_connect_advertise_hosts =
received_header_text = Received: by mx.example
dns_retry = 1
dns_retrans = 1s
${ours ? 'message_id_form = short\nlimits_advertise_hosts =\n' : ''}${names.map((name) => `acl_smtp_${name} = ${name}\n`).join('')}acl_smtp_data = data
acl_smtp_data_prdr = prdr
acl_smtp_expn = vrfy
acl_smtp_etrn = etrn
acl_smtp_mailauth = mailauth
acl_smtp_notquit = notquit
domainlist local = local.example
hostlist relay = 192.0.2.0/24
log_selector = ${options.find((line) => line.startsWith('log_selector'))?.replace(/^\S+ = /, '') ?? '+all_parents +smtp_protocol_error +smtp_syntax_error +smtp_no_mail +smtp_incomplete_transaction +received_recipients +received_sender +smtp_connection -pid'}
${options.filter((line) => !line.startsWith('log_selector')).join('\n')}
begin acl
${acls.join('')}etrn:
  deny
mailauth:
  accept
notquit:
  warn logwrite = [$sender_host_address] notquit $smtp_notquit_reason sa=<$sender_address>
  accept message = gone
sub:
  deny condition = \${if eq{$acl_arg1}{a}}
    message = sub $acl_narg: $acl_arg1/$acl_arg2
  accept
deny:
  deny message = from deny
    log_message = deny logs
discard:
  discard
loop:
  accept acl = loop
begin routers
refuse:
  driver = redirect
  local_parts = ref
  data = :fail: 550 5.1.6 moved
  allow_fail
wait:
  driver = redirect
  local_parts = wait
  data = :defer: not now
  allow_defer
alias:
  driver = redirect
  domains = local.example
  local_parts = list
  data = u, v
local:
  driver = accept
  domains = local.example
  local_parts = u : v
  address_data = about $local_part
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
${authenticators}`
}

const moreSettings: readonly (readonly string[])[] = [
  ['@told'],
  ['@told'],
  ['auth_advertise_hosts ='],
  ['log_selector = +all -pid -arguments -millisec -incoming_port -incoming_interface -smtp_connection'],
  ['log_selector = -all'],
  ['log_selector = -size_reject -lost_incoming_connection'],
  ['helo_verify_hosts = *', 'helo_try_verify_hosts = *'],
  ['hosts_require_helo ='],
  ['smtp_accept_max_nonmail_hosts ='],
  ['message_body_visible = 3'],
  ['check_rfc2047_length = false'],
  ['qualify_recipient = rcpt.example'],
  ['sender_unqualified_hosts = *;recipient_unqualified_hosts = *'],
  ['received_headers_max = 1'],
  ['header_maxsize = 200', 'header_line_maxsize = 60'],
  ['smtp_active_hostname = active.example'],
  ['smtp_enforce_sync = false'],
  ['untrusted_set_sender = *'],
  ['message_logs = false'],
  ['dsn_advertise_hosts = *'],
  ['prdr_enable'],
  ['acl_smtp_predata ='],
  ['acl_not_smtp = nothing'],
  ['drop_cr = true'],
  ['print_topbitchars = true'],
  ['smtp_reserve_hosts ='],
  ['hosts_connection_nolog = *'],
  ['host_reject_connection = 192.0.2.1', 'host_reject_connection = *', 'hosts_proxy = 192.0.2.1'],
  ['extra_local_interfaces = 192.0.2.1'],
]

export function connectionSettings(random: Random, dns: boolean): string {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const patient = [
    'smtp_max_unknown_commands = 50',
    'smtp_max_synprot_errors = 50',
    'smtp_accept_max_nonmail = 100',
  ]
  const options = [
    ...dialogueSettings.filter(() => chance(9)),
    ...moreSettings.filter(() => chance(5)),
  ].flatMap((all) => pick(all).replace('\n', ';').split(';'))
  const named = new Map(
    [...patient, ...options].map((line) => [line.startsWith('@') ? line : line.replace(/ .*/, ''), line]),
  )
  const statements = Array.from({ length: below(9) }, () => aclStatement(random)).filter(
    (one) => dns || !/dnslists|verify = (?:helo|reverse)/.test(one),
  )
  // A separator of settings stands in no statement.
  return ['tcp', ...named.values(), ...statements.map((one) => one.replaceAll(';', ','))].join(';')
}

export function connectionDialogue(random: Random): string[] {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const plain = credentials('\0joe\0secret')
  const wrong = credentials('\0joe\0wrong')
  const auth = (): string[] =>
    pick([
      [`AUTH PLAIN ${plain}`],
      [`AUTH PLAIN ${wrong}`],
      ['AUTH PLAIN', plain],
      ['AUTH PLAIN', wrong],
      ['AUTH PLAIN', '*'],
      ['AUTH PLAIN', 'not base 64!'],
      ['AUTH PLAIN', ''],
      ['AUTH PLAIN ='],
      ['AUTH PLAIN x y'],
      ['AUTH LOGIN', credentials('joe'), credentials('secret')],
      ['AUTH LOGIN', credentials('joe'), credentials('wrong')],
      [`AUTH LOGIN ${credentials('joe')}`, credentials('secret')],
      ['AUTH LOGIN', '*'],
      ['AUTH LOGIN', credentials('joe'), '*'],
      ['AUTH CRAM-MD5', credentials('joe 0123456789abcdef0123456789abcdef')],
      ['AUTH CRAM-MD5', credentials('joe')],
      ['AUTH CRAM-MD5', '*'],
      ['AUTH CRAM-MD5 x'],
      [`AUTH DEFER ${credentials('x')}`],
      [`AUTH DEFER ${credentials('y')}`],
      ['AUTH HIDDEN ='],
      ['AUTH NONE'],
      ['auth plain', plain],
      ['AUTH'],
      ['AUTH '],
      [`AUTH PLAIN ${'A'.repeat(4000)}`],
      [`AUTH  PLAIN  ${plain}`],
    ])
  const good = pick(['u', 'v', 'list', 'no', 'ref', 'wait'])
  const header = (): string =>
    pick([
      'Subject: x',
      'Subject: y',
      'To: u@local.example',
      'To: a b',
      'To: <u@local.example',
      'From: a@b.example',
      'From: no@local.example',
      'From: ref@local.example',
      'Sender: wait@local.example',
      'Reply-To: <>',
      'Cc: v@local.example, list@local.example',
      'Bcc: v@local.example',
      'Received: one',
      'Received: two',
      'X-A: \xe9',
      'X-\xe9: a',
      `X-L: ${'l'.repeat(100)}`,
      ' folded',
      'Message-Id: <a@b>',
      'Date: now',
      'no header',
      'X : y',
      ': z',
      'X-Cr: a{CR}b',
      'X-Lf: a{LF}b',
      'X-Nul: a{NUL}b',
      'Content-Type: text/plain',
    ])
  const body = (): string[] =>
    Array.from({ length: below(3) }, () =>
      pick([
        'text',
        '..',
        '.x',
        'a{CR}b',
        'a{LF}b',
        'a{LF}.{LF}b',
        'a{CR}.{CR}b',
        'n{NUL}l',
        '\xe9\xff',
        'y'.repeat(1200),
        '',
        '.{CR}',
        'x{CR}{CR}',
      ]),
    )
  const message = (): string[] => [
    ...Array.from({ length: below(4) }, header),
    ...(chance(90) ? ['', ...body()] : []),
    '.',
  ]
  const chunks = (): string[] => {
    const text = message().slice(0, -1)
    const cut = below(text.length + 1)
    const size = (lines: readonly string[]): number =>
      lines.reduce((sum, line) => sum + line.replaceAll(/\{(?:CR|LF|NUL)\}/g, 'c').length + 2, 0)
    const [first, second] = [text.slice(0, cut), text.slice(cut)]
    return chance(50)
      ? [`BDAT ${size(text)} LAST`, ...text]
      : chance(70)
        ? [`BDAT ${size(first)}`, ...first, `BDAT ${size(second)} LAST`, ...second]
        : [
            `BDAT ${size(first)}`,
            ...first,
            pick(['NOOP', 'RSET', 'MAIL FROM:<>', 'QUIT', 'DATA', 'x']),
            `BDAT ${size(second)} LAST`,
            ...second,
          ]
  }
  const parameters = (): string =>
    chance(70)
      ? ''
      : pick([
          ' SIZE=50',
          ' BODY=8BITMIME',
          ' SMTPUTF8',
          ' PRDR',
          ' RET=HDRS ENVID=x',
          ' AUTH=<>',
          ' AUTH=a@b',
          ' SIZE=5000',
          ' BODY=8BITMIME SMTPUTF8',
          ' PRDR SIZE=3',
        ])
  const mail = (): string =>
    `MAIL FROM:<${pick(['', 'a@b.example', 'u@local.example', 'no@local.example', 'ref@local.example', 'wait@local.example', 'a'])}>${parameters()}`
  const rcpt = (): string =>
    `RCPT TO:<${pick([good, 'u', 'v', 'gone', 'deny', 'defer', 'drop'])}@local.example>${chance(92) ? '' : pick([' NOTIFY=NEVER', ' ORCPT=rfc822;a@b', ' NOTIFY=DELAY,FAILURE'])}`
  const odd = (): string[] =>
    pick([
      [`NOOP ${'x'.repeat(pick([500, 2000, 5000]))}`],
      ['NO{NUL}OP'],
      ['NOOP{LF}NOOP'],
      ['NOOP{CR}NOOP'],
      ['NOOP{LF}{-}'],
      ['NOOP{CR}{-}', '&'],
      ['NO{-}', 'OP'],
      ['\xff\xfe'],
      ['RSET', '&RSET'],
      ['{LF}{-}'],
      ['VRFY u@local.example'],
      ['VRFY no@local.example'],
      ['VRFY wait'],
      ['VRFY ref@local.example'],
      ['EXPN list@local.example'],
      ['EXPN ref@local.example'],
      ['ETRN x'],
      ['HELP'],
      ['HELP MAIL'],
      ['HELO client.example'],
      ['EHLO client.example'],
      ['EHLO bad.example'],
      ['EHLO [127.0.0.1]'],
      ['GET / HTTP/1.1', 'Host: x'],
      ['STARTTLS'],
      ['DATA'],
      ['NOOP', '&NOOP'],
    ])
  const grouped = (lines: readonly string[]): string[] => lines.map((line, i) => (i > 0 ? `&${line}` : line))
  const transaction = (): string[] => {
    const envelope = [mail(), ...Array.from({ length: 1 + below(3) }, rcpt)]
    const end = chance(70)
      ? ['DATA', ...message()]
      : chance(85)
        ? chunks()
        : pick([['RSET'], ['QUIT'], ['DATA', ...message().slice(0, -1)], []])
    if (chance(75)) return [...envelope, ...end]
    // DATA is the last of a group; a message may follow what forbids it.
    return chance(85)
      ? [...grouped([...envelope, end[0] ?? 'NOOP']), ...end.slice(1)]
      : grouped([...envelope, ...end])
  }
  if (chance(35)) return dialogue(random).split('\n').slice(1)
  const lines = [
    ...(chance(88)
      ? [
          pick([
            'EHLO client.example',
            'EHLO client.example',
            'EHLO [CLIENT]',
            'HELO client.example',
            'EHLO other.example',
          ]),
        ]
      : []),
    ...(chance(25) ? auth() : []),
    ...Array.from({ length: 1 + below(3) }, () =>
      chance(75) ? transaction() : chance(70) ? odd() : auth(),
    ).flat(),
    ...(chance(80) ? ['QUIT'] : []),
  ]
  return chance(95) ? lines : grouped(lines)
}
