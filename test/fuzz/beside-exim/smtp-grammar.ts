/** The configuration of random SMTP dialogues, and what their client says. */
import type { Random } from '../random.ts'

/** What an ACL knows when it runs. */
export const seen =
  'sa=<$sender_address> sl=<$sender_address_local_part> sd=<$sender_address_domain> lp=<$local_part> d=<$domain> cmd=<$smtp_command> arg=<$smtp_command_argument> ms=<$message_size> helo=<$sender_helo_name> rs=<$recipients_count> as=<$authenticated_sender> p=<$received_protocol>'

export function dialogueConfiguration(place: string, settings: readonly string[]): string {
  const acl = (name: string, rest: string): string =>
    `${name}:\n  warn logwrite = ${name}: ${seen}\n${rest}\n`
  return `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
tls_advertise_hosts =
smtp_banner = mx.example ESMTP
smtp_etrn_command = /bin/true
helo_lookup_domains =
host_lookup =
acl_smtp_helo = helo
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_predata = predata
acl_smtp_data = data
acl_smtp_vrfy = vrfy
acl_smtp_expn = expn
acl_smtp_etrn = etrn
acl_smtp_mailauth = mailauth
acl_smtp_quit = quit
acl_smtp_notquit = notquit
log_selector = +all_parents +smtp_protocol_error +smtp_syntax_error +smtp_no_mail +smtp_incomplete_transaction +received_recipients +received_sender -pid
${[...settings, ...patient.filter((line) => !settings.some((given) => given.startsWith(line.replace(/ .*/, ''))))].join('\n')}
begin acl
${acl('helo', '  deny condition = ${if match{$sender_helo_name}{^bad}}\n    message = no $sender_helo_name\n  accept message = hi $sender_helo_name')}
${acl('mail', '  deny senders = deny@*\n    message = not $sender_address\n    log_message = denied\n  defer senders = defer@*\n  accept')}
${acl('rcpt', '  warn logwrite = rc=$rcpt_count\n  deny local_parts = deny\n    message = no $local_part at $domain\n  defer local_parts = defer\n  discard local_parts = gone\n  drop local_parts = drop\n    message = dropped\n  accept message = fine $local_part')}
${acl('predata', '  warn logwrite = rc=$rcpt_count\n  deny condition = ${if eq{$rcpt_count}{3}}\n  accept')}
${acl('data', '  accept message = thanks')}
${acl('vrfy', '  accept')}
${acl('expn', '  accept')}
${acl('etrn', '  deny')}
${acl('mailauth', '  accept')}
${acl('quit', '  accept message = bye $sender_helo_name')}
notquit:
${'  warn logwrite = notquit $smtp_notquit_reason sa=<$sender_address>\n  accept message = gone'}
begin routers
alias:
  driver = redirect
  domains = local.example
  local_parts = list
  data = u, v
local:
  driver = accept
  domains = local.example
  local_parts = u : v
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
`
}

/** Long dialogues, unless a case says otherwise. */
const patient = [
  'smtp_max_unknown_commands = 50',
  'smtp_max_synprot_errors = 50',
  'smtp_accept_max_nonmail = 100',
]

export const settings: readonly (readonly string[])[] = [
  ['allow_domain_literals'],
  ['sender_unqualified_hosts = *'],
  ['recipient_unqualified_hosts = *'],
  ['helo_accept_junk_hosts = *'],
  ['helo_allow_chars = _', 'helo_allow_chars = _ $'],
  ['smtp_enforce_sync = false'],
  ['smtp_max_unknown_commands = 1', 'smtp_max_unknown_commands = 0'],
  ['smtp_max_synprot_errors = 1', 'smtp_max_synprot_errors = 2', 'smtp_max_synprot_errors = 0'],
  ['smtp_accept_max_nonmail = 2'],
  ['smtp_accept_max_per_connection = 2'],
  ['strip_excess_angle_brackets'],
  ['strip_trailing_dot'],
  ['allow_utf8_domains'],
  ['dsn_advertise_hosts = *'],
  ['dsn_advertise_hosts = *'],
  ['recipients_max = 2', 'recipients_max = 2\nrecipients_max_reject'],
  ['message_size_limit = 1000', 'message_size_limit = 0'],
  ['accept_8bitmime = false'],
  ['smtputf8_advertise_hosts ='],
  ['pipelining_advertise_hosts ='],
  ['chunking_advertise_hosts ='],
  ['prdr_enable'],
  ['smtp_return_error_details'],
  ['percent_hack_domains = *'],
  ['rfc1413_hosts ='],
  ['smtp_check_spool_space = false'],
]

