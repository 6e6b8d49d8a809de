/** Controls and modifiers of ACLs, as they show to the client and in the logs. */
import { configuration } from './configuration.ts'
import type { Table } from './dialogue.ts'

const message = 'Subject: hi\r\n\r\nbody\r\n.'
const long =
  'this refusal is told at length: '.repeat(2) + 'so that it does not fit on one line of a reply '.repeat(3)

/** What stands in the RCPT ACL, by local part. */
const statements: Readonly<Record<string, string>> = {
  freeze: 'warn control = freeze',
  frozenquiet: 'warn control = freeze/no_tell',
  queueonly: 'warn control = queue_only',
  queue: 'warn control = queue',
  fakereject: 'warn control = fakereject',
  fakerejectword: 'warn control = fakereject/we keep it',
  fakerejectcode: 'warn control = fakereject/551 5.5.5 coded',
  fakedefer: 'warn control = fakedefer',
  fakedeferword: 'warn control = fakedefer/come again',
  fakedefercode: 'warn control = fakedefer/550 of the wrong class',
  submission: 'warn control = submission',
  submissiondomain: 'warn control = submission/domain=',
  submissionretain: 'warn control = submission/sender_retain',
  submissionname: 'warn control = submission/name=A Name',
  suppress: 'warn control = suppress_local_fixups',
  caseful: 'warn control = caseful_local_part\n  warn logwrite = <$local_part>',
  lower:
    'warn control = caseful_local_part\n  warn control = caselower_local_part\n  warn logwrite = <$local_part>',
  badsubmission: 'warn control = ${if eq{a}{a}{submission/foo}}',
  badfreeze: 'warn control = ${if eq{a}{a}{freeze/foo}}',
  badcontrol: 'warn control = ${if eq{a}{a}{nonsense}}',
  badutf8: 'warn control = ${if eq{a}{a}{utf8_downconvert/5}}',
  utf8: 'warn control = utf8_downconvert',
  oneline: 'warn control = no_multiline_responses\n  deny message = one\\ntwo',
  twolines: 'deny message = one\\ntwo',
  longword: `deny message = ${long}`,
  longcoded: `deny message = 550 5.7.1 ${long}`,
  longunbroken: `deny message = ${'x'.repeat(120)} end`,
  longcolon: `deny message = ${'y'.repeat(40)}: ${'z '.repeat(40)}`,
  logonly: 'deny log_message = for the log',
  both: 'deny message = for the client\n  log_message = for the log',
  oldorder: 'deny message = before\n  condition = yes',
  twomessages: 'deny message = first\n  message = second',
  badexpansion: 'deny condition = ${if foo{x}}',
  badmessage: 'deny message = ${if foo{x}}',
  forced: 'deny condition = ${if eq{a}{b}{yes}fail}',
  notyesno: 'deny condition = ${if eq{a}{a}{maybe}}',
  logwrite:
    'warn logwrite = written\n  warn logwrite = :reject: to the reject log\n  warn logwrite = :main,reject: to both',
  badlogwrite: 'warn logwrite = :nowhere: lost',
  rejectmain: 'deny log_reject_target = main\n  message = only main',
  rejectnone: 'deny log_reject_target =\n  message = no log at all',
  warntwice: 'warn log_message = once only\n  warn log_message = once only',
  variables: 'warn set acl_c_x = one\n  set acl_m_x = two\n  warn logwrite = $acl_c_x $acl_m_x $acl_m_none.',
  nested: 'accept acl = sub one "two three"\n  deny message = nested said no',
  endpass: 'accept domains = +local_domains\n  endpass\n  message = endpass text\n  condition = no',
  discard: 'discard log_message = thrown away',
  header: 'warn add_header = X-One: 1\\nX-Two: 2\n  add_header = no header\n  remove_header = Subject',
  senders: 'deny senders = a@b.example\n  message = sender listed',
  hosts: 'deny hosts = 127.0.0.1\n  message = host listed',
  nothosts: 'deny !hosts = 127.0.0.2\n  message = host not listed',
  authenticated: 'deny !authenticated = *\n  message = not authenticated',
  encrypted: 'deny !encrypted = *\n  message = not encrypted',
  ratelimit:
    'deny ratelimit = 0 / 1h / strict\n  message = rate is $sender_rate/$sender_rate_period max $sender_rate_limit',
  ratebad: 'deny ratelimit = x / 1h',
  ratebadtime: 'deny ratelimit = 1 / zz',
  rateoption: 'deny ratelimit = 1 / 1h / per_mail / per_rcpt',
  seen: 'deny seen = 1h / key=$local_part\n  message = seen before',
  delaybad: 'warn delay = xyz',
  verifybad: 'require verify = nonsense',
  verifyplace: 'require verify = header_syntax',
}

/** Rows whose log lines differ, and why. */
const differences: Readonly<Record<string, string>> = {
  submission: 'the Message-ID made of the id of the message is longer, and so is the message',
  submissiondomain: 'the Message-ID made of the id of the message is longer, and so is the message',
  submissionretain: 'the Message-ID made of the id of the message is longer, and so is the message',
  submissionname: 'the Message-ID made of the id of the message is longer, and so is the message',
  header: 'Exim shows T="" for a Subject: that was removed',
}

const names = Object.keys(statements)

export const controls: Table = {
  name: 'controls and modifiers',
  configuration: configuration(
    'acl_smtp_mail = accept\nacl_smtp_rcpt = rcpt_by_part\nacl_smtp_data = accept\n',
    `rcpt_by_part:
  deny local_parts = ${names.join(' : ')}
    !acl = part_$local_part_data
  accept
${Object.entries(statements)
  .map(([name, text]) => `part_${name}:\n  ${text}\n  accept\n`)
  .join('')}sub:
  deny message = args $acl_narg: $acl_arg1/$acl_arg2
`,
  ),
  dialogues: names.map((name) => ({
    says: `RCPT ACL: ${name}`,
    ...(differences[name] === undefined
      ? {}
      : { differs: { because: differences[name], logs: true as const } }),
    steps: [
      'EHLO x',
      'MAIL FROM:<a@b.example>',
      `RCPT TO:<${name.charAt(0).toUpperCase()}${name.slice(1)}@test.example>`,
      'RCPT TO:<seen@test.example>',
      'DATA',
      message,
      'QUIT',
    ],
  })),
}
