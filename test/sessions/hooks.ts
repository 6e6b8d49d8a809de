/** Every place where an ACL may run, and how each verdict shows to the client and in the logs. */
import { configuration } from './configuration.ts'
import type { Dialogue, Table } from './dialogue.ts'

const mail = ['MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>', 'DATA'] as const
const message = 'Subject: x\r\n\r\nx\r\n.'

/** Verdicts by the name that the client gives with EHLO. */
const byHelo = (place: string): string => `hook_${place}:
  deny condition = \${if eq{$sender_helo_name}{deny}}
  deny condition = \${if eq{$sender_helo_name}{word}}
    message = no thanks for ${place}
    log_message = logged for ${place}
  deny condition = \${if eq{$sender_helo_name}{code}}
    message = 554 5.7.1 coded ${place}
  defer condition = \${if eq{$sender_helo_name}{defer}}
  defer condition = \${if eq{$sender_helo_name}{soft}}
    message = 452 4.2.1 later ${place}
  drop condition = \${if eq{$sender_helo_name}{drop}}
  require condition = \${if eq{$sender_helo_name}{require}{no}{yes}}
  warn log_message = warned in ${place}
  accept condition = \${if eq{$sender_helo_name}{ok}}
    message = fine for ${place}
  accept
`

interface Hook {
  readonly place: string
  readonly option: string
  /** What is sent after EHLO. */
  readonly steps: Dialogue['steps']
}

const hooks: readonly Hook[] = [
  { place: 'vrfy', option: 'acl_smtp_vrfy', steps: ['VRFY u@test.example', 'QUIT'] },
  { place: 'expn', option: 'acl_smtp_expn', steps: ['EXPN u@test.example', 'QUIT'] },
  { place: 'etrn', option: 'acl_smtp_etrn', steps: ['ETRN foo', 'QUIT'] },
  { place: 'predata', option: 'acl_smtp_predata', steps: [...mail, 'QUIT'] },
  { place: 'quit', option: 'acl_smtp_quit', steps: ['QUIT'] },
  {
    place: 'mailauth',
    option: 'acl_smtp_mailauth',
    steps: ['MAIL FROM:<a@b.example> AUTH=x@y.example', 'QUIT'],
  },
  { place: 'data', option: 'acl_smtp_data', steps: [...mail, message, 'QUIT'] },
]

const names = ['deny', 'word', 'code', 'defer', 'soft', 'drop', 'require', 'ok', 'other'] as const

/** DATA after an acceptance goes on with the message: only the refusals are played for predata. */
function wanted({ place }: Hook, name: (typeof names)[number]): boolean {
  return place !== 'predata' || (name !== 'ok' && name !== 'other')
}

export const hooksTable: Table = {
  name: 'ACL hooks',
  configuration: configuration(
    [
      'acl_smtp_mail = accept',
      'acl_smtp_rcpt = accept',
      ...hooks.map(({ option, place }) => `${option} = hook_${place}`),
      '',
    ].join('\n'),
    hooks.map(({ place }) => byHelo(place)).join(''),
  ),
  dialogues: hooks.flatMap((hook) =>
    names
      .filter((name) => wanted(hook, name))
      .map((name) => ({ says: `${hook.place}: ${name}`, steps: [`EHLO ${name}`, ...hook.steps] })),
  ),
}

/** `$smtp_notquit_reason` and what it takes to get there. */
export const notquit: Table = {
  name: 'not QUIT',
  configuration: configuration(
    `acl_smtp_rcpt = hook_rcpt
acl_smtp_mail = accept
acl_smtp_notquit = hook_notquit
acl_smtp_quit = hook_quit
smtp_max_unknown_commands = 1
smtp_accept_max_nonmail = 2
smtp_max_synprot_errors = 1
smtp_receive_timeout = 2s
`,
    `hook_rcpt:
  drop local_parts = drop
  accept
hook_notquit:
  warn logwrite = notquit: $smtp_notquit_reason
  accept
hook_quit:
  warn logwrite = quit seen
  accept
`,
  ),
  dialogues: [
    { says: 'QUIT is no not-QUIT', steps: ['EHLO x', 'QUIT'] },
    { says: 'the client is gone', steps: ['EHLO x'], closes: 'client' },
    { says: 'too many unknown commands', steps: ['FOO', 'BAR'] },
    { says: 'too many errors', steps: ['EHLO x', 'MAIL FROM:', 'MAIL FROM:'] },
    { says: 'too many nonmail commands', steps: ['NOOP', 'NOOP', 'NOOP'] },
    { says: 'dropped by an ACL', steps: ['EHLO x', mail[0], 'RCPT TO:<drop@test.example>'] },
    { says: 'out of step', steps: ['EHLO x', { send: 'NOOP\r\nNOOP', replies: 1 }] },
    { says: 'silence before a command', steps: ['EHLO x', { send: 'NO', replies: 1 }], raw: true },
    {
      says: 'silence in the data',
      steps: ['EHLO x\r\n', `${mail[0]}\r\n`, `${mail[1]}\r\n`, 'DATA\r\n', { send: 'S: x\r\n', replies: 1 }],
      raw: true,
    },
    {
      says: 'the client is gone in the data',
      steps: [
        'EHLO x\r\n',
        `${mail[0]}\r\n`,
        `${mail[1]}\r\n`,
        'DATA\r\n',
        { send: 'S: x\r\n\r\nx', replies: 0 },
      ],
      raw: true,
      closes: 'client',
    },
  ],
}
