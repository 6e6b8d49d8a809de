/** Commands that are no commands, in the wrong order, or with something wrong in them. */
import { acls, configuration, generous } from './configuration.ts'
import type { Table } from './dialogue.ts'

const start = ['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>'] as const

export const malformed: Table = {
  name: 'malformed',
  configuration: configuration(`${acls}${generous}dsn_advertise_hosts = *`),
  dialogues: [
    { says: 'HELO without a name', steps: ['HELO', 'EHLO', 'QUIT'] },
    {
      says: 'HELO names that are none',
      steps: ['HELO a b', 'EHLO a_b', 'EHLO a$b', 'EHLO @', 'HELO a,b', 'EHLO [1.2.3', 'QUIT'],
    },
    {
      says: 'HELO names that pass',
      steps: ['HELO -', 'EHLO .', 'EHLO a..b', 'EHLO 1.2.3.4', 'EHLO [127.0.0.1]', 'EHLO [IPv6:::1]', 'QUIT'],
    },
    {
      says: 'addresses in HELO',
      steps: [
        ...['[1.2.3.400]', '[1.2.3]', '[::1]', '[IPv6:1.2.3.4]', '[IPv6:::g]', '[ipv6:fe80::1]', '[a]'].map(
          (name) => `EHLO ${name}`,
        ),
        'QUIT',
      ],
    },
    {
      says: 'a greeting that is refused behind a good one',
      steps: ['HELO x', 'HELO a$b', 'FOO', 'QUIT'],
    },
    { says: 'tabs, backslashes and quotes in the log', steps: ['HELO x', 'FOO\ta\\b "c" \x7f', 'QUIT'] },
    {
      says: 'parameters of MAIL without a value, and of extensions that are not offered',
      steps: [
        'EHLO x',
        ...[
          ...['BODY=', 'BODY', 'SIZE=', 'SIZE', 'SIZE=-1', 'SIZE=+5', 'SIZE=99999999999999999999', 'SIZE=1k'],
          ...['RET=', 'RET', 'ENVID=', 'ENVID', 'AUTH=', 'PRDR', 'SMTPUTF8'],
        ].flatMap((parameter) => [`MAIL FROM:<a@b.example> ${parameter}`, 'RSET']),
        'QUIT',
      ],
    },
    {
      says: 'parameters of RCPT without a value',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example>',
        ...[
          'NOTIFY=',
          'NOTIFY',
          'NOTIFY=SUCCESS,',
          'NOTIFY=,DELAY',
          'NOTIFY=SUCCESS,SUCCESS',
          'ORCPT=',
          'ORCPT',
        ].map((parameter) => `RCPT TO:<u@test.example> ${parameter}`),
        'QUIT',
      ],
    },
    {
      says: 'a group of commands whose MAIL was refused',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> BODY=x',
        'RCPT TO:<u@test.example>',
        'RCPT TO:<v@test.example>',
        'DATA',
        'DATA',
        'MAIL FROM:<unq>',
        'NOOP',
        'RCPT TO:<u@test.example>',
        'QUIT',
      ],
    },
    {
      says: 'DATA and BDAT behind a RCPT that was refused, and later',
      steps: [
        'EHLO x',
        'RCPT TO:<u@test.example>',
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<denied@test.example>',
        'DATA',
        'DATA',
        'RCPT TO:<denied@test.example>',
        'NOOP',
        'BDAT 0',
        'QUIT',
      ],
    },
    {
      says: 'what is logged of addresses that ACLs refuse or discard',
      steps: [
        'EHLO x',
        'MAIL FROM:<bad@test.example(c)>',
        'MAIL FROM:bad@test.example',
        'MAIL FROM:Joe <bad@test.example> SIZE=3',
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<discard@test.example> NOTIFY=NEVER',
        'DATA',
        'Subject: reject\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    { says: 'MAIL before HELO', steps: ['MAIL FROM:<a@b.example>', 'QUIT'] },
    {
      says: 'commands out of order',
      steps: ['HELO x', 'RCPT TO:<u@test.example>', 'DATA', 'BDAT 1 LAST', 'NOOP', 'QUIT'],
    },
    {
      says: 'MAIL without its words',
      steps: ['HELO x', 'MAIL', 'MAIL x', 'MAIL FROM', 'MAIL FROM:', 'QUIT'],
    },
    { says: 'MAIL twice', steps: ['HELO x', 'MAIL FROM:<a@b.example>', 'MAIL FROM:<c@d.example>', 'QUIT'] },
    {
      says: 'MAIL with a malformed address',
      steps: [
        'HELO x',
        'MAIL FROM:<a b@c.example>',
        'MAIL FROM:<a@b',
        'MAIL FROM:<a@>',
        'MAIL FROM:<@b>',
        'MAIL FROM:<a@@b>',
        'MAIL FROM:a@b>',
        'QUIT',
      ],
    },
    {
      says: 'MAIL with a malformed domain',
      steps: [
        'HELO x',
        'MAIL FROM:<a@b_c>',
        'MAIL FROM:<a@-b>',
        'MAIL FROM:<a@b..c>',
        'MAIL FROM:<a@b.c.>',
        'MAIL FROM:<a@[1.2.3.4]>',
        'QUIT',
      ],
    },
    {
      says: 'MAIL with odd quotes and brackets',
      steps: [
        'HELO x',
        'MAIL FROM:<"a@c>',
        'MAIL FROM:<a"b"@c>',
        'MAIL FROM:<<a@b>>',
        'MAIL FROM:<a@b>>',
        'MAIL FROM:<a,b@c>',
        'QUIT',
      ],
    },
    { says: 'a sender without a domain', steps: ['HELO x', 'MAIL FROM:<unq>', 'QUIT'] },
    {
      says: 'recipients that are none',
      steps: [
        'HELO x',
        'MAIL FROM:<>',
        'RCPT TO:<>',
        'RCPT TO:<unq>',
        'RCPT',
        'RCPT TO',
        'RCPT TO:',
        'RCPT TO:<a@b_c>',
        'QUIT',
      ],
    },
    { says: 'parameters after HELO', steps: ['HELO x', 'MAIL FROM:<x@y.example> SIZE=100', 'QUIT'] },
    {
      says: 'unknown parameters',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> FOO=bar',
        'MAIL FROM:<a@b.example> XYZZY',
        'MAIL FROM:<a@b.example>BODY=8BITMIME',
        'QUIT',
      ],
    },
    {
      says: 'wrong values of parameters',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> BODY=FOO',
        'MAIL FROM:<a@b.example> AUTH=x+zz',
        'MAIL FROM:<a@b.example> RET=FOO',
        'MAIL FROM:<a@b.example> RET=FULL RET=HDRS',
        'MAIL FROM:<a@b.example> ENVID=a ENVID=b',
        'QUIT',
      ],
    },
    {
      says: 'SIZE that is no number',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> SIZE=abc',
        'RSET',
        'MAIL FROM:<a@b.example> SIZE=',
        'RSET',
        'MAIL FROM:<a@b.example> SIZE=1 SIZE=2',
        'QUIT',
      ],
    },
    {
      says: 'SIZE beyond the limit',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> SIZE=99999999',
        'MAIL FROM:<a@b.example> SIZE=99999999999',
        'QUIT',
      ],
    },
    {
      says: 'wrong DSN parameters of RCPT',
      steps: [
        'EHLO x',
        start[1],
        'RCPT TO:<u@test.example> NOTIFY=FOO',
        'RCPT TO:<u@test.example> NOTIFY=NEVER,SUCCESS',
        'RCPT TO:<u@test.example> ORCPT=rfc822;a ORCPT=rfc822;b',
        'RCPT TO:<u@test.example> NOTIFY=NEVER NOTIFY=NEVER',
        'QUIT',
      ],
    },
    { says: 'arguments where none may be', steps: ['RSET', 'RSET foo', 'DATA foo', 'QUIT now', 'QUIT'] },
    {
      says: 'NOOP and HELP with and without words',
      steps: ['NOOP foo', 'NOOP', 'HELP', 'HELP MAIL', 'QUIT'],
    },
    {
      says: 'commands that are not offered',
      steps: ['STARTTLS', 'AUTH PLAIN xx', 'AUTH', 'EHLO x', 'STARTTLS', 'AUTH LOGIN', 'QUIT'],
    },
    { says: 'VRFY of malformed addresses', steps: ['VRFY u', 'VRFY', 'QUIT'] },
    { says: 'EXPN and ETRN', steps: ['EXPN u', 'ETRN #x', 'QUIT'] },
    { says: 'ETRN within a transaction', steps: ['EHLO x', start[1], 'ETRN foo', 'QUIT'] },
    {
      says: 'unknown commands',
      steps: ['FOO', 'LHLO x', 'GET / HTTP/1.0', '  NOOP', 'mail from : <a@b>', 'QUIT'],
    },
    { says: 'an empty line', steps: ['', 'QUIT'] },
    { says: 'spaces at the end', steps: ['EHLO x  ', 'RSET   ', 'QUIT  '] },
    { says: 'NUL in a command', steps: ['EHLO\0 x', 'NOOP\0', 'QUIT'] },
    { says: 'DATA without recipients', steps: ['EHLO x', start[1], 'DATA', 'RSET', 'DATA', 'QUIT'] },
    {
      says: 'BDAT without recipients swallows its bytes',
      steps: ['EHLO x', { send: 'BDAT 7\r\nabcde\r\n', replies: 1 }, 'QUIT'],
    },
    { says: 'BDAT with wrong arguments', steps: ['EHLO x', 'BDAT', 'BDAT x', 'QUIT'] },
    {
      says: 'other commands between chunks',
      steps: [...start, { send: 'BDAT 8\r\nS: a\r\n\r\n', replies: 1 }, 'NOOP', 'DATA', 'RSET', 'QUIT'],
    },
    {
      says: 'a long HELO name and a long NOOP',
      steps: [`EHLO ${'x'.repeat(600)}`, `NOOP ${'y'.repeat(3000)}`, 'QUIT'],
    },
    { says: 'commands that end in LF', steps: ['EHLO x\n', 'NOOP\n', 'QUIT\n'], raw: true },
  ],
}

