/** Whole configurations with the mistakes and oddities that files of real servers have. */
import { mainOptions } from '../../../src/language/config/options/main.ts'
import type { OptionTable, OptionType } from '../../../src/language/config/options/table.ts'
import { routerOptions } from '../../../src/language/config/options/router.ts'
import { transportOptions } from '../../../src/language/config/options/transport.ts'
import { authenticatorOptions } from '../../../src/language/config/options/authenticator.ts'
import { tableRegistries } from '../../support/registries.ts'
import type { Random } from '../random.ts'

const anyOf = ['', '# c', ' # c', '\\', 'a # b', '  ', '"', '""', '= x', 'MAC', '$', '${', '}', '\t']

const texts = [
  'abc',
  'a b',
  '"a b"',
  '"a\\tb\\x41\\101\\0z"',
  '"a\\"b"',
  '"abc',
  'a"b',
  '"a" b',
  '"a"b',
  '"a\\',
  '"a\\\\b"  ',
  '"a\\qb"',
  '"\\x"',
  '"\\xg1"',
  '"\\8"',
  '"\\n\\r"',
  "'x'",
  '${lc:X}',
  '${if',
  '${if eq{a}{b}{c}{d}}',
  '${nosuch:x}',
  '$nosuch',
  '\\N^a\\N',
  'MAC',
  'aMACb',
  'x\xe4y',
  'a\\',
  '/dev/null',
  '=x',
  '= x',
  '${lookup{x}nosuch{/y}}',
]
const listTexts = [
  ...texts,
  'a : b',
  '<; a ; b',
  '<;a;b',
  '<, a, b',
  '< a : b',
  '<',
  '<a b',
  '<<a<b',
  '<\\n a',
  ': a :',
  ':',
  '::',
  'a::b',
  '!a : *',
  '+nosuch',
  '! +some',
  'lsearch;/x',
  'nosuch;/x',
  'partial-lsearch;/x',
  '^a[',
  '*',
  '*@',
  '@[]',
  '192.0.2.1/33',
  '"a : b"',
]

const plainValues = {
  boolean: [
    'yes',
    'no',
    'true',
    'false',
    'YES',
    'True',
    'maybe',
    '1',
    '0',
    'on',
    'yes no',
    'yes # c',
    '"yes"',
    'yes_',
    'yesno',
    '${lc:yes}',
  ],
  integer: [
    '5',
    '0',
    '-1',
    '+5',
    '0x10',
    '0X1F',
    '0xg',
    '0x',
    '010',
    '019',
    '00',
    '10K',
    '3M',
    '1k',
    '2G',
    '1G',
    '4T',
    '5 # c',
    'x',
    '1.5',
    '"5"',
    '1 K',
    '99999999999',
    '2147483647',
    '2147483648',
    '-2147483648',
    '10K10',
    '- 1',
    '0x10K',
    '010K',
    '-5K',
  ],
  octal: ['0644', '644', '8', '0o7', '"0644"', '-1', '07777777', '0x1', '644 # c', '06 44', '6K', '99', '0'],
  time: [
    '1h30',
    '1h30m',
    '5m',
    '0s',
    '0',
    '1w2d3h',
    '5',
    '1h 30m',
    '30m1h',
    '1h1h',
    '-5m',
    'x',
    '5M',
    '5m # c',
    '"5m"',
    '1y',
    '99999999w',
    '3550w',
    '2147483647s',
    '2147483648s',
    'm',
    '5mm',
    '1.5h',
    '0x10s',
    '010m',
    '5m:',
  ],
  timeList: [
    '5m',
    '5m:10m',
    '5m : 10m',
    ':5m',
    '5m:',
    '',
    '10m:5m',
    '5m:x',
    '<; 5m; 1h',
    '5m,10m',
    '"5m:1h"',
    '0s',
    '5m::1h',
  ],
  fixed: [
    '5',
    '5.5',
    '.5',
    '5.',
    '5.1234567',
    '5.12',
    '-1',
    '-1.5',
    'x',
    '1e3',
    '5 # c',
    '99999999999',
    '5.5x',
    '0x5',
  ],
  user: [
    'root',
    'nobody',
    'nosuchuser',
    '0',
    '12345',
    '-1',
    '$x',
    '"root"',
    'root ',
    '99999999999',
    'root:mail',
    '1x',
    '${lc:root}',
  ],
}
const values: Readonly<Record<string, readonly string[]>> = {
  ...plainValues,
  group: plainValues.user,
  expandInteger: [...plainValues.integer, '${eval:1+1}', '$x'],
  expandTime: [...plainValues.time, '${lc:5M}', '$x'],
  expandBoolean: [...plainValues.boolean, '$x', '${if eq{a}{b}}'],
}

