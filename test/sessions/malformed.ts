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