export function dialogue({ pick, below }: Random): string {
  const chance = (percent: number): boolean => below(100) < percent
  const some = (least: number, most: number, make: () => string): string[] =>
    Array.from({ length: least + below(most - least + 1) }, make)
  const cased = (word: string): string =>
    chance(85) ? word : pick([word.toLowerCase(), `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`])
  const gap = (): string => (chance(88) ? ' ' : pick(['  ', '\t', '', ' \t ']))
  const domain = (): string =>
    chance(50)
      ? pick(['b.example', 'local.example', 'x.y.example'])
      : pick([
          'B.Example',
          'b',
          'b.example.',
          'b..example',
          '.b',
          '-b.example',
          'b-.example',
          'b_c.example',
          '1.2.3.4',
          '[1.2.3.4]',
          '[1.2.3.4',
          '[1.2.3.400]',
          '[]',
          '[IPv6:::1]',
          '[ipv6:fe80::1]',
          '[IPv6:::g]',
          '[::1]',
          '[x:y]',
          '[1.2.3]',
          'b\xc3\xbc.example',
          'xn--bcher-kva.example',
          'b%c.example',
          '',
          'b.example(c)',
          '"b".example',
        ])
  const local = (): string =>
    chance(55)
      ? pick(['u', 'v', 'a', 'deny', 'defer', 'gone', 'drop', 'list', 'A.b'])
      : pick([
          '"a b"',
          '"a"',
          '"a\\"b"',
          '"a\\b"',
          '""',
          '"a@b"',
          '"a',
          '"a".b',
          'a."b"',
          'a.b.c',
          '.a',
          'a.',
          'a..b',
          'a+b',
          'a/b',
          'a|b',
          '|a',
          '/a',
          'a(c)',
          '(c)a',
          'j\xc3\xbc',
          'a%b.example',
          'a!b',
          'postmaster',
          'POSTMASTER',
          'a\\b',
          'a\\@b',
          "a'b",
          '#a',
          '$a',
          'a:b',
          'a;b',
          'a,b',
          '<a',
          ':a',
          'x'.repeat(70),
          '',
        ])
  const address = (): string =>
    chance(8)
      ? pick(['', local(), 'postmaster', 'a@b@c', '@', '@b.example', 'a@'])
      : `${local()}${chance(98) ? '@' : '%'}${domain()}`
  const route = (): string =>
    chance(93)
      ? ''
      : pick([
          '@r.example:',
          '@r.example,@s.example:',
          '@r:',
          '@r.example',
          '@[1.2.3.4]:',
          '@r.example, @s.example :',
          '@:',
          ':',
        ])
  const path = (): string => {
    const inner = route() + address()
    return chance(80)
      ? `<${inner}>`
      : pick([
          inner,
          `<<${inner}>>`,
          `<${inner}`,
          `${inner}>`,
          `<${inner}>>`,
          `Joe <${inner}>`,
          `"Joe D" <${inner}>`,
          `<${inner}> (c)`,
          `<${inner}>x`,
          `<<${inner}>`,
          `<>`,
          '',
          `<${inner}>,<${inner}>`,
        ])
  }
  const xtext = (): string =>
    pick([
      'a',
      'a@b.example',
      'a+40b',
      'a+4',
      'a+zz',
      'a+3D+20',
      'a+',
      '',
      '<>',
      'a b',
      'a=b',
      'x'.repeat(110),
      '+2B',
    ])
  const mailParameter = (): string =>
    pick([
      () =>
        `SIZE=${pick(['100', '0', '999', '1001', '-1', 'x', '', '1k', '99999999999999', '99999999999999999999', '+5', '12 '])}`,
      () => `BODY=${pick(['7BIT', '8BITMIME', '8bitmime', 'BINARYMIME', 'x', ''])}`,
      () => `AUTH=${xtext()}`,
      () => `RET=${pick(['FULL', 'HDRS', 'full', 'x', ''])}`,
      () => `ENVID=${xtext()}`,
      () =>
        pick([
          'SMTPUTF8',
          'smtputf8',
          'SMTPUTF8=1',
          'PRDR',
          'prdr',
          'X',
          'X=Y',
          '=',
          '=x',
          'SIZE',
          'BODY',
          'RET',
          'NOTIFY=NEVER',
          'TRANSID=<x>',
          'BY=100;R',
          'MT-PRIORITY=3',
        ]),
    ])()
  const rcptParameter = (): string =>
    pick([
      () =>
        `NOTIFY=${pick(['NEVER', 'SUCCESS', 'FAILURE', 'DELAY', 'SUCCESS,FAILURE', 'success,Delay', 'NEVER,SUCCESS', 'x', '', 'SUCCESS,', ',DELAY', 'SUCCESS,x', 'SUCCESS,SUCCESS', 'NEVER,NEVER'])}`,
      () => `ORCPT=${pick(['rfc822;', 'RFC822;', 'utf-8;', 'x;', '', ';', 'rfc822'])}${xtext()}`,
      () => pick(['X', 'X=Y', 'NOTIFY', 'ORCPT', 'SIZE=1', 'RRVS=x', '=', 'SMTPUTF8']),
    ])()
  const parameters = (make: () => string): string =>
    chance(60)
      ? ''
      : some(1, chance(70) ? 1 : 3, () => gap() + cased(make())).join('') + (chance(10) ? ' ' : '')
  const colon = (): string => (chance(90) ? ':' : pick([' :', ': ', ' : ', '', ':  ', ':\t']))
  const mail = (): string =>
    `${cased('MAIL')}${gap()}${cased('FROM')}${colon()}${path()}${parameters(mailParameter)}`
  const rcpt = (): string =>
    `${cased('RCPT')}${gap()}${cased('TO')}${colon()}${path()}${parameters(rcptParameter)}`
  const goodMail = (): string =>
    `MAIL FROM:<${pick(['', 'a@b.example', 'c@local.example'])}>${parameters(mailParameter)}`
  const goodRcpt = (): string =>
    `RCPT TO:<${pick(['u', 'v', 'list', 'gone', 'deny'])}@local.example>${parameters(rcptParameter)}`
  const helo = (): string =>
    `${cased(pick(['HELO', 'EHLO', 'EHLO']))}${gap()}${pick([
      () => 'client.example',
      () => 'client.example',
      () => 'x',
      () => 'bad.example',
      () => domain(),
      () =>
        pick([
          '[192.0.2.9]',
          '[192.0.2.8]',
          '[IPv6:2001:db8::1]',
          '[ 1.2.3.4 ]',
          '192.0.2.9',
          'a b',
          'a_b',
          'a$b',
          '<x>',
          '-',
          '.',
          'x.',
          '(x)',
          'x,y',
          '',
          ' ',
          'a/b',
          'a:b',
          'x'.repeat(300),
          'J\xc3\xbc',
          '@',
          '[]',
          '[x',
          'x]',
          'client.example ',
          '[1.2.3.4]x',
          '[IPv6:1.2.3.4]',
          '[2001:db8::1]',
          '"x"',
          "a'b",
          '*.x',
          'x\ty',
          '-x',
          'x-',
        ]),
    ])()}`
  const tail = (): string =>
    chance(80) ? '' : pick([' ', ' x', '\t', '  x y', 'x', ' <x>', '=x', ':x', ' x ', '.'])
  const message = (): string[] => [
    ...pick([
      ['Subject: x', ''],
      ['Subject: x', '', 'body'],
      ['x'],
      [],
      ['From: a b', '', '..dot'],
      ['To: u@local.example', 'x', '', 'y'],
      ['Subject: x', '', 'y'.repeat(1100)],
    ]),
    '.',
  ]
  const small = (): string[] =>
    pick([
      () => [`${cased('NOOP')}${tail()}`],
      () => [`${cased('RSET')}${tail()}`],
      () => [`${cased('HELP')}${tail()}`],
      () => [
        `${cased('VRFY')}${gap()}${pick([path, address, () => 'u', () => '', () => 'u x', () => 'list'])()}`,
      ],
      () => [
        `${cased('EXPN')}${gap()}${pick([path, address, () => 'list', () => '', () => 'u', () => 'list@local.example'])()}`,
      ],
      () => [`${cased('ETRN')}${gap()}${pick(['x.example', '#x', '@x', '', 'a b', 'x '])}`],
      () => [`${cased('STARTTLS')}${tail()}`],
      () => [pick(['AUTH', 'AUTH PLAIN', 'AUTH PLAIN AAA=', 'AUTH x', 'auth'])],
      () => [
        pick([
          'X',
          '',
          ' ',
          'FOO bar',
          'HELOx y',
          'MAILFROM:<a@b>',
          'RCPTTO:<u@local.example>',
          'MAIL',
          'RCPT',
          'MAIL x',
          'RCPT x',
          'SEND FROM:<a@b>',
          'SAML',
          'TURN',
          'QUITE',
          'DATAx',
          'RSETx',
          '\xff\xfe',
          ' NOOP',
          'EHLO',
          'HELO',
          'BDAT',
          'BDAT x',
          'BDAT 0',
          'BDAT 1x',
          'MAIL FROM',
          'MAIL FROM:',
          'RCPT TO:',
          'RCPT TO',
          'MAIL TO:<a@b>',
          'RCPT FROM:<a@b>',
          'XCLIENT A=B',
          'GET / HTTP/1.0',
          'Host: x',
        ]),
      ],
    ])()
  const steps = (): string[] =>
    pick([
      () => [mail()],
      () => [mail()],
      () => [mail(), 'RSET'],
      () => [goodMail(), rcpt()],
      () => [goodMail(), rcpt(), rcpt()],
      () => [goodMail(), rcpt(), goodRcpt()],
      () => [rcpt()],
      () => [helo()],
      small,
      small,
      () => ['DATA'],
      () => [`${cased('DATA')}${tail()}`, ...message()],
      () => [goodMail(), goodRcpt(), `${cased('DATA')}${tail()}`, ...message()],
      () => [goodMail(), goodRcpt(), goodRcpt(), 'DATA', ...message()],
      () => [goodMail(), rcpt(), 'DATA', ...message()],
      () => [
        goodMail(),
        goodRcpt(),
        pick(['BDAT 5 LAST', 'BDAT 5  LAST', 'bdat 5 last', 'BDAT 05 LAST']),
        'abc',
      ],
      () => [goodMail(), goodRcpt(), 'BDAT 5', 'abc', 'BDAT 0 LAST'],
    ])()
  const options = settings.filter(() => chance(14)).map((all) => pick(all).replace('\n', ';'))
  const lines = [
    ...(chance(85)
      ? [pick(['EHLO client.example', 'EHLO client.example', 'HELO client.example'])]
      : [helo()]),
    ...some(3, 7, () => steps().join('\n')),
    ...(chance(85) ? [`${cased('QUIT')}${tail()}`] : []),
  ]
  return [[chance(90) ? 'bs' : 'bh', ...options].join(';'), ...lines].join('\n')
}