function valueOf(type: OptionType, random: Random): string {
  if (random.below(20) === 0) return random.pick(anyOf)
  const own = values[type]
  if (own !== undefined && random.below(12) > 0) return random.pick(own)
  return random.pick(type === 'string' || type === 'expand' ? texts : listTexts)
}

/** A setting, mostly as one is written. */
export function setting(tables: readonly OptionTable[], random: Random, names?: ReadonlySet<string>): string {
  const { pick, below } = random
  const rows = tables.flatMap((table) =>
    Object.entries(table).filter(
      ([name]) => name !== 'driver' && name !== 'mua_wrapper' && (names === undefined || names.has(name)),
    ),
  )
  const [name, row] = pick(rows)
  const isSwitch = row.type === 'boolean' || row.type === 'expandBoolean'
  const written = below(12) === 0 ? misspelt(name, random) : name
  const hide = below(20) === 0 ? pick(['hide ', 'hide\t', 'hide  ', 'Hide ', 'hide hide ']) : ''
  if (isSwitch && below(2) === 0)
    return `${hide}${pick(['', 'no_', 'not_', 'no_', 'not_', 'No_', 'no_no_'])}${written}${pick(['', '', '', '', ' ', ' =', ' yes', ' # c', '='])}`
  const equals = below(10) === 0 ? pick(['=', ' =', '= ', ' == ', ' ', ' : ', '\t=\t', '', ' = = ']) : ' = '
  const prefix = below(30) === 0 ? pick(['no_', 'not_']) : ''
  return `${hide}${prefix}${written}${equals}${valueOf(row.type, random)}`
}

export function misspelt(name: string, { pick, below }: Random): string {
  const at = below(name.length)
  return pick([
    name.slice(0, at) + name.slice(at + 1),
    `${name.slice(0, at)}x${name.slice(at)}`,
    name.toUpperCase(),
    `${name}s`,
    name.replace(/s$/, ''),
    name.replaceAll('_', '-'),
    name.slice(0, at) + (name[at + 1] ?? '') + (name[at] ?? '') + name.slice(at + 2),
    name.charAt(0).toUpperCase() + name.slice(1),
  ])
}

