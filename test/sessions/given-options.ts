/** Main options about addresses and about how much a refusal tells. */
import { configuration } from './configuration.ts'
import type { Table } from './dialogue.ts'

const message = 'Subject: hi\r\n\r\nbody\r\n.'

const seen = `acl_seen:
  accept logwrite = <$local_part> <$domain> <$sender_address>
acl_headers:
  deny !verify = header_names_ascii
  deny condition = \${if match{$h_subject:}{blind}}
     !verify = not_blind
  deny condition = \${if match{$h_subject:}{sender}}
     !verify = header_sender
  deny !verify = header_syntax
  deny condition = \${if match{$h_subject:}{bad}}
     condition = \${if foo{x}}
  deny condition = \${if match{$h_subject:}{plain}}
  deny condition = \${if match{$h_subject:}{logged}}
     log_message = only for the log
  deny condition = \${if match{$h_subject:}{worded}}
     message = for the client
     log_message = only for the log
  accept
acl_some:
  deny local_parts = plain
  deny local_parts = logged
     log_message = only for the log
  deny local_parts = worded
     message = for the client
     log_message = only for the log
  deny local_parts = limit
     ratelimit = 0 / 1h / strict
  defer local_parts = later
     log_message = only for the log
  deny local_parts = badone
     condition = \${if foo{x}}
  deny local_parts = sender
     !verify = sender=nobody@nowhere.example
  require verify = recipient
  accept
acl_first:
  deny senders = plain@test.example
  deny senders = logged@test.example
     log_message = only for the log
  accept
acl_helo:
  deny condition = \${if eq{$sender_helo_name}{logged}}
     log_message = only for the log
  accept
acl_vrfy:
  deny log_message = only for the log
`
const dialogue = (says: string, from: string, to: string): Table['dialogues'][number] => ({
  says,
  steps: ['HELO c.example', `MAIL FROM:${from}`, `RCPT TO:${to}`, 'DATA', message, 'QUIT'],
})

const addresses = (options: string): string => configuration(`acl_smtp_rcpt = acl_seen\n${options}`, seen)

const rows = [
  dialogue('two pairs of angle brackets', '<<a@b.example>>', '<<x@test.example>>'),
  dialogue('three pairs of angle brackets', '<a@b.example>', '<<<x@test.example>>>'),
  dialogue('angle brackets with space between', '<a@b.example>', '< < x@test.example > >'),
  dialogue('one angle bracket too few at the end', '<a@b.example>', '<<x@test.example>'),
  dialogue('one angle bracket too many at the end', '<a@b.example>', '<x@test.example>>'),
  dialogue('two pairs of angle brackets around nothing', '<<>>', '<x@test.example>'),
  dialogue('two pairs of angle brackets around a local part', '<a@b.example>', '<<postmaster>>'),
  dialogue('two pairs of angle brackets with a name', '<a@b.example>', 'Name <<x@test.example>>'),
  dialogue('two pairs of angle brackets with a route', '<a@b.example>', '<<@c.example:x@test.example>>'),
  dialogue('a dot at the end', '<a@b.example.>', '<x@test.example.>'),
  dialogue('two dots at the end', '<a@b.example>', '<x@test.example..>'),
  dialogue('a dot at the end without angle brackets', 'a@b.example.', 'x@test.example.'),
  dialogue('a dot and a domain that is nothing', '<a@b.example>', '<x@.>'),
]

export const stripping: Table = {
  name: 'strip_excess_angle_brackets and strip_trailing_dot',
  configuration: addresses('strip_excess_angle_brackets\nstrip_trailing_dot\n'),
  dialogues: rows,
}

export const notStripping: Table = {
  name: 'addresses with excess brackets and dots',
  configuration: addresses(''),
  dialogues: rows,
}

export const percentHack: Table = {
  name: 'percent_hack_domains',
  configuration: addresses('percent_hack_domains = test.example : two.example\n'),
  dialogues: [
    dialogue('a percent sign', '<a%c.example@test.example>', '<x%y.example@test.example>'),
    dialogue('a percent sign in a domain that is not listed', '<a@b.example>', '<x%y.example@other.example>'),
    dialogue('two percent signs', '<a@b.example>', '<x%y.example%z.example@test.example>'),
    dialogue('a hack that leads to another', '<a@b.example>', '<x%y.example%two.example@test.example>'),
    dialogue('a percent sign at the end', '<a@b.example>', '<x%@test.example>'),
    dialogue('a percent sign at the beginning', '<a@b.example>', '<%y.example@test.example>'),
    dialogue('a percent sign in quotes', '<a@b.example>', '<"x%y.example"@test.example>'),
    dialogue('a percent sign and an upper case domain', '<a@b.example>', '<X%Y.Example@TEST.example>'),
    dialogue('a percent sign and what is no domain', '<a@b.example>', '<x%-y!@test.example>'),
  ],
}

