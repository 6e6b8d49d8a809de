/** Random messages with odd headers, and the configuration that they meet. */
import type { Random } from '../random.ts'

const people = ['m0', 'm1', 'm2', 'm3'] as const

/** A setting that begins with `@router `, `@transport `, `@acl ` or `@rewrite ` belongs there; others are main options. */
export function headersConfiguration(
  place: string,
  settings: readonly string[],
  ours: boolean,
  program: string,
): string {
  const of = (where: string): string =>
    settings
      .filter((line) => line.startsWith(`@${where} `))
      .map((line) => `  ${line.slice(where.length + 2).replaceAll('|', '\n')}\n`)
      .join('')
  const rewrite = of('rewrite')
  return `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
primary_hostname = mx.example
exim_path = ${program}
keep_environment =
never_users =
tls_advertise_hosts =
host_lookup =
acl_not_smtp = check
acl_smtp_mail = accept
acl_smtp_rcpt = to
acl_smtp_data = check
${settings.some((line) => line.startsWith('log_selector')) ? '' : 'log_selector = +received_recipients +received_sender +address_rewrite -pid\n'}${ours ? 'message_id_form = short\n' : ''}${settings.filter((line) => !line.startsWith('@')).join('\n')}
${settings.some((line) => /^(?:received_header_text|@received)/.test(line)) ? '' : 'received_header_text = Received: by mx.example with $received_protocol (from=<$sender_address> $sender_fullhost $sender_ident)$acl_m_none id $message_exim_id${if def:received_for {\\n\\tfor $received_for}}\n'}
${settings.some((line) => line.startsWith('qualify_domain')) ? '' : 'qualify_domain = local.example\n'}
begin acl
to:
${of('rcpt')}  accept
check:
${of('acl')}  accept
begin routers
known:
  driver = accept
  local_parts = ${people.join(' : ')} : root : qu
  transport = file
${of('router')}
others:
  driver = accept
  transport = sink
begin transports
file:
  driver = appendfile
  file = ${place}/mail/$local_part_data
  create_file = anywhere
  message_prefix = "MESSAGE from=<$return_path>\\n"
  message_suffix =
  user = nobody
${of('transport')}
sink:
  driver = appendfile
  file = ${place}/mail/others
  message_prefix = "MESSAGE from=<$return_path> to=<$local_part@$domain>\\n"
  message_suffix =
  user = nobody
${of('transport')}${rewrite === '' ? '' : `begin rewrite\n${rewrite}`}`
}

const mainOptions: readonly (readonly string[])[] = [
  ['qualify_domain = other.example', 'qualify_domain = Upper.Example'],
  ['qualify_recipient = rcpt.example'],
  ['strip_excess_angle_brackets'],
  ['strip_trailing_dot'],
  ['extract_addresses_remove_arguments = false'],
  [
    'message_id_header_domain = ids.example',
    'message_id_header_domain = ${if eq{a}{b}{x}fail}',
    'message_id_header_domain = a_b',
  ],
  ['message_id_header_text = extra', 'message_id_header_text = a b', 'message_id_header_text = <x>'],
  ['untrusted_set_sender = *'],
  ['local_from_check = false'],
  ['local_from_prefix = *-', 'local_from_suffix = -x'],
  ['return_path_remove = false'],
  ['envelope_to_remove = false'],
  ['delivery_date_remove = false'],
  ['allow_utf8_domains'],
  ['allow_domain_literals'],
  ['header_maxsize = 300'],
  ['header_line_maxsize = 60'],
  ['received_header_text = Received: short', 'received_header_text ='],
  ['@received'],
  ['ignore_fromline_local'],
  ['check_rfc2047_length = false'],
  ['message_size_limit = 200'],
  ['bounce_return_message = false'],
  ['drop_cr = true'],
  ['print_topbitchars'],
  ['trusted_users ='],
  ['log_selector = +all -pid -arguments -millisec'],
]

