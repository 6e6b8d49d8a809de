/** Messages in chunks, PRDR and SMTPUTF8. */
import { acls, configuration, generous } from './configuration.ts'
import type { Table } from './dialogue.ts'

const start = ['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>'] as const
const chunk = (text: string, last: boolean): string => `BDAT ${text.length}${last ? ' LAST' : ''}\r\n${text}`
const one = (text: string, replies = 1): { send: string; replies: number } => ({ send: text, replies })

export const chunks: Table = {
  name: 'chunks',
  configuration: configuration(`${acls}${generous}message_size_limit = 3000\n`),
  dialogues: [
    {
      says: 'two chunks',
      steps: [...start, one(chunk('S: a\r\n\r\nb', false)), one(chunk('c\r\n', true), 1), 'QUIT'],
    },
    {
      says: 'three chunks, the last one empty',
      steps: [
        ...start,
        one(chunk('S: a\r\n', false)),
        one(chunk('\r\nb\r\n', false)),
        one(chunk('', true), 1),
        'QUIT',
      ],
    },
    {
      says: 'chunks sent without waiting',
      steps: [...start, one(`${chunk('S: a\r\n\r\n', false)}${chunk('b\r\n', true)}`, 2), 'QUIT'],
    },
    {
      says: 'a chunk that is cut within CRLF',
      steps: [...start, one(chunk('S: a\r', false)), one(chunk('\n\r\nb\r\n', true), 1), 'QUIT'],
    },
    {
      says: 'dots have no meaning',
      steps: [...start, one(chunk('S: a\r\n\r\n.\r\n..\r\nx\r\n', true), 1), 'QUIT'],
    },
    { says: 'an empty message', steps: [...start, one(chunk('', true), 1), 'QUIT'] },
    { says: 'only headers', steps: [...start, one(chunk('S: a\r\n', true), 1), 'QUIT'] },
    { says: 'lower case', steps: [...start, one('bdat 9 last\r\nS: a\r\n\r\nb', 1), 'QUIT'] },
    {
      says: 'RSET between chunks',
      steps: [...start, one(chunk('S: a\r\n', false)), 'RSET', 'MAIL FROM:<a@b.example>', 'QUIT'],
    },
    {
      says: 'QUIT between chunks',
      differs: {
        because: 'Exim takes the piece of a message for the whole',
        instead: { 5: '221 mx.test.example closing connection\r\n' },
        logs: true,
      },
      steps: [...start, one(chunk('S: a\r\n', false)), 'QUIT'],
    },
    {
      says: 'MAIL between chunks',
      differs: {
        because: 'Exim reads the bytes of the chunk as commands',
        instead: {
          6: '503 only RSET accepted now\r\n',
          7: '250 Reset OK\r\n',
          8: '221 mx.test.example closing connection\r\n',
        },
        logs: true,
      },
      steps: [
        ...start,
        one(chunk('S: a\r\n', false)),
        'MAIL FROM:<a@b.example>',
        one(chunk('x\r\n', true)),
        'RSET',
        'QUIT',
      ],
    },
    {
      says: 'NOOP between chunks',
      steps: [...start, one(chunk('S: a\r\n\r\n', false)), 'NOOP', one(chunk('x\r\n', true), 1), 'QUIT'],
    },
    {
      says: 'EHLO between chunks',
      steps: [...start, one(chunk('S: a\r\n\r\n', false)), 'EHLO y', 'RSET', 'QUIT'],
    },
    { says: 'BDAT without CHUNKING offered', steps: ['HELO x', start[1], start[2], 'BDAT 5', 'QUIT'] },
    { says: 'BDAT before MAIL', steps: ['EHLO x', one(chunk('abc\r\n', true)), 'NOOP', 'QUIT'] },
    {
      says: 'BDAT without a size, in a transaction',
      steps: [...start, 'BDAT', 'BDAT x', 'QUIT'],
    },
    {
      says: 'a message refused after the last chunk',
      steps: [...start, one(chunk('Subject: reject\r\n\r\nb\r\n', true), 1), 'QUIT'],
    },
    {
      says: 'a message dropped after the last chunk',
      steps: [...start, one(chunk('Subject: gone\r\n\r\nb\r\n', true), 1)],
    },
    {
      says: 'two messages in chunks',
      steps: [
        ...start,
        one(chunk('S: a\r\n\r\nb\r\n', true), 1),
        'MAIL FROM:<c@d.example>',
        start[2],
        one(chunk('S: b\r\n\r\nb\r\n', true), 1),
        'QUIT',
      ],
    },
    {
      says: 'DATA after a message in chunks',
      steps: [
        ...start,
        one(chunk('S: a\r\n\r\nb\r\n', true), 1),
        'MAIL FROM:<c@d.example>',
        start[2],
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
  ],
}

const prdrAcl = `prdr_acl:
  deny local_parts = no
    message = not $local_part
  deny local_parts = plainno
  deny local_parts = logged
    message = told
    log_message = logged
  defer local_parts = later
  defer local_parts = laterword
    message = 452 4.2.2 full
  discard local_parts = thrown
  drop local_parts = dropped
  accept local_parts = worded
    message = yes, $local_part
  accept
`
const prdrTo = (...parts: string[]): string[] => parts.map((part) => `RCPT TO:<${part}@test.example>`)
const prdrDialogue = (says: string, parts: readonly string[], subject = 'x'): Table['dialogues'][number] => ({
  says,
  steps: [
    'EHLO x',
    'MAIL FROM:<a@b.example> PRDR',
    ...prdrTo(...parts),
    'DATA',
    one(`Subject: ${subject}\r\n\r\nx\r\n.`, parts.length < 2 ? 1 : parts.length + 2),
    'QUIT',
  ],
})

export const prdr: Table = {
  name: 'PRDR',
  configuration: configuration(
    'acl_smtp_rcpt = accept\nacl_smtp_data = acl_data\nprdr_enable\nacl_smtp_data_prdr = prdr_acl\n',
    prdrAcl,
  ),
  dialogues: [
    prdrDialogue('all are taken', ['u', 'v']),
    prdrDialogue('one is refused', ['u', 'no']),
    prdrDialogue('one is refused without words', ['plainno', 'u']),
    prdrDialogue('a refusal is logged in other words', ['logged', 'u']),
    prdrDialogue('one is deferred', ['u', 'later', 'laterword']),
    prdrDialogue('one is discarded', ['u', 'thrown']),
    prdrDialogue('drop is a refusal', ['dropped', 'u']),
    prdrDialogue('acceptance in words', ['worded', 'u']),
    prdrDialogue('all are refused', ['no', 'plainno']),
    prdrDialogue('one recipient is answered as usual', ['no']),
    prdrDialogue('the data ACL refuses all the same', ['u', 'v'], 'reject'),
    {
      says: 'PRDR is not asked for',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example>',
        ...prdrTo('u', 'no'),
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'PRDR with a value',
      differs: {
        because: 'PRDR takes no value: draft-hall-prdr-00 section 4',
        instead: {
          2: '501 <a@b.example> PRDR=1: malformed address: PRDR=1 may not follow <a@b.example> \r\n',
        },
        logs: true,
      },
      steps: ['EHLO x', 'MAIL FROM:<a@b.example> PRDR=1', 'QUIT'],
    },
    { says: 'PRDR after HELO', steps: ['HELO x', 'MAIL FROM:<a@b.example> PRDR', 'QUIT'] },
  ],
}

const utf8 = 'us\xc3\xa9r'

export const international: Table = {
  name: 'SMTPUTF8',
  configuration: configuration('acl_smtp_rcpt = accept\n').replace('smtputf8_advertise_hosts =\n', ''),
  dialogues: [
    {
      says: 'addresses in UTF-8',
      steps: [
        'EHLO x',
        `MAIL FROM:<${utf8}@b.example> SMTPUTF8`,
        `RCPT TO:<${utf8}@test.example>`,
        'DATA',
        `Subject: ${utf8}\r\n\r\nx\r\n.`,
        'QUIT',
      ],
    },
    {
      says: 'a domain in UTF-8',
      steps: [
        'EHLO x',
        `MAIL FROM:<a@${utf8}.example> SMTPUTF8`,
        `RCPT TO:<u@test.example>`,
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'a domain in UTF-8 without SMTPUTF8',
      steps: ['EHLO x', `MAIL FROM:<a@${utf8}.example>`, 'QUIT'],
    },
    {
      says: 'a local part in UTF-8 without SMTPUTF8',
      steps: ['EHLO x', `MAIL FROM:<${utf8}@b.example>`, 'QUIT'],
    },
    { says: 'SMTPUTF8 with a value', steps: ['EHLO x', 'MAIL FROM:<a@b.example> SMTPUTF8=yes', 'QUIT'] },
    { says: 'SMTPUTF8 after HELO', steps: ['HELO x', 'MAIL FROM:<a@b.example> SMTPUTF8', 'QUIT'] },
    {
      says: 'SMTPUTF8 with BODY and SIZE',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> SMTPUTF8 BODY=8BITMIME SIZE=10',
        'RCPT TO:<u@test.example>',
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'the next message is a plain one again',
      differs: { because: 'Exim keeps the protocol of the message before', logs: true },
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> SMTPUTF8',
        'RSET',
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    { says: 'EHLO in UTF-8', steps: [`EHLO ${utf8}.example`, 'QUIT'] },
  ],
}
