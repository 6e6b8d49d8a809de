/** What random dialogues once showed: see test/fuzz/beside-exim/smtp-connections.ts. */
import { configuration, generous } from './configuration.ts'
import type { Table } from './dialogue.ts'

const notquit = `notquit:
  warn logwrite = notquit $smtp_notquit_reason sa=<$sender_address>
  accept message = gone
`

export const foundByChance: Table = {
  name: 'found by chance',
  configuration:
    configuration(
      `smtp_max_synprot_errors = 20
smtp_max_unknown_commands = 20
smtp_accept_max_nonmail = 3
sender_unqualified_hosts = 127.0.0.2
helo_accept_junk_hosts = 127.0.0.3
helo_verify_hosts = 127.0.0.4
print_topbitchars = true
pipelining_connect_advertise_hosts =
acl_smtp_connect = connect
acl_smtp_helo = helo
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
acl_smtp_vrfy = accept
acl_smtp_mailauth = accept
acl_smtp_quit = quit
acl_smtp_notquit = notquit
`,
      `connect:
  deny hosts = 127.0.0.5
    encrypted = *
  accept
helo:
  deny condition = \${if eq{$sender_helo_name}{bad}}
  deny condition = \${if eq{$sender_helo_name}{cipher}}
    encrypted = *
  accept
mail:
  discard senders = gone@b.example
  drop senders = drop@b.example
  accept
rcpt:
  warn local_parts = single
    control = no_pipelining
    control = no_enforce_sync
  accept
quit:
  warn logwrite = as=<$authenticated_sender>
  accept
${notquit}`,
    ).replace(
      'begin routers\n',
      'begin routers\nwaits:\n  driver = redirect\n  local_parts = waits\n  data = :defer: not now\n  allow_defer\n',
    ) +
    `begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = secret
`,
  dialogues: [
    {
      says: 'the last word to a client out of step is that of acl_smtp_notquit',
      steps: [{ send: 'HELO x\r\nNOOP', replies: 1 }],
    },
    { says: 'and to one with too many nonmail commands', steps: ['HELO x', 'NOOP', 'NOOP', 'NOOP', 'NOOP'] },
    {
      says: 'EHLO that is refused changes nothing of what was offered',
      steps: [
        'EHLO x',
        'EHLO bad',
        { send: 'MAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>', replies: 2 },
        'BDAT 9 LAST\r\nS: x\r\n\r\nz',
        'EHLO @',
        { send: 'MAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>', replies: 2 },
        'QUIT',
      ],
    },
    {
      says: 'a sender without a domain is logged as it came when its message is given up',
      from: '127.0.0.2',
      steps: ['EHLO x', 'MAIL FROM:<a>', 'RSET', 'QUIT'],
    },
    {
      says: 'what comes with AUTH of a mechanism with a challenge is refused before it is looked at',
      steps: ['EHLO x', 'AUTH CRAM-MD5 x', 'QUIT'],
    },
    {
      says: 'a name that does not fit the host stays in the log',
      from: '127.0.0.4',
      steps: ['ehlo nowhere.example', 'MAIL FROM:<>', 'QUIT'],
    },
    {
      says: 'no name at all, from a host that may say anything',
      from: '127.0.0.3',
      steps: ['EHLO', 'QUIT'],
      differs: { because: 'Exim logs the name as ()', logs: true },
    },
    {
      says: 'AUTH of MAIL is about one message',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example> AUTH=c@d.example',
        'RCPT TO:<u@test.example>',
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'encrypted can be tested when a client connects',
      from: '127.0.0.5',
      steps: ['EHLO x', 'QUIT'],
    },
    { says: 'encrypted cannot be tested at HELO', steps: ['EHLO cipher', 'QUIT'] },
    {
      says: 'control = no_pipelining and no_enforce_sync of one message hold for the connection',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<single@test.example>',
        'EHLO x',
        {
          send: 'VRFY a@test.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\nRSET\r\nQUIT',
          replies: 5,
        },
      ],
    },
    {
      says: 'bytes beyond ASCII in commands, print_topbitchars',
      steps: ['HELO x', 'j\xe9', 'HELO j\xe9', 'QUIT'],
    },
    { says: 'VRFY tells why it cannot say', steps: ['EHLO x', 'VRFY waits@test.example', 'QUIT'] },
    {
      says: 'a header without a name is a header',
      steps: [
        'EHLO x',
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        'S: x\r\n: y\r\nT: z\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    {
      says: 'MAIL was discarded, and no RCPT was taken',
      steps: ['EHLO x', 'MAIL FROM:<gone@b.example>', 'RCPT TO:<u@@test.example>', 'DATA', 'QUIT'],
    },
    {
      says: 'the address is looked at before its size',
      steps: ['EHLO x', 'MAIL FROM:<a@@b.example> SIZE=99999999999', 'QUIT'],
    },
    {
      says: 'after a drop at MAIL, acl_smtp_notquit sees the message',
      steps: ['EHLO x', 'MAIL FROM:<drop@b.example>'],
    },
  ],
}

/** Lines that a log selector leaves out. */
export const foundUnselected: Table = {
  name: 'found by chance, little logged',
  configuration: configuration(
    `${generous}acl_smtp_connect = connect
acl_smtp_rcpt = accept
acl_smtp_data = accept
`,
    `connect:
  deny hosts = 127.0.0.2
    domains = x
  accept
`,
  ).replace(/^log_selector = .*$/m, 'log_selector = -connection_reject -lost_incoming_connection'),
  dialogues: [
    { says: 'a connection that the connect ACL refuses', from: '127.0.0.2', steps: ['HELO x'] },
    {
      says: 'a client that goes amid a message',
      steps: [
        'HELO x',
        'MAIL FROM:<>',
        'RCPT TO:<u@test.example>',
        'DATA',
        { send: 'S: x\r\n\r\nx', replies: 0 },
      ],
      closes: 'client',
    },
  ],
}