/** ACLs at the ends of messages and sessions. */
export const endings: Table = {
  name: 'endings',
  configuration: configuration(
    `acl_smtp_rcpt = accept
acl_smtp_predata = acl_predata
acl_smtp_data = acl_taken
acl_smtp_expn = acl_expn
acl_smtp_quit = acl_quit
acl_smtp_notquit = acl_notquit
smtp_max_unknown_commands = 1
allow_domain_literals`,
    `acl_predata:
  deny message = not by DATA
acl_taken:
  accept message = $message_size bytes are welcome
acl_expn:
  warn logwrite = expn <$local_part> <$domain>
  deny
acl_quit:
  accept logwrite = quit <$sender_address> $recipients_count $message_size
    message = bye $sender_helo_name
acl_notquit:
  accept logwrite = $smtp_notquit_reason <$sender_address> $recipients_count
    message = gone: $smtp_notquit_reason
`,
  ),
  dialogues: [
    {
      says: 'QUIT while a message is under way',
      steps: ['EHLO x', 'MAIL FROM:<a@b.example> SIZE=20', start[2], 'QUIT'],
    },
    {
      says: 'too many unknown commands while a message is under way',
      steps: ['EHLO x', start[1], 'FOO', 'BAR'],
    },
    {
      says: 'the ACL for DATA is not asked for BDAT',
      steps: [...start, 'DATA', 'BDAT 4 LAST\r\nabc\n', 'QUIT'],
    },
    {
      says: 'the size of a message without a blank line',
      steps: [...start, 'BDAT 14 LAST\r\nSubject: x\r\nabc', 'QUIT'],
    },
    { says: 'EXPN names no address to its ACL', steps: ['EHLO x', 'EXPN u@test.example', 'QUIT'] },
    {
      says: 'domain literals',
      steps: [
        'EHLO x',
        'MAIL FROM:<>',
        ...['[1.2.3.4]', '[IPv6:::1]', '[IPv6:::g]', '[x:y]', '[x.y]', '[]'].map(
          (domain) => `RCPT TO:<u@${domain}>`,
        ),
        'QUIT',
      ],
    },
  ],
}