const verbs = ['accept', 'deny', 'warn', 'defer', 'require', 'drop', 'discard']
const conditions = [
  'hosts = *',
  'hosts = : 127.0.0.1',
  '!hosts = +some',
  '! hosts = *',
  '!  hosts=*',
  'hosts=*',
  'domains = +some : a',
  'local_parts = ^a',
  'sender_domains = b',
  'senders = :',
  'condition = ${if eq{a}{b}}',
  'condition = true',
  'condition = ${if',
  'verify = sender',
  'verify = sender/callout',
  'verify = sender/callout=30s,defer_ok',
  'verify = sender/nosuch',
  'verify = nosuch',
  'verify = header_syntax',
  'verify = recipient/callout=x',
  '!verify = reverse_host_lookup',
  'verify = helo',
  'verify = not_blind/case_insensitive',
  'dnslists = a.example : b.example=127.0.0.2',
  'authenticated = *',
  'encrypted = *',
  'acl = sub',
  'acl = nosuch',
  'ratelimit = 5 / 1h / strict / $x',
  'ratelimit = x',
  'message = text',
  'message = "a b"',
  'message =',
  'log_message = x',
  'logwrite = x',
  'delay = 5s',
  'delay = x',
  'set acl_m0 = 1',
  'set acl_m_x = 1',
  'set acl_mx = 1',
  'set acl_x = 1',
  'set acl_c0',
  'set dkim = 1',
  'set  acl_c_y=2',
  'set acl_m-x = 2',
  'set acl_m_x 1',
  'control = submission',
  'control = submission/sender_retain',
  'control = submission/nosuch',
  'control = nosuch',
  'control = freeze/no_tell',
  'control = debug/opts=+all/tag=x',
  'control = dkim_disable_verify',
  'control = dscp/x',
  'control = cutthrough_delivery/defer=pass',
  'control = fakereject/text',
  'control = queue_only/x',
  'control = caseful_local_part',
  'control = suppress_local_fixups',
  'control = no_callout_flush',
  'control = allow_auth_unadvertised',
  'control = utf8_downconvert/1',
  'control = queue/only',
  'control = queue/first_pass_route',
  'control = no_enforce_sync',
  'add_header = X-A: b',
  'add_header = :at_start:X: y',
  'remove_header = X-A : Y',
  'malware = *',
  'spam = nobody:true',
  'spf = fail',
  'dmarc_status = reject',
  'dkim_status = fail',
  'decode = default',
  'mime_regex = a',
  'regex = ^a',
  'bcc = x',
  'endpass',
  'endpass = x',
  'continue = x',
  'queue = x',
  'udpsend = a 1 x',
  'seen = 5m',
  'log_reject_target = main',
  'dkim_signers = a',
  'recipients = a@b',
  'sender_domains=a:b',
  'nosuch = x',
  'hosts',
  'hosts :',
  'domains + x',
  'accept_it = x',
  '!message = x',
  '! set acl_m0 = 1',
  '!control = freeze',
  '!endpass',
  '!logwrite = x',
  '!delay = 1s',
  '! acl = sub',
  '\\',
  '',
]

export function aclLines(random: Random): string[] {
  const { pick, below } = random
  const lines: string[] = []
  for (let i = 1 + below(3); i > 0; i--) {
    const condition = (): string => {
      const text = pick(conditions)
      return below(15) === 0 ? misspelt(text === '' ? 'x' : text, random) : text
    }
    const verb = below(15) === 0 ? misspelt(pick(verbs), random) : pick(verbs)
    lines.push(
      `${pick(['  ', '', '\t'])}${verb}${pick([' ', '  ', '\t', ''])}${below(3) === 0 ? '' : condition()}`,
    )
    for (let j = below(3); j > 0; j--) lines.push(`    ${condition()}`)
  }
  return lines
}

