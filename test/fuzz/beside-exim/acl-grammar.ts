/** Random statements of ACLs for the dialogues over TCP. `|` stands for a line end. */
import type { Random } from '../random.ts'

/** The ACLs that get random statements, and what they may hold. */
export const randomAcls = [
  'connect',
  'helo',
  'mail',
  'rcpt',
  'predata',
  'data',
  'vrfy',
  'quit',
  'prdr',
] as const
export type RandomAcl = (typeof randomAcls)[number]

export function aclStatement({ pick, below }: Random): string {
  const chance = (percent: number): boolean => below(100) < percent
  const acl: RandomAcl = chance(55)
    ? 'rcpt'
    : pick(['connect', 'helo', 'mail', 'mail', 'predata', 'data', 'data', 'data', 'vrfy', 'quit', 'prdr'])
  const text = (): string =>
    pick([
      'said',
      '$local_part here',
      '550 5.7.1 coded',
      '451 4.7.1 soft',
      '250 2.1.5 fine',
      '554 hard',
      'two\\nlines',
      '550 5.1.1 two\\nlines',
      '5.7.1 no code',
      '${if foo{x}}',
      '${if eq{a}{b}{x}fail}',
      '<$acl_verify_message>',
      '$acl_m_x/$acl_c_x',
      '${uc:$sender_address}',
      'r $sender_rate n $recipients_count',
      `long ${'word '.repeat(60)}`,
      'x'.repeat(130),
      '',
      '"quoted"',
      '421 go away',
      '221 bye',
      '999 bad',
      '550-multi',
      '  spaced  ',
      'a: b: c',
      '$smtp_command',
      'dn $dnslist_domain $dnslist_value $dnslist_text $dnslist_matched',
    ])
  const condition = (): string =>
    pick([
      () =>
        `condition = ${pick(['yes', 'no', 'true', '0', '1', '', 'maybe', '${if eq{a}{b}}', '${if eq{a}{b}{yes}fail}', '${if foo{x}}', '${if match{$local_part}{^[a-m]}}', '${if def:sender_host_name}', '${if >{$rcpt_count}{1}}', '${if eq{$h_subject:}{x}}', '${if def:acl_m_x}', ' yes ', '-1', '2'])}`,
      () =>
        `local_parts = ${pick(['u', 'u : v', '!u', '*', '', '^a', '+none', 'list', '!u : *', 'postmaster'])}`,
      () => `domains = ${pick(['local.example', '*', '!local.example : *', '@', '', 'b.example', '+local'])}`,
      () => `senders = ${pick(['a@b.example', ':', '*@local.example', '*', '!a@b.example : *', ''])}`,
      () => `sender_domains = ${pick(['b.example', 'local.example', '!b.example : *', ''])}`,
      () => `recipients = ${pick(['u@local.example', '*@local.example', '*'])}`,
      () => `hosts = ${pick(['127.0.0.0/8', ':', '!127.0.0.0/8 : *', '*', '192.0.2.1', '+relay'])}`,
      () => `authenticated = ${pick(['*', 'plain', 'none'])}`,
      () => `encrypted = ${pick(['*', ''])}`,
      () =>
        `acl = ${pick(['sub', 'sub a b', 'sub "a b"', 'none', 'yes', 'no', 'deny', 'loop', '', 'discard'])}`,
      () =>
        `verify = ${pick(['sender', 'sender', 'sender/no_details', 'sender=u@local.example', 'sender=no@local.example', 'sender=${sender_address}/no_details', 'recipient', 'recipient', 'recipient/defer_ok', 'helo', 'header_syntax', 'header_syntax', 'header_sender', 'header_sender/no_details', 'not_blind', 'not_blind/case_insensitive', 'header_names_ascii', 'certificate', 'nonsense', 'reverse_host_lookup', 'recipient/nonsense', 'sender/callout=nonsense', 'arc'])}`,
      () =>
        `ratelimit = ${pick(['0', '1', '2', '0.5', 'x', '-1', '1k'])} / ${pick(['1h', '1m', '1s', 'zz', '0s'])}${pick(['', ' / strict', ' / leaky', ' / per_conn', ' / per_cmd', ' / per_mail', ' / per_rcpt', ' / per_byte', ' / per_addr', ' / per_rcpt / strict', ' / noupdate', ' / readonly / per_rcpt', ' / unique=$local_part', ' / count=2', ' / key', ' / $sender_address', ' / per_rcpt / per_mail', ' / per_none'])}`,
      () =>
        `seen = ${pick(['1h', '1h / key=$sender_host_address$local_part', '-1h', '1h / readonly', '1h / nonsense', 'zz'])}`,
      () =>
        `dnslists = ${pick(['one.test', 'none.test', 'none.test : one.test', 'one.test=127.0.0.2', 'one.test=127.0.0.3', 'one.test!=127.0.0.2', 'two.test&0.0.0.1', 'names.test/$sender_address_domain', 'names.test/<,x,b.example', 'late.test', '+defer_unknown : late.test', '+include_unknown : late.test', '', 'two.test,one.test', 'one.test/192.0.2.1'])}`,
    ])()
  const control = (): string =>
    pick([
      'freeze',
      'freeze/no_tell',
      'queue',
      'queue_only',
      'queue/first_pass_route',
      'submission',
      'submission/sender_retain',
      'submission/domain=x.example',
      'submission/name=A B',
      'suppress_local_fixups',
      'fakereject',
      'fakereject/550 5.1.1 no such',
      'fakedefer/later',
      'caseful_local_part',
      'caselower_local_part',
      'enforce_sync',
      'no_enforce_sync',
      'no_multiline_responses',
      'no_pipelining',
      'no_delay_flush',
      'no_callout_flush',
      'no_mbox_unspool',
      'allow_auth_unadvertised',
      'utf8_downconvert',
      'dkim_disable_verify',
      'dsn',
      'nonsense',
      'error',
      'cutthrough_delivery/defer=pass',
    ])
  const modifier = (): string =>
    pick([
      () => `message = ${text()}`,
      () => `message = ${text()}`,
      () => `log_message = ${text()}`,
      () =>
        `logwrite = ${pick(['', ':main: ', ':reject: ', ':main,reject:', ':panic: ', ':nowhere: '])}[$sender_host_address] ${pick(['x', '<$local_part>', '$recipients_count $rcpt_fail_count $rcpt_defer_count', '$message_size $smtp_command_argument', '$acl_verify_message $sender_verify_failure $recipient_verify_failure', '$authenticated_id $sender_host_authenticated $authenticated_fail_id', '$message_headers_raw', '$h_subject: $h_from: $rh_to:', '$message_linecount $body_linecount $body_zerocount', '$smtp_active_hostname $received_protocol $sender_fullhost', '$sender_rcvhost', '$sender_ident $sender_host_name $host_lookup_failed $host_lookup_deferred', '$address_data $sender_address_data $domain_data $local_part_data', '$sender_helo_dnssec $message_exim_id', '$bheader_subject: $recipients', '$message_body', '$queue_name $acl_arg1 $acl_narg', '$sender_rate $sender_rate_limit $sender_rate_period', '$smtp_command_history'])}`,
      () => `set acl_${pick(['m', 'c'])}_x = ${pick(['1', '$local_part', '', '${if foo{x}}', '$acl_m_x+'])}`,
      () => `set acl_${pick(['m0', 'c9', 'm_long_name', 'm20'])} = v`,
      () => `control = ${control()}`,
      () => `delay = ${pick(['0s', '${if eq{a}{a}{0s}}', 'xx', '-1s'])}`,
      () => 'endpass',
      () =>
        `log_reject_target = ${pick(['main', 'reject', 'main,reject', '', 'panic', 'nowhere', 'main : reject'])}`,
      () => `continue = ${pick(['x', '${if foo{x}}'])}`,
      () =>
        `add_header = ${pick(['X-A: b', ':at_start: X-B: c', ':after_received: X-C: d', ':at_start_rfc: X-D: e', ':at_end: X-E: f', 'X-F: 1\\nX-G: 2', 'no header', '', 'X-H: $local_part', ':nowhere: X: y'])}`,
      () => `remove_header = ${pick(['Subject', 'X-A', 'Subject:To', '^X-', '', 'X-*', 'received'])}`,
      () => `queue = ${pick(['', 'slow', '/bad'])}`,
    ])()
  const verb = pick(['accept', 'deny', 'deny', 'defer', 'warn', 'warn', 'require', 'drop', 'discard'])
  const parts = Array.from({ length: 1 + below(4) }, () =>
    chance(50) ? `${chance(12) ? '!' : ''}${condition()}` : modifier(),
  )
  // These stop the start in others.
  const fitting = parts.filter((part) => part !== 'endpass' || verb === 'accept' || verb === 'discard')
  return `@${acl} ${verb} ${fitting.join('|    ')}`
}
