/** AUTH, STARTTLS, and what they change. */
import { configuration } from './configuration.ts'
import type { Table } from './dialogue.ts'

const plain = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
const good = plain('\0joe\0secret')
const bad = plain('\0joe\0wrong')

export const authenticators = `begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{joe}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{joe}}{eq{$auth2}{secret}}}}
  server_set_id = $auth1
deferring:
  driver = plaintext
  public_name = DEFER
  server_prompts = :
  server_condition = \${if eq{$auth1}{x}{maybe}{perhaps}}
hidden:
  driver = plaintext
  public_name = HIDDEN
  server_advertise_condition = no
  server_prompts = :
  server_condition = yes
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = secret
  server_set_id = $auth1
`
const options = `acl_smtp_rcpt = auth_rcpt
acl_smtp_mail = accept
smtp_max_synprot_errors = 20
`
const acl = `auth_rcpt:
  accept authenticated = *
    logwrite = as $authenticated_id by $sender_host_authenticated
  deny message = who are you
`
const start = ['EHLO x'] as const
const mail = ['MAIL FROM:<a@b.example>', 'RCPT TO:<u@test.example>'] as const

export const authentication: Table = {
  name: 'AUTH',
  configuration: configuration(options, acl) + authenticators,
  dialogues: [
    {
      says: 'PLAIN at once',
      steps: [...start, `AUTH PLAIN ${good}`, ...mail, 'DATA', 'S: x\r\n\r\nx\r\n.', 'QUIT'],
    },
    { says: 'PLAIN with a prompt', steps: [...start, 'AUTH PLAIN', good, ...mail, 'QUIT'] },
    { says: 'PLAIN wrong', steps: [...start, `AUTH PLAIN ${bad}`, ...mail, 'QUIT'] },
    { says: 'PLAIN wrong, then right', steps: [...start, `AUTH PLAIN ${bad}`, `AUTH PLAIN ${good}`, 'QUIT'] },
    { says: 'PLAIN in small letters', steps: [...start, `auth plain ${good}`, 'QUIT'] },
    { says: 'LOGIN', steps: [...start, 'AUTH LOGIN', plain('joe'), plain('secret'), ...mail, 'QUIT'] },
    {
      says: 'LOGIN with the name at once',
      steps: [...start, `AUTH LOGIN ${plain('joe')}`, plain('secret'), 'QUIT'],
    },
    { says: 'LOGIN wrong', steps: [...start, 'AUTH LOGIN', plain('joe'), plain('wrong'), 'QUIT'] },
    { says: 'LOGIN given up', steps: [...start, 'AUTH LOGIN', '*', 'QUIT'] },
    { says: 'LOGIN with an empty name', steps: [...start, 'AUTH LOGIN', '', plain('x'), 'QUIT'] },
    { says: 'answers that are no base 64', steps: [...start, 'AUTH LOGIN', '!!!', 'AUTH PLAIN %%%', 'QUIT'] },
    { says: 'an answer of one equals sign', steps: [...start, 'AUTH PLAIN =', 'QUIT'] },
    { says: 'an unknown mechanism', steps: [...start, 'AUTH FOO', 'AUTH', 'QUIT'] },
    { says: 'a mechanism that is not offered', steps: [...start, 'AUTH HIDDEN =', 'QUIT'] },
    { says: 'a condition that is neither yes nor no', steps: [...start, `AUTH DEFER ${plain('x')}`, 'QUIT'] },
    { says: 'AUTH twice', steps: [...start, `AUTH PLAIN ${good}`, `AUTH PLAIN ${good}`, 'QUIT'] },
    { says: 'AUTH in a transaction', steps: [...start, mail[0], `AUTH PLAIN ${good}`, 'QUIT'] },
    { says: 'AUTH after HELO', steps: ['HELO x', `AUTH PLAIN ${good}`, 'QUIT'] },
    { says: 'EHLO after AUTH', steps: [...start, `AUTH PLAIN ${good}`, 'EHLO y', ...mail, 'QUIT'] },
    {
      says: 'AUTH= of an authenticated client',
      steps: [
        ...start,
        `AUTH PLAIN ${good}`,
        'MAIL FROM:<a@b.example> AUTH=c@d.example',
        mail[1],
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    { says: 'AUTH= of anybody', steps: [...start, 'MAIL FROM:<a@b.example> AUTH=c@d.example', 'QUIT'] },
    { says: 'AUTH=<>', steps: [...start, 'MAIL FROM:<a@b.example> AUTH=<>', 'QUIT'] },
    {
      says: 'the client goes while it authenticates',
      differs: { because: 'a client that is gone has not failed to authenticate', logs: true },
      steps: [...start, 'AUTH LOGIN'],
      closes: 'client',
    },
    { says: 'too much in one answer', steps: [...start, 'AUTH PLAIN', plain('x'.repeat(9000)), 'QUIT'] },
    { says: 'no AUTH, no mail', steps: [...start, ...mail, 'QUIT'] },
  ],
}

export const encryption: Table = {
  name: 'TLS',
  certificate: true,
  configuration:
    configuration(
      `${options}tls_certificate = @FOLDER@/cert.pem
tls_privatekey = @FOLDER@/key.pem
acl_smtp_starttls = tls_starttls
`,
      `${acl}tls_starttls:
  deny condition = \${if eq{$sender_helo_name}{deny}}
  defer condition = \${if eq{$sender_helo_name}{defer}}
  drop condition = \${if eq{$sender_helo_name}{drop}}
  accept
`,
    ).replace('tls_advertise_hosts =\n', 'tls_advertise_hosts = *\n') + authenticators,
  dialogues: [
    {
      says: 'STARTTLS and a message',
      steps: [
        ...start,
        'STARTTLS',
        { tls: true },
        'EHLO x',
        `AUTH PLAIN ${good}`,
        ...mail,
        'DATA',
        'S: x\r\n\r\nx\r\n.',
        'QUIT',
      ],
    },
    { says: 'STARTTLS twice', steps: [...start, 'STARTTLS', { tls: true }, 'EHLO x', 'STARTTLS', 'QUIT'] },
    {
      says: 'MAIL after STARTTLS without EHLO',
      steps: [...start, 'STARTTLS', { tls: true }, mail[0], 'QUIT'],
    },
    {
      says: 'AUTH is forgotten',
      steps: [...start, `AUTH PLAIN ${good}`, 'STARTTLS', { tls: true }, 'EHLO x', ...mail, 'QUIT'],
    },
    {
      says: 'a transaction is forgotten',
      steps: [...start, mail[0], 'STARTTLS', { tls: true }, 'EHLO x', mail[1], 'QUIT'],
    },
    { says: 'STARTTLS with words', steps: [...start, 'STARTTLS now', 'QUIT'] },
    { says: 'STARTTLS after HELO', steps: ['HELO x', 'STARTTLS', 'QUIT'] },
    { says: 'STARTTLS before EHLO', steps: ['STARTTLS', 'QUIT'] },
    { says: 'STARTTLS denied', steps: ['EHLO deny', 'STARTTLS', 'QUIT'] },
    { says: 'STARTTLS deferred', steps: ['EHLO defer', 'STARTTLS', 'QUIT'] },
    { says: 'STARTTLS dropped', steps: ['EHLO drop', 'STARTTLS'] },
    { says: 'HELP over TLS', steps: [...start, 'HELP', 'STARTTLS', { tls: true }, 'EHLO x', 'HELP', 'QUIT'] },
    {
      says: 'RSET, NOOP and VRFY over TLS',
      steps: [...start, 'STARTTLS', { tls: true }, 'EHLO x', 'RSET', 'NOOP', 'VRFY x', 'QUIT'],
    },
    {
      says: 'the client goes after TLS began',
      differs: { because: 'Exim with GnuTLS tells that no close_notify came', logs: true },
      steps: [...start, 'STARTTLS', { tls: true }, 'EHLO x'],
      closes: 'client',
    },
    { says: 'no mail over TLS', steps: [...start, 'STARTTLS', { tls: true }, 'QUIT'] },
  ],
}