const retryRules = [
  '* * F,2h,15m; G,16h,1h,1.5; F,4d,6h',
  '*',
  '* *',
  '* quota F,1h,10m',
  '* quota_7d F,1h,10m',
  '* quota_x F,1h,10m',
  '* rcpt_4xx senders=: F,1h,10m',
  '* rcpt_45x senders = a@b F,1h,10m',
  '* rcpt_5xx F,1h,10m',
  '* mail_452 F,1h,10m',
  '* data_4yy F,1h,10m',
  '* refused_MX F,1h,10m',
  '* refused_A F,1h,10m',
  '* refused_B F,1h,10m',
  '* timeout_connect F,1h,10m',
  '* timeout_connect_MX F,1h,10m',
  '* timeout_DNS F,1h,10m',
  '* timeout F,1h,10m',
  '* timeout_MX F,1h',
  '* lost_connection F,1h,10m,2',
  '* tls_required F,1h,10m',
  '* auth_failed H,1h,10m,2',
  '* lookup F,1h,10m',
  '* nosuch F,1h,10m',
  '* * X,1h,10m',
  '* * f,1h,10m',
  '* * F 1h 10m',
  '* * F , 1h , 10m',
  '* * F,1h;10m',
  '* * G,1h,10m',
  '* * G,1h,10m,x',
  '* * G,1h,10m,0.5',
  '* * G,1h,10m,1.5x',
  '* * F,1x,10m',
  '* * F,0s,10m',
  '* * F,1h,0s',
  '* * F,1h,10m;',
  '* * F,1h,10m # c',
  'a.b : c.d * F,1h,10m',
  '"a b" * F,1h,10m',
  'lsearch;/x * F,1h,10m',
  '^a$ * F,1h,10m',
  '+some * F,1h,10m',
  'a@b * F,1h,10m',
  '\\N^a b\\N * F,1h,10m',
  '* * senders="a b : c" F,1h,10m',
  '* * senders=a',
]
const rewriteRules = [
  '*@a.b $1@c.d',
  '*@a.b $1@c.d Eh',
  '*@a.b $1@c.d E h',
  '*@a.b $1@c.d Ez',
  '*@a.b $1@c.d S',
  '^a$ b S',
  '\\N^a$\\N b S',
  '*@a.b',
  '*@a.b "$1 x@c.d" Fw',
  '*@a.b "$1 x@c.d',
  '*@a.b ${lookup{$1}lsearch{/x}{$value}fail} bcfrtsT',
  '*@a.b * Eq',
  '*@a.b x@y ERq # c',
  '"*@a.b" x@y',
  '*@a.b x@y qQRw',
  '*@a.b x@y EE',
  'a x',
  '+some x@y',
  '*@+some x@y E',
  '*@a.b "x@y"E',
  '*@a.b ""',
]

const routerDrivers = ['accept', 'dnslookup', 'manualroute', 'redirect', 'queryprogram', 'ipliteral']
const transportDrivers = ['smtp', 'appendfile', 'pipe', 'autoreply', 'lmtp']
const authenticatorDrivers = ['plaintext', 'cram_md5', 'dovecot', 'external', 'tls', 'spa']

const needed: Readonly<Record<string, readonly string[]>> = {
  accept: ['transport = t'],
  dnslookup: ['transport = s'],
  ipliteral: ['transport = s'],
  manualroute: [
    'transport = s',
    'route_list = * a.b',
    'route_list = * 192.0.2.1',
    'route_list = a b c',
    'route_data = a.b',
  ],
  redirect: ['data = x@y', 'file = /x', 'data = :fail: x'],
  queryprogram: ['command = /bin/x', 'command_user = nobody'],
  appendfile: ['file = /tmp/x', 'directory = /tmp/x', 'create_file = anywhere', 'create_file = nosuch'],
  pipe: ['command = /bin/x'],
  lmtp: ['command = /bin/x', 'socket = /x'],
  smtp: ['hosts = a.b', 'hosts = 192.0.2.1', 'protocol = lmtp', 'protocol = nosuch'],
  autoreply: ['to = a@b', 'text = x'],
  plaintext: ['server_prompts = :', 'server_condition = true', 'client_send = ^a^b'],
  cram_md5: ['server_secret = x', 'client_name = x', 'client_secret = y'],
  dovecot: ['server_socket = /x'],
  external: ['server_param2 = x', 'client_send = x'],
  tls: ['server_param1 = x', 'server_condition = yes'],
  spa: ['client_password = x', 'client_username = y', 'server_password = z'],
}

type Kind = 'router' | 'transport' | 'authenticator'
const generic: Readonly<Record<Kind, OptionTable>> = {
  router: routerOptions,
  transport: transportOptions,
  authenticator: authenticatorOptions,
}

