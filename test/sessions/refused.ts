/** Clients, senders, recipients and messages that an ACL refuses. */
import { acls, configuration, generous } from './configuration.ts'
import type { Table } from './dialogue.ts'

const start = ['EHLO client.example', 'MAIL FROM:<a@b.example>'] as const
const message = (subject: string): string[] => [
  ...start,
  'RCPT TO:<u@test.example>',
  'DATA',
  `Subject: ${subject}\r\n\r\nx\r\n.`,
  'QUIT',
]

export const refused: Table = {
  name: 'refused',
  configuration: configuration(`${acls}${generous}`),
  dialogues: [
    {
      says: 'MAIL denied with words, then deferred',
      steps: ['EHLO x', 'MAIL FROM:<bad@test.example>', 'MAIL FROM:<defer@test.example>', 'QUIT'],
    },
    { says: 'MAIL dropped', steps: ['EHLO x', 'MAIL FROM:<drop@test.example>'] },
    { says: 'RCPT denied in two lines', steps: [...start, 'RCPT TO:<denied@test.example>', 'QUIT'] },
    { says: 'RCPT denied with a code', steps: [...start, 'RCPT TO:<coded@test.example>', 'QUIT'] },
    {
      says: 'RCPT denied with a code of the wrong class',
      steps: [...start, 'RCPT TO:<wrongcode@test.example>', 'QUIT'],
    },
    { says: 'RCPT denied without words', steps: [...start, 'RCPT TO:<plain@test.example>', 'QUIT'] },
    {
      says: 'RCPT deferred',
      steps: [...start, 'RCPT TO:<later@test.example>', 'RCPT TO:<softcode@test.example>', 'QUIT'],
    },
    { says: 'RCPT dropped', steps: [...start, 'RCPT TO:<gone@test.example>'] },
    { says: 'relaying refused', steps: [...start, 'RCPT TO:<u@elsewhere.example>', 'QUIT'] },
    {
      says: 'RCPT discarded',
      steps: [...start, 'RCPT TO:<discard@test.example>', 'DATA', 'Subject: x\r\n\r\nx\r\n.', 'QUIT'],
    },
    {
      says: 'one of two RCPT discarded',
      steps: [
        ...start,
        'RCPT TO:<discard@test.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'Subject: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'DATA after one refusal repeats it',
      steps: [...start, 'RCPT TO:<denied@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'DATA after different refusals',
      steps: [...start, 'RCPT TO:<denied@test.example>', 'RCPT TO:<plain@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'DATA after a refusal, without pipelining',
      steps: ['HELO x', start[1], 'RCPT TO:<denied@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'RCPT and DATA after a refused MAIL',
      steps: [
        'EHLO x',
        'MAIL FROM:<bad@test.example>',
        'RCPT TO:<u@test.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'RSET',
        'RCPT TO:<u@test.example>',
        'QUIT',
      ],
    },
    {
      says: 'BDAT after refused recipients',
      steps: [
        ...start,
        'RCPT TO:<denied@test.example>',
        { send: 'BDAT 5 LAST\r\nabc\r\n', replies: 1 },
        'QUIT',
      ],
    },
    { says: 'a message denied after DATA', steps: message('reject') },
    { says: 'a message denied after DATA with a code', steps: message('coded') },
    { says: 'a message deferred after DATA', steps: message('later') },
    { says: 'a message dropped after DATA', steps: message('gone').slice(0, -1) },
    { says: 'a message discarded after DATA', steps: message('discard') },
    {
      says: 'another message after a refused one',
      steps: [
        ...message('reject').slice(0, -1),
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        '\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'EXPN, VRFY and ETRN without ACLs',
      steps: ['HELO x', 'VRFY u@test.example', 'EXPN u@test.example', 'ETRN #x', 'QUIT'],
    },
  ],
}

export const refusedEarly: Table = {
  name: 'refused early',
  configuration: configuration(
    `${acls}${generous}acl_smtp_helo = acl_helo
acl_smtp_connect = accept message=welcome message
acl_smtp_quit = accept message=bye now
acl_smtp_predata = acl_predata
acl_smtp_vrfy = acl_vrfy
acl_smtp_expn = accept
helo_verify_hosts =
`,
    `acl_helo:
  deny condition = \${if eq{$sender_helo_name}{a}}
  defer condition = \${if eq{$sender_helo_name}{b}}
  drop condition = \${if eq{$sender_helo_name}{c}}
  accept condition = \${if eq{$sender_helo_name}{d}}
    message = hello message
  accept
acl_predata:
  deny senders = pre@x.example
  defer senders = predefer@x.example
  drop senders = predrop@x.example
  accept
acl_vrfy:
  accept local_parts = yes
  deny
`,
  ),
  dialogues: [
    { says: 'HELO denied, deferred', steps: ['HELO a', 'EHLO b', 'HELO x', 'QUIT'] },
    { says: 'HELO dropped', steps: ['EHLO c'] },
    { says: 'HELO answered by the ACL', steps: ['EHLO d', 'HELO d', 'QUIT'] },
    {
      says: 'DATA denied',
      steps: ['EHLO x', 'MAIL FROM:<pre@x.example>', 'RCPT TO:<u@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'DATA deferred',
      steps: ['EHLO x', 'MAIL FROM:<predefer@x.example>', 'RCPT TO:<u@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'DATA dropped',
      steps: ['EHLO x', 'MAIL FROM:<predrop@x.example>', 'RCPT TO:<u@test.example>', 'DATA'],
    },
    {
      says: 'VRFY accepted and not',
      steps: ['HELO x', 'VRFY yes@test.example', 'VRFY no@test.example', 'QUIT'],
    },
    { says: 'EXPN accepted', steps: ['HELO x', 'EXPN u@test.example', 'QUIT'] },
  ],
}

export const turnedAway: Table = {
  name: 'turned away',
  configuration: configuration(
    `${acls}acl_smtp_connect = acl_connect\nhost_reject_connection = 127.0.0.9\n`,
    `acl_connect:
  deny hosts = 127.0.0.2
    message = go away
  defer hosts = 127.0.0.3
  drop hosts = 127.0.0.4
    message = 554 5.7.1 no
  accept
`,
  ),
  dialogues: [
    { says: 'denied at connect', steps: [], from: '127.0.0.2' },
    { says: 'deferred at connect', steps: [], from: '127.0.0.3' },
    { says: 'dropped at connect', steps: [], from: '127.0.0.4' },
    { says: 'rejected by host_reject_connection', steps: [], from: '127.0.0.9' },
  ],
}

export const noRcptAcl: Table = {
  name: 'no ACL for RCPT',
  configuration: configuration(''),
  dialogues: [
    {
      says: 'without acl_smtp_rcpt nothing is taken',
      steps: ['HELO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>', 'QUIT'],
    },
  ],
}