const refused = (says: string, to: string): Table['dialogues'][number] => ({
  says,
  steps: ['HELO c.example', 'MAIL FROM:<a@test.example>', `RCPT TO:<${to}>`, 'QUIT'],
})
const data = (says: string, headers: string): Table['dialogues'][number] => ({
  says,
  steps: [
    'HELO c.example',
    'MAIL FROM:<a@test.example>',
    'RCPT TO:<x@test.example>',
    'DATA',
    `${headers}\r\n\r\nbody\r\n.`,
    'QUIT',
  ],
})

export const errorDetails: Table = {
  name: 'smtp_return_error_details',
  configuration: configuration(
    `smtp_return_error_details
acl_smtp_helo = acl_helo
acl_smtp_mail = acl_first
acl_smtp_rcpt = acl_some
acl_smtp_data = acl_headers
acl_smtp_vrfy = acl_vrfy
`,
    seen,
  ),
  dialogues: [
    refused('a recipient refused without words', 'plain@test.example'),
    refused('a recipient refused with words for the log', 'logged@test.example'),
    refused('a recipient refused with words for both', 'worded@test.example'),
    refused('a recipient refused for its rate', 'limit@test.example'),
    refused('a recipient deferred with words for the log', 'later@test.example'),
    data('a header refused', 'From: <user@dom.ain\r\nSubject: x'),
    refused('a recipient whose condition is wrong', 'badone@test.example'),
    refused('a sender is not verified', 'sender@test.example'),
    refused('a recipient is not routed', 'x@elsewhere.example'),
    data('a header name beyond ASCII', 'Subject: x\r\nX-\xe4: y'),
    data('a blind recipient', 'Subject: blind'),
    data('no header sender', 'Subject: sender\r\nFrom: <nobody@nowhere.example>'),
    data('a broken header sender', 'Subject: sender\r\nFrom: <nobody'),
    data('a message whose condition is wrong', 'Subject: bad'),
    data('a message refused without words', 'Subject: plain'),
    data('a message refused with words for the log', 'Subject: logged'),
    data('a message refused with words for both', 'Subject: worded'),
    {
      says: 'a sender refused without words',
      steps: ['HELO c.example', 'MAIL FROM:<plain@test.example>', 'QUIT'],
    },
    {
      says: 'a sender refused with words',
      steps: ['HELO c.example', 'MAIL FROM:<logged@test.example>', 'QUIT'],
    },
    { says: 'a HELO refused with words for the log', steps: ['HELO logged', 'QUIT'] },
    { says: 'VRFY refused with words for the log', steps: ['HELO c.example', 'VRFY x', 'QUIT'] },
  ],
}

/** Lists and variables see what the quotes hold; the envelope keeps them. */
export const quotes: Table = {
  name: 'quoted local parts',
  configuration: configuration(
    `acl_smtp_rcpt = acl_quotes
acl_smtp_data_prdr = acl_quotes_prdr
prdr_enable
`,
    `acl_quotes:
  warn logwrite = <$local_part> <$domain>
  deny local_parts = a b
    message = a space
  deny local_parts = ^.*[@%!/|]
    message = restricted characters
  deny recipients = "c\\x20d"@test.example
    message = the whole address
  accept
acl_quotes_prdr:
  warn logwrite = prdr <$local_part> <$domain>
  accept
`,
  ),
  dialogues: [
    dialogue('a space in quotes', '<"s t"@b.example>', '<"a b"@test.example>'),
    dialogue('a space after a backslash', '<a@b.example>', '<a\\ b@test.example>'),
    dialogue('needless quotes', '<a@b.example>', '<"plain"@test.example>'),
    dialogue('quotes around a part', '<a@b.example>', '<x."y".z@test.example>'),
    dialogue('an at sign in quotes', '<a@b.example>', '<"x@y"@test.example>'),
    dialogue('a slash in quotes', '<a@b.example>', '<"../x"@test.example>'),
    dialogue('a quote in quotes', '<a@b.example>', '<"x\\"y"@test.example>'),
    {
      says: 'a quoted local part in PRDR',
      steps: [
        'EHLO c.example',
        'MAIL FROM:<a@b.example> PRDR',
        'RCPT TO:<"p q"@test.example>',
        'RCPT TO:<r@test.example>',
        'DATA',
        { send: message, replies: 4 },
        'QUIT',
      ],
    },
  ],
}

export const noLogSpace: Table = {
  name: 'check_log_space',
  configuration: configuration('check_log_space = 1900G\n'),
  dialogues: [
    {
      says: 'no room for the logs',
      steps: ['HELO c.example', 'MAIL FROM:<a@b.example>', 'QUIT'],
      differs: { because: 'free space is another figure each time', logs: true },
    },
  ],
}