function instance(kind: Kind, name: string, random: Random, names: ReadonlySet<string>): string[] {
  const { pick, below } = random
  const drivers = { router: routerDrivers, transport: transportDrivers, authenticator: authenticatorDrivers }
  const driver = pick(drivers[kind])
  const own = tableRegistries[`${kind}s`][driver]?.options ?? {}
  const lines = [`  driver = ${below(25) === 0 ? misspelt(driver, random) : driver}`]
  if (kind === 'authenticator' && below(5) > 0) lines.push(`  public_name = ${name}`)
  for (const each of needed[driver] ?? []) if (below(5) > 1) lines.push(`  ${each}`)
  for (let i = below(3); i > 0; i--)
    lines.push(`  ${setting(below(2) === 0 ? [own, generic[kind]] : [generic[kind]], random, names)}`)
  if (below(10) === 0) lines.push(lines.shift() ?? '')
  if (below(15) === 0) lines.push(lines[0] ?? '')
  const head =
    below(12) === 0
      ? pick([
          `${name}`,
          `${name} :`,
          `${name}: x`,
          `${name}:driver = x`,
          `a-b:`,
          `A${name}:`,
          `1${name}:`,
          ' :',
        ])
      : `${name}:`
  return [head, ...lines]
}

/** A small configuration made of single lines: soon read, soon made smaller. */
export function small(random: Random, names: ReadonlySet<string>): string[] {
  const { pick, below } = random
  const lines: string[] = []
  const maybe = (odds: number, ...more: string[]): void => {
    if (below(odds) === 0) lines.push(...more)
  }
  for (let i = below(4); i > 0; i--) lines.push(setting([mainOptions], random, names))
  maybe(
    4,
    pick([
      'domainlist',
      'hostlist',
      'addresslist',
      'localpartlist',
      'hide domainlist',
      'domainlist_cache',
      'domain_list',
    ]) +
      pick([' some = ', ' some =', ' some', ' so-me = ', '  some=']) +
      pick(listTexts),
  )
  maybe(4, ...macroLines(random))
  const parts: (() => void)[] = [
    () =>
      lines.push(
        'begin acl',
        pick(['check:', 'check:', 'check :', 'check', 'check: accept', 'Check:']),
        ...aclLines(random),
      ),
    () => {
      lines.push('begin routers')
      for (let i = below(3); i > 0; i--) lines.push(...instance('router', `r${i}`, random, names))
    },
    () => {
      lines.push('begin transports', 't:', '  driver = appendfile', 's:', '  driver = smtp')
      for (let i = below(2); i > 0; i--) lines.push(...instance('transport', `t${i}`, random, names))
    },
    () => {
      lines.push('begin authenticators')
      for (let i = below(3); i > 0; i--) lines.push(...instance('authenticator', `a${i}`, random, names))
    },
    () => lines.push('begin retry', pick(retryRules), pick(retryRules)),
    () => lines.push('begin rewrite', pick(rewriteRules), pick(rewriteRules)),
  ]
  for (const part of parts) if (below(5) < 2) part()
  return lines
}

const builtin = [
  '_HAVE_TLS',
  '_HAVE_IPV6',
  '_HAVE_NOSUCH',
  '_OPT_MAIN_TLS_CERTIFICATE',
  '_OPT_ROUTER_SELF',
  '_DRIVER_ROUTER_ACCEPT',
  '_LKUP_LSEARCH',
  '_EXP_COND_EQ',
  '_HAVE_DKIM',
  '_OPT_TRANSPORT_SMTP_HOSTS_TRY_DANE',
]