export function headersCase(random: Random): string {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const some = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: least + below(most - least + 1) }, make)
  const phrase = (): string =>
    pick([
      'Joe',
      'Joe Doe',
      '"Joe, D."',
      'J. Doe',
      '=?utf-8?q?J=C3=BC?=',
      'J\xc3\xbc',
      '"a \\"b\\" c"',
      '(c) Joe',
      'Joe (c)',
      '"un',
      'a@b',
      '=?utf-8?q?x',
      '',
      '"" x',
      'Dr. "x"',
    ])
  const local = (): string =>
    chance(70)
      ? pick(['m0', 'm1', 'm2', 'm3', 'root', 'joe'])
      : pick([
          '"m0"',
          '"a b"',
          'M0',
          'a.b',
          '.a',
          'a.',
          'a..b',
          'a"b"c',
          'j\xfc',
          'a(c)',
          '"a\\"b"',
          'a b',
          'a\\ b',
          "o'x",
          '',
          'x'.repeat(70),
        ])
  const domain = (): string =>
    chance(65)
      ? pick(['local.example', 'b.example', 'B.Example'])
      : pick([
          '[192.0.2.1]',
          'b.example.',
          'b..c',
          'b (c)',
          ' b.example',
          'b . example',
          'b_c',
          'j\xfc.example',
          '-b',
          '"b"',
          '',
          '[IPv6:::1]',
          'x.y.b.example',
        ])
  const mailbox = (): string => {
    const bare = chance(75) ? `${local()}@${domain()}` : local()
    return chance(45)
      ? bare
      : pick([
          `<${bare}>`,
          `${phrase()} <${bare}>`,
          `${phrase()}<${bare}>`,
          `${bare} (${pick(['Joe', 'a (b) c', 'un(', 'a \\) b', ''])})`,
          `<<${bare}>>`,
          `<${bare}`,
          `${phrase()} <@r.example:${bare}>`,
          `<>`,
          `(c) ${bare}`,
          `${bare}>`,
          `"${bare}"`,
          `${phrase()} <${bare}> x`,
        ])
  }
  const list = (): string =>
    chance(60)
      ? mailbox()
      : pick([
          () => `${mailbox()}, ${mailbox()}`,
          () => `${mailbox()},${mailbox()},`,
          () => `, ${mailbox()}`,
          () => `${mailbox()},\n ${mailbox()}`,
          () => `group: ${mailbox()}, ${mailbox()};`,
          () => `undisclosed:;`,
          () => `a: ${mailbox()};, ${mailbox()}`,
          () => '',
          () => ' ',
          () => `${mailbox()} ${mailbox()}`,
          () => `${mailbox()};${mailbox()}`,
          () => `${mailbox()}\n\t(folded\n comment)`,
          () => Array.from({ length: 8 }, mailbox).join(', '),
        ])()
  const name = (text: string): string =>
    chance(88) ? text : pick([text.toLowerCase(), text.toUpperCase(), `${text} `])
  const gap = (): string => (chance(88) ? ' ' : pick(['', '  ', '\n ', ' \n ']))
  const header = (): string =>
    pick([
      () =>
        `${name(pick(['From', 'From', 'To', 'To', 'Cc', 'Bcc', 'Sender', 'Reply-To']))}:${gap()}${list()}`,
      () => `${name(pick(['From', 'To', 'Cc', 'Bcc', 'Sender']))}:${gap()}${list()}`,
      () =>
        `Resent-${pick(['From', 'To', 'Cc', 'Bcc', 'Sender', 'Reply-To', 'Date', 'Message-Id'])}:${gap()}${pick([list, () => '<x@y.example>', () => 'Mon, 1 Jan 2024 00:00:00 +0000'])()}`,
      () => `${name('Date')}:${gap()}${pick(['Mon, 1 Jan 2024 00:00:00 +0000', 'now', '', '1 Jan 24'])}`,
      () =>
        `${name('Message-Id')}:${gap()}${pick(['<a@b.example>', 'a', '<a b>', '<>', '', '<a@b> <c@d>', '(c) <a@b.example>'])}`,
      () =>
        `${name('Subject')}:${gap()}${pick(['x', '=?utf-8?q?J=C3=BC?=', 'j\xfc', '', 'a\n b', 'a{NUL}b', 'a{CR}b', '=?utf-8?b?w7w?=', '=?x?q?y?=', 'long '.repeat(30)])}`,
      () =>
        pick([
          'Return-Path: <x@y.example>',
          'Envelope-To: x',
          'Delivery-Date: now',
          'Received: from x by y',
          'Received: from x\n by y; Mon, 1 Jan 2024 00:00:00 +0000',
          'X-A: b',
          'X-A: c\n d',
          'X-\xfc: y',
          ': none',
          'X : y',
          'X-Long: '.padEnd(90, 'l'),
          'Content-Type: text/plain',
          'no header',
          'From joe Mon Jan  1 00:00:00 2024',
          '>From joe Mon Jan  1 00:00:00 2024',
          'From: ',
          'Bcc:',
          'To:',
          'Errors-To: a',
          'X-Empty:',
          'Mail-Followup-To: m0',
          'References: <a@b>\n <c@d>',
          'Auto-Submitted: no',
        ]),
    ])()
  const message = (): string[] => [
    ...some(0, 6, header).flatMap((one) => one.split('\n')),
    ...(chance(92)
      ? ['', ...some(0, 2, () => pick(['body', '.x', 'From x', 'a{NUL}b', 'a{CR}', '\xfc', '..', '>From y']))]
      : []),
  ]
  const headerText = (): string =>
    pick([
      'X-R: $local_part',
      'X-R: a\\nX-S: b',
      'Subject: new',
      'From: r@b.example',
      'To: m0',
      'X-F: a\\n b',
      'no header',
      '',
      'X-R: ${if eq{a}{b}{x}fail}',
      '${if eq{a}{b}{x}fail}',
      'X-R: $h_subject:',
      'X-R: ${address:$h_from:}',
      'X-R: $return_path',
      'Reply-To: ${addresses:$h_to:}',
      'X-R: $original_local_part@$original_domain',
      'X-R: $message_exim_id $received_protocol $sender_ident',
      'X-R: $message_size $body_linecount $message_linecount $body_zerocount',
      'X-R: $message_body',
    ])
  const removed = (): string =>
    pick([
      'Subject',
      'subject:to',
      'X-A',
      'From',
      'Received',
      'x-*',
      '^(?i)x-',
      'None',
      'Bcc : Cc',
      '',
      '${if eq{a}{b}{x}fail}',
      'Message-Id',
      'Date:Sender',
      'X-*',
    ])
  const rewriteRule = (flags: readonly string[]): string =>
    `${pick(['*@b.example', 'm0@*', '*@local.example', '*', '*@*.example', 'root@*', '\\N^(.*)@b\\.(.*)$\\N', 'joe@b.example', '*m@*'])} ${pick(['$1@new.example', '$local_part@new.example', '"${lc:$0}"', 'x@new.example', '*', '"New Name <n@new.example>"', '$1', '"\\"a b\\"@new.example"', 'm1@local.example', '"${if eq{$1}{m0}{m2@local.example}fail}"', '$1@$1.example', '"J\xfc <n@new.example>"', '"bad address@"', 'm3'])} ${pick(flags) || 'h'}`
  const mainFlags = [
    '',
    'E',
    'F',
    'T',
    'h',
    'f',
    't',
    'c',
    'b',
    'r',
    's',
    'frs',
    'tcb',
    'hq',
    'R',
    'Rq',
    'w',
    'hw',
    'Q',
    'fQ',
    'Eh',
    'q',
    'Ffrs',
    'qw',
    'TtcbQ',
    'wR',
  ]
  const place = (): string =>
    pick(['', '', '', ':at_start: ', ':after_received: ', ':at_start_rfc: ', ':at_end: ', ':nowhere: '])
  const settings = [
    ...mainOptions.filter(() => chance(7)).flatMap((all) => pick(all).split(',')),
    ...(chance(25) ? some(1, 2, () => `@router headers_add = ${headerText()}`).slice(0, 1) : []),
    ...(chance(15) ? [`@router headers_remove = ${removed()}`] : []),
    ...(chance(20) ? [`@transport headers_add = ${headerText()}`] : []),
    ...(chance(12) ? [`@transport headers_remove = ${removed()}`] : []),
    ...(chance(12)
      ? [
          `@transport headers_rewrite = ${some(1, 2, () => rewriteRule(['', 'h', 'f', 't', 'hq', 'w', 'fw', 'R', 'Q', 'c', 'rs'])).join(' : ')}`,
        ]
      : []),
    ...(chance(10)
      ? [
          `@transport ${pick(['return_path_add', 'envelope_to_add', 'delivery_date_add', 'return_path = r@new.example', 'return_path = ${if eq{a}{b}{x}fail}', 'rcpt_include_affixes', 'use_crlf', 'headers_only', 'body_only', 'check_string = "From "|  escape_string = ">From "', 'check_string = "X"|  escape_string = "yX"'])}`,
        ]
      : []),
    ...(chance(25)
      ? some(
          1,
          2,
          () =>
            `@acl ${pick(['warn', 'warn', 'accept'])} ${pick([() => `add_header = ${place()}${headerText().replace('$return_path', '$sender_address')}`, () => `add_header = ${place()}X-N: n`, () => `remove_header = ${removed()}`, () => 'message = X-M: m'])()}`,
        )
      : []),
    ...(chance(12)
      ? [
          `@rcpt warn control = ${pick(['submission', 'submission/sender_retain', 'submission/domain=', 'submission/domain=sub.example', 'submission/name=Joe D.', 'suppress_local_fixups', 'submission/name="x', 'utf8_downconvert'])}`,
        ]
      : []),
    ...(chance(10)
      ? [
          `@rcpt warn ${pick([() => `add_header = ${place()}X-N: n`, () => `remove_header = ${removed()}`])()}`,
        ]
      : []),
    ...(chance(22) ? some(1, 3, () => `@rewrite ${rewriteRule(mainFlags)}`) : []),
  ].map((line) => line.replaceAll(';', ','))
  const options = some(0, 2, () =>
    pick([
      '-f a@b.example',
      '-f <>',
      '-f m0',
      '-F Joe_Doe',
      '-F "Joe"',
      '-F J\xfc',
      '-i',
      '-oi',
      '-r a@b.example',
      '-f root@local.example',
      '-F a,b',
      '-oMr local',
      '-oMs host.example',
      '-oMa 192.0.2.1',
      '-oMt ident',
      '-oMai id',
      '-oMas as@b.example',
      '-G',
      '-bnq',
    ]),
  )
  const kind = chance(45) ? '-t' : chance(60) ? '-bm' : '-bs'
  // Some may be given but once.
  const args = ['-oep', ...new Map(options.map((one) => [one.slice(0, 4), one])).values()]
  if (kind === '-bs') {
    const sessions = some(1, 2, () => [
      `MAIL FROM:<${pick(['', 'a@b.example', 'root@local.example', 'm0'])}>${chance(85) ? '' : pick([' BODY=8BITMIME', ' SMTPUTF8', ' RET=HDRS'])}`,
      ...some(1, 2, () => `RCPT TO:<${pick(people)}@local.example>`),
      'DATA',
      ...message().map((line) => (line === '.x' ? '..x' : line)),
      '.',
    ])
    return [
      [[...args, '-bs'].join(' '), ...settings].join(';'),
      'EHLO c.example',
      ...sessions.flat(),
      'QUIT',
    ].join('\n')
  }
  const recipients =
    kind === '-bm' || chance(15)
      ? some(1, 2, () => pick([...people.map((one) => `${one}@local.example`), 'm0', 'm1']))
      : []
  return [[[...args, kind, ...recipients].join(' '), ...settings].join(';'), ...message()].join('\n')
}
