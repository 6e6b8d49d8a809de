/** Messages that are taken. */
import { acls, configuration, generous } from './configuration.ts'
import type { Table } from './dialogue.ts'

const start = ['EHLO client.example', 'MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>'] as const

export const mail: Table = {
  name: 'mail',
  configuration: configuration(`${acls}${generous}dsn_advertise_hosts = *`),
  dialogues: [
    { says: 'EHLO and one message', steps: [...start, 'DATA', 'Subject: hi\r\n\r\nbody\r\n.', 'QUIT'] },
    {
      says: 'HELO and one message',
      steps: [
        'HELO x',
        'MAIL FROM:<>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'Subject: hi\r\n\r\nbody\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'two messages with RSET between',
      steps: [
        ...start,
        'DATA',
        '\r\none\r\n.',
        'RSET',
        'MAIL FROM:<c@d.example>',
        'RCPT TO:<v@test.example>',
        'RCPT TO:<w@test.example>',
        'DATA',
        '\r\ntwo\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'commands in one packet',
      steps: [
        'EHLO x',
        { send: 'MAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\nDATA', replies: 3 },
        { send: 'S: a\r\n\r\nx\r\n.\r\nQUIT', replies: 2 },
      ],
    },
    { says: 'stuffed dots are undone', steps: [...start, 'DATA', 'S: a\r\n\r\n..x\r\n...\r\n.', 'QUIT'] },
    { says: 'a message without headers', steps: [...start, 'DATA', '\r\nno headers\r\n.', 'QUIT'] },
    { says: 'a body that begins at once', steps: [...start, 'DATA', 'no headers\r\nfoo\r\n.', 'QUIT'] },
    { says: 'an empty message', steps: [...start, 'DATA', '.', 'QUIT'] },
    {
      says: 'folded headers, and a line that is none',
      steps: [...start, 'DATA', 'S: x\r\n y\r\n\tz\r\nbroken\r\nX: y\r\n.', 'QUIT'],
    },
    {
      says: 'headers that do not belong into transit',
      steps: [
        ...start,
        'DATA',
        'Return-Path: <x>\r\nEnvelope-To: y\r\nDelivery-Date: z\r\nSender: me@here.example\r\nBcc: b@b.example\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'message id, subject with quotes and an encoded word',
      steps: [
        ...start,
        'DATA',
        'Message-ID: <foo@bar.example>\r\nSubject: a "b" \\c\r\n and =?utf-8?q?=C3=A9?=\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'SIZE and BODY',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME',
        start[2],
        'DATA',
        '\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'BODY=7BIT',
      steps: ['EHLO x', 'MAIL FROM:<a@b.example> body=7bit size=10', start[2], 'DATA', '\r\nx\r\n.', 'QUIT'],
    },
    {
      says: 'DSN parameters',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> RET=HDRS ENVID=x+20y',
        'RCPT TO:<u@test.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;u@test.example',
        'RCPT TO:<v@test.example> NOTIFY=NEVER',
        'DATA',
        '\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'BDAT in one piece',
      steps: [...start, { send: 'BDAT 11 LAST\r\nS: a\r\n\r\nb\r\n', replies: 2 }, 'QUIT'],
    },
    {
      says: 'BDAT without a last line end',
      steps: [...start, { send: 'BDAT 9 LAST\r\nS: a\r\n\r\nb', replies: 2 }, 'QUIT'],
    },
    { says: 'an ACL adds a header', steps: [...start, 'DATA', 'Subject: add\r\n\r\nx\r\n.', 'QUIT'] },
    {
      says: 'an ACL words the acceptance',
      steps: ['EHLO x', start[1], 'RCPT TO:<worded@test.example>', 'QUIT'],
    },
    {
      says: 'postmaster needs no domain',
      steps: ['HELO x', 'MAIL FROM:<>', 'RCPT TO:<postmaster>', 'RCPT TO:<PostMaster>', 'QUIT'],
    },
    {
      says: 'source routes and quoted local parts',
      steps: [
        'EHLO x',
        'MAIL FROM:<@a.example,@c.example:x@y.example>',
        'RCPT TO:<u@TEST.Example>',
        'RCPT TO:"quoted x"@test.example',
        'RCPT TO:<U@test.example> ',
        'QUIT',
      ],
    },
    {
      says: 'spaces after the colon, no brackets',
      steps: [
        'HELO x',
        'MAIL FROM: <a@b.example>',
        'RSET',
        'MAIL FROM:a@b.example',
        'RCPT TO:u@test.example',
        'QUIT',
      ],
    },
    {
      says: 'commands in small letters',
      steps: ['ehlo x', 'mail from:<a@b.example>', 'rcpt to:<u@test.example>', 'data', '\r\nx\r\n.', 'quit'],
    },
    { says: 'the client goes without QUIT', steps: [...start, 'DATA', '\r\nx\r\n.'], closes: 'client' },
    { says: 'the client goes before MAIL', steps: ['EHLO x'], closes: 'client' },
    { says: 'the client goes at once', steps: [], closes: 'client' },
    { says: 'a transaction given up', steps: [...start, 'RSET', 'MAIL FROM:<a@b.example>', 'QUIT'] },
    { says: 'EHLO gives up a transaction', steps: [...start, 'EHLO y', 'QUIT'] },
  ],
}