export function macroLines({ pick, below }: Random): string[] {
  const name = pick(['MAC', 'MAC', 'MAC', 'MACRO', 'A', 'M_A', 'Mac', 'QUEUE', 'XMAC'])
  const text = pick([
    'x',
    '',
    'a b',
    'queue_only',
    'queue_only = yes',
    '"x',
    'MAC',
    '# c',
    'begin acl',
    'yes',
    '5',
    '.include FOLDER/inc/options',
    '.ifdef MAC',
    '.endif',
    'a\\',
    '${if',
    ':',
    '=',
    'no_',
  ])
  const define = pick([
    `${name} = ${text}`,
    `${name}=${text}`,
    `${name} == ${text}`,
    `${name}`,
    `${name} ${text}`,
    `${name}\t=\t${text}`,
  ])
  const use = pick([
    `${name}`,
    `smtp_banner = ${name}`,
    `smtp_banner = a${name}b`,
    `${name}_message = x`,
    `smtp_accept_max = ${name}`,
    `${name}queue_only`,
    `.ifdef ${name}\nqueue_only\n.endif`,
    `.ifndef ${name}\nqueue_only\n.else\nno_queue_only\n.endif`,
    `.ifdef X${name}Y\nqueue_only\n.elifdef ${name}\nsplit_spool_directory\n.endif`,
    `.ifdef ${name} ${pick(builtin)}\nqueue_only\n.endif`,
    `.ifdef ${pick(builtin)}\nqueue_only\n.else\nsplit_spool_directory\n.endif`,
    `.ifndef ${pick(builtin)}\nqueue_only\n.elifndef NOSUCH\nsplit_spool_directory\n.endif`,
    `.ifdef\nqueue_only\n.endif`,
    `.ifdef ${name}\n.ifdef NOSUCH\nqueue_only\n.else\nstrip_excess_angle_brackets\n.endif\n.else\nqueue_only\n.endif`,
    `smtp_banner = \${lc:${name}${name}}`,
    `.include FOLDER/inc/${name}`,
    `${name} = ${text}`,
    `${name} == ${text}`,
  ])
  return below(6) === 0 ? [use, define] : below(5) === 0 ? [define, define, use] : [define, use]
}

const directives = [
  '.include FOLDER/inc/options',
  '.include inc/options',
  '.include "FOLDER/inc/options"',
  '.include FOLDER/inc/none',
  '.include_if_exists FOLDER/inc/none',
  '.include_if_exists FOLDER/inc/options',
  '.include_if_exists inc/options',
  '.include FOLDER/inc/nested',
  '.include FOLDER/inc/bad',
  '.include FOLDER/inc/open',
  '.include FOLDER/inc/continued',
  '.include FOLDER/inc/router',
  '.include FOLDER/inc/acl',
  '.include FOLDER/inc/options # c',
  '.include',
  '.includes x',
  '.ifdef NOSUCH',
  '.ifdef _HAVE_TLS',
  '.ifndef NOSUCH',
  '.else',
  '.endif',
  '.endif # c',
  '.else x',
  '.elifdef _HAVE_TLS',
  '.elifndef NOSUCH',
  '.elseif',
  '.elif X',
  '.if X',
  '.IFDEF X',
  '. ifdef X',
  '.ifdef',
  '.ifndef',
  '.endif',
  '.nosuch',
]

/** The files that may be included. */
export const included: Readonly<Record<string, string>> = {
  options: '# options\n\nqueue_only = no\n  message_logs\n',
  nested: 'strip_trailing_dot\n.include options\n.include FOLDER/inc/more\nnoted = x\n',
  more: 'split_spool_directory',
  bad: '\n\nsmtp_accept_max = x\n',
  open: '.ifdef NOSUCH\nqueue_only\n',
  continued: 'smtp_banner = a \\\n',
  router: 'included:\n driver = accept\n transport = nosuch\n',
  acl: 'included:\n  accept hosts = *\n',
}

const sections = [
  'acl',
  'routers',
  'transports',
  'retry',
  'rewrite',
  'authenticators',
  'local_scan',
  'main',
  'router',
  'nosuch',
  'ACL',
  'acls',
  '',
  'retry x',
]

