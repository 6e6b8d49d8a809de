/** Clients that go too far. */
import { acls, configuration } from './configuration.ts'
import type { Dialogue, Table } from './dialogue.ts'

const start = ['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>'] as const

export const limits: Table = {
  name: 'limits',
  configuration: configuration(
    `${acls}smtp_max_synprot_errors = 3
smtp_max_unknown_commands = 3
smtp_accept_max_nonmail = 4
message_size_limit = 2000
recipients_max = 2
header_maxsize = 1000
header_line_maxsize = 300
smtp_accept_max_per_connection = 2
`,
  ),
  dialogues: [
    { says: 'too many unknown commands', steps: ['FOO', 'BAR', 'BAZ', 'QUX'] },
    {
      says: 'too many syntax errors',
      steps: ['HELO x', 'MAIL FROM:', 'MAIL FROM:', 'MAIL FROM:', 'MAIL FROM:'],
    },
    { says: 'too many invalid HELO names', steps: ['HELO', 'HELO', 'HELO', 'HELO'] },
    { says: 'too many nonmail commands', steps: ['NOOP', 'NOOP', 'NOOP', 'NOOP', 'NOOP'] },
    {
      says: 'too many nonmail commands in a transaction',
      steps: ['EHLO x', 'EHLO x', 'RSET', 'RSET', 'NOOP', 'NOOP', 'MAIL FROM:<>', 'RSET'],
    },
    {
      says: 'one RSET is free in a transaction too',
      steps: ['EHLO x', ...Array.from({ length: 6 }, () => ['MAIL FROM:<>', 'RSET']).flat()],
    },
    {
      says: 'too many recipients',
      steps: [
        ...start,
        'RCPT TO:<v@test.example>',
        'RCPT TO:<w@test.example>',
        'RCPT TO:<x@test.example>',
        'DATA',
        '\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'too many messages',
      steps: [
        ...start,
        'DATA',
        '\r\n.',
        'MAIL FROM:<>',
        'RCPT TO:<u@test.example>',
        'DATA',
        '\r\n.',
        'MAIL FROM:<>',
        'QUIT',
      ],
    },
    {
      says: 'a message that says it is too big',
      steps: ['EHLO x', 'MAIL FROM:<a@b.example> SIZE=3000', 'QUIT'],
    },
    {
      says: 'a message that is too big',
      steps: [...start, 'DATA', `S: a\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(40)}.`, 'QUIT'],
      differs: {
        because: 'the number of bytes read when the limit is noticed depends on packets',
        logs: true,
      },
    },
    {
      says: 'a header that is too long',
      steps: [...start, 'DATA', `S: ${'x'.repeat(400)}\r\n\r\nx\r\n.`, 'QUIT'],
    },
    {
      says: 'a header section that is too long',
      steps: [...start, 'DATA', `${`S: ${'x'.repeat(97)}\r\n`.repeat(20)}\r\nx\r\n.`, 'QUIT'],
    },
  ],
}

/** Beyond the limits for good. */
export const limitsForGood: Table = {
  name: 'limits for good',
  configuration: configuration(
    `${acls}recipients_max = 1
recipients_max_reject
smtp_accept_max_per_connection = 1
smtp_max_synprot_errors = 1
`,
  ),
  dialogues: [
    {
      says: 'too many recipients refuse the message',
      steps: [...start, 'RCPT TO:<v@test.example>', 'DATA', 'MAIL FROM:<b@b.example>', 'QUIT'],
    },
    {
      says: 'too many recipients refuse the message in chunks',
      steps: [...start, 'RCPT TO:<v@test.example>', { send: 'BDAT 6 LAST\r\nS: x\r\n', replies: 1 }, 'QUIT'],
    },
    {
      says: 'MAIL commands that failed count as messages',
      steps: ['EHLO x', 'MAIL FROM:', 'MAIL FROM:<a@b.example>', 'QUIT'],
    },
    {
      says: 'commands grouped behind a message too many',
      steps: [
        ...start,
        'DATA',
        '\r\n.',
        'MAIL FROM:<>',
        'RCPT TO:<u@test.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'QUIT',
      ],
    },
    ...['', 'S', 'S: x\r\n', 'S: x\r\n y', 'S: x\r\n\r\n', 'S: x\r\n\r\nabc\r\n'].map((sent) => ({
      says: `a client that goes after ${JSON.stringify(sent)}`,
      steps: [...[...start, 'DATA'].map((line) => `${line}\r\n`), { send: sent, replies: 0 }],
      raw: true as const,
      closes: 'client' as const,
    })),
  ],
}

const sync = '554 SMTP synchronization error\r\n'

const tooEarly: readonly Dialogue[] = [
  { says: 'EHLO and more in one packet', steps: [{ send: 'EHLO x\r\nNOOP', replies: 1 }] },
  { says: 'NOOP and more in one packet', steps: ['EHLO x', { send: 'NOOP\r\nNOOP', replies: 1 }] },
  { says: 'VRFY and more in one packet', steps: ['EHLO x', { send: 'VRFY a@b\r\nNOOP', replies: 1 }] },
  {
    says: 'an unknown command and more in one packet',
    steps: ['EHLO x', { send: 'FOO\r\nNOOP', replies: 1 }],
  },
  {
    says: 'RSET and MAIL in one packet',
    steps: ['EHLO x', { send: 'RSET\r\nMAIL FROM:<a@b>', replies: 2 }, 'QUIT'],
  },
  {
    says: 'MAIL and RCPT in one packet after HELO',
    steps: ['HELO x', { send: 'MAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>', replies: 1 }],
  },
  {
    says: 'DATA and the message in one packet',
    steps: [...start, { send: 'DATA\r\nS: x\r\n\r\nb\r\n.', replies: 1 }],
  },
  {
    says: 'QUIT behind the end of the message',
    steps: [...start, 'DATA', { send: 'S: x\r\n\r\nb\r\n.\r\nQUIT', replies: 2 }],
  },
  {
    says: 'RSET and NOOP in one packet after HELO',
    steps: ['HELO x', { send: 'RSET\r\nNOOP', replies: 2 }, 'QUIT'],
  },
  {
    says: 'RSET and MAIL in one packet after HELO',
    steps: ['HELO x', { send: 'RSET\r\nMAIL FROM:<a@b.example>', replies: 2 }, 'QUIT'],
  },
  {
    says: 'RSET and NOOP in one packet after EHLO',
    steps: ['EHLO x', { send: 'RSET\r\nNOOP', replies: 2 }, 'QUIT'],
  },
  {
    says: 'RSET and QUIT before any greeting',
    steps: [{ send: 'RSET\r\nQUIT', replies: 2 }],
  },
  {
    says: 'MAIL and NOOP in one packet',
    steps: ['EHLO x', { send: 'MAIL FROM:<a@b.example>\r\nNOOP', replies: 2 }, 'QUIT'],
  },
  {
    says: 'RCPT and QUIT in one packet',
    steps: ['EHLO x', 'MAIL FROM:<a@b.example>', { send: 'RCPT TO:<u@test.example>\r\nQUIT', replies: 2 }],
  },
  {
    says: 'RCPT, DATA and the message in one packet',
    steps: [
      'EHLO x',
      'MAIL FROM:<a@b.example>',
      { send: 'RCPT TO:<u@test.example>\r\nDATA\r\nS: x\r\n\r\nb\r\n.', replies: 2 },
    ],
  },
  {
    says: 'DATA without recipients, and more in one packet',
    steps: ['EHLO x', 'MAIL FROM:<a@b.example>', { send: 'DATA\r\nRSET\r\nQUIT', replies: 3 }],
  },
  {
    says: 'DATA and the first line of the message in one packet',
    steps: [...start, { send: 'DATA\r\nSubject: x', replies: 1 }],
  },
  { says: 'QUIT and more in one packet', steps: ['EHLO x', { send: 'QUIT\r\nNOOP', replies: 1 }] },
  { says: 'HELP and more in one packet', steps: ['EHLO x', { send: 'HELP\r\nNOOP', replies: 2 }, 'QUIT'] },
  { says: 'HELO and more in one packet', steps: [{ send: 'HELO x\r\nNOOP', replies: 1 }] },
  {
    says: 'HELO without a name and more in one packet',
    steps: [{ send: 'HELO\r\nNOOP', replies: 1 }],
  },
  { says: 'ETRN and more in one packet', steps: ['EHLO x', { send: 'ETRN #x\r\nNOOP', replies: 1 }] },
  { says: 'EXPN and more in one packet', steps: ['EHLO x', { send: 'EXPN a\r\nNOOP', replies: 1 }] },
  { says: 'AUTH and more in one packet', steps: ['EHLO x', { send: 'AUTH PLAIN\r\nNOOP', replies: 1 }] },
  {
    says: 'STARTTLS and more in one packet, where it is not offered',
    steps: ['EHLO x', { send: 'STARTTLS\r\nNOOP', replies: 1 }],
  },
  {
    says: 'an empty line and more in one packet',
    steps: ['EHLO x', { send: '\r\nNOOP', replies: 1 }],
  },
  {
    says: 'a message and MAIL of the next in one packet',
    steps: [
      ...start,
      'DATA',
      { send: 'S: x\r\n\r\nb\r\n.\r\nMAIL FROM:<c@d.example>\r\nRCPT TO:<u@test.example>', replies: 3 },
      'QUIT',
    ],
  },
  {
    says: 'a whole transaction in one packet, but for the message',
    steps: [
      'EHLO x',
      { send: 'MAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\nDATA', replies: 3 },
      'S: x\r\n\r\nb\r\n.',
      'QUIT',
    ],
  },
  {
    says: 'after HELO a message and QUIT in one packet',
    steps: [
      'HELO x',
      'MAIL FROM:<a@b.example>',
      'RCPT TO:<u@test.example>',
      'DATA',
      { send: 'S: x\r\n\r\nb\r\n.\r\nQUIT', replies: 2 },
    ],
  },
]

export const synchronisation: Table = {
  name: 'synchronisation',
  configuration: configuration(`${acls}pipelining_connect_advertise_hosts =\n`),
  dialogues: tooEarly,
}

/** Where Exim takes for the message what came with DATA: the step, and what is answered to it here. */
const afterData: ReadonlyMap<string, readonly [number, string]> = new Map([
  ['DATA and the message in one packet', [4, sync]],
  ['RCPT, DATA and the message in one packet', [3, `250 Accepted\r\n${sync}`]],
  ['DATA without recipients, and more in one packet', [3, sync]],
  ['DATA and the first line of the message in one packet', [4, sync]],
])

function differsAt([step, reply]: readonly [number, string]): NonNullable<Dialogue['differs']> {
  return {
    because: 'the answer to DATA must be waited for: RFC 2920 section 3.1',
    instead: { [step]: reply },
    logs: true,
  }
}

/** With early pipelining offered, much is excused until the first message. */
export const earlySynchronisation: Table = {
  name: 'synchronisation, early pipelining offered',
  configuration: configuration(acls),
  dialogues: tooEarly.map((dialogue) => {
    const step = afterData.get(dialogue.says)
    if (step !== undefined) return { ...dialogue, differs: differsAt(step) }
    return dialogue.says === 'MAIL and RCPT in one packet after HELO'
      ? { ...dialogue, differs: { because: 'MAIL is refused before it is obeyed', logs: true } }
      : dialogue
  }),
}