/** One change. */
export function change(lines: string[], random: Random, names: ReadonlySet<string>): void {
  const { pick, below } = random
  const at = below(lines.length + 1)
  const line = lines[Math.min(at, lines.length - 1)] ?? ''
  const here = Math.min(at, lines.length - 1)
  switch (below(25)) {
    case 0:
      lines.splice(at, 1)
      return
    case 1:
      lines.splice(at, 0, line)
      return
    case 2: {
      // Cut in two, with what may stand between.
      const cut = below(line.length + 1)
      const between = pick([
        [],
        [],
        ['# comment'],
        [''],
        ['  # c \\'],
        ['.ifdef _HAVE_TLS', '.endif'],
        ['#'],
        [' ', '# c'],
      ])
      lines.splice(
        here,
        1,
        `${line.slice(0, cut)}\\${pick(['', '', ' ', '\t'])}`,
        ...between,
        `${pick(['', '   '])}${line.slice(cut)}`,
      )
      return
    }
    case 3:
      lines.splice(below(lines.length + 1), 0, ...lines.splice(here, 1))
      return
    case 4:
    case 5: {
      const value = pick([...Object.values(values)].flat().concat(texts, listTexts))
      lines[here] = line.replace(/=.*$/, () => `= ${value}`)
      return
    }
    case 6:
      lines.splice(at, 0, ...macroLines(random).join('\n').split('\n'))
      return
    case 7:
      lines.splice(at, 0, pick(directives))
      return
    case 8: {
      const lower = pick(directives)
      const upper = below(lines.length + 1)
      lines.splice(at, 0, lower)
      lines.splice(upper, 0, pick(['.endif', '.ifdef NOSUCH', '.else', '.ifdef _HAVE_TLS', pick(directives)]))
      return
    }
    case 9:
      lines.splice(at, 0, `begin ${pick(sections)}`)
      return
    case 10: {
      const begins = lines.flatMap((each, i) => (each.startsWith('begin ') ? [i] : []))
      if (begins.length > 0) lines.splice(pick(begins), 1)
      return
    }
    case 11: {
      const words = [...line.matchAll(/[A-Za-z_]\w+/g)]
      if (words.length === 0) return
      const word = pick(words)
      lines[here] =
        line.slice(0, word.index) + misspelt(word[0], random) + line.slice(word.index + word[0].length)
      return
    }
    case 12:
      lines[here] = line.replace(
        /^(\s*)/,
        (space) =>
          `${space}${pick(['hide ', 'no_', 'not_', '! ', '!', '"', ':', '= ', '\\', '.', '#', '\xef\xbb\xbf', '\xa0'])}`,
      )
      return
    case 13: {
      const cut = below(line.length + 1)
      lines[here] =
        line.slice(0, cut) +
        pick([
          '{',
          '}',
          '"',
          '\\',
          '#',
          '\0',
          '\t',
          '\r',
          '\f',
          '\v',
          '\xe4',
          '\xa0',
          ':',
          ';',
          '=',
          '$',
          '<',
          'MAC',
          ' ',
          ',',
          '/',
          'x'.repeat(9000),
        ]) +
        line.slice(cut)
      return
    }
    case 14: {
      const cut = below(line.length)
      lines[here] = line.slice(0, cut) + line.slice(cut + 1 + below(3))
      return
    }
    case 15:
      lines[here] =
        `${line}${pick([' # comment', '#', '\r', ' \\', '\\', '  ', '\t', ' x', ' :', '"', '\0', '\\\\', '\\ '])}`
      return
    case 16:
      for (let i = 0; i < lines.length; i++) lines[i] = `${lines[i]}\r`
      return
    case 17:
      lines.splice(at, 0, setting([mainOptions], random, names))
      return
    case 18:
      lines.splice(at, 0, `  ${setting([routerOptions, transportOptions], random, names)}`)
      return
    case 19:
      lines.splice(at, 0, `  ${pick(conditions)}`)
      return
    case 20:
      lines[here] = line.replace(
        /(\w)\s*=\s*/,
        (_, last: string) => `${last}${pick(['=', ' =', '= ', '\t=\t', ' == ', ' : ', ' ', ''])}`,
      )
      return
    case 21:
      lines.splice(at, 0, ...aclLines(random))
      return
    case 22: {
      // Words in other letters: some are the same, some are not.
      lines[here] = line.replace(/=(.*)$/, (all, value: string) =>
        pick([true, false]) ? all.toUpperCase() : `=${value.toLowerCase()}`,
      )
      return
    }
    case 23: {
      const other = below(lines.length)
      const [one, two] = [lines[here] ?? '', lines[other] ?? '']
      lines[here] = two
      lines[other] = one
      return
    }
    default:
      lines.splice(at, 0, pick([...retryRules, ...rewriteRules]))
  }
}
