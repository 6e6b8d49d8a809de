import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, mistakes, readText } from '../../../test/support/read.ts'
import { Expandable } from '../../base/expandable.ts'

/** What stands in a main option, as text. */
function main(
  text: string,
  option: string,
  files: Record<string, string> = {},
  defines?: Map<string, string>,
): unknown {
  const configuration = readText(text, { files, ...(defines && { defines }) })
  assert.deepEqual(mistakes(configuration).map(brief), [])
  const value = new Map<string, unknown>(Object.entries(configuration.main)).get(option)
  return value instanceof Expandable ? value.text : value
}

const lines: readonly { says: string; text: string; value: string; files?: Record<string, string> }[] = [
  { says: 'a value runs to the end of its line', text: 'qualify_domain = a b  \n', value: 'a b' },
  {
    says: 'a line goes on after a backslash, without the white space that begins the next',
    text: 'qualify_domain = a \\\n   b\n',
    value: 'a b',
  },
  { says: 'white space behind the backslash is ignored', text: 'qualify_domain = a\\  \n b\n', value: 'ab' },
  {
    says: 'a comment may stand between continued lines',
    text: 'qualify_domain = a\\\n  # no\n  b\\\n#\n c\n',
    value: 'abc',
  },
  { says: 'a blank line ends a continuation', text: 'qualify_domain = a\\\n\n', value: 'a' },
  { says: 'the end of the file ends a continuation', text: 'qualify_domain = a\\', value: 'a' },
  { says: 'a # within a line is no comment', text: 'qualify_domain = a # b\n', value: 'a # b' },
  { says: 'CR before the line end is ignored', text: 'qualify_domain = a\r\n', value: 'a' },
  {
    says: 'bytes of UTF-8 that look like a blank stay',
    text: 'qualify_domain = \xc3\xa0\n',
    value: '\xc3\xa0',
  },
  {
    says: 'a quoted value knows escapes',
    text: 'qualify_domain = "a\\101\\x41\\n\\t\\"\\\\z\\q"\n',
    value: 'aAA\n\t"\\zq',
  },
  {
    says: 'an escape takes two hexadecimal digits at most',
    text: 'qualify_domain = "\\x4Z\\x414"\n',
    value: '\x04ZA4',
  },
  { says: 'a quoted value keeps its outer spaces', text: 'qualify_domain = " a "  \n', value: ' a ' },
  { says: 'a quoted value may be continued', text: 'qualify_domain = "a\\\n   b \\\n c"\n', value: 'ab c' },
  {
    says: 'a quote within a plain value is nothing special',
    text: 'qualify_domain = a "b"\n',
    value: 'a "b"',
  },
  { says: 'a macro is replaced', text: 'AA = x\nqualify_domain = AA\n', value: 'x' },
  { says: 'a macro is replaced within words', text: 'AA = x\nqualify_domain = bAAb\n', value: 'bxb' },
  {
    says: 'a macro is not replaced in what it gave itself',
    text: 'AA = AA\nqualify_domain = AAAA\n',
    value: 'AAAA',
  },
  {
    says: 'a macro defined later is replaced in the text of an earlier one',
    text: 'BB = xAAx\nAA = 1\nqualify_domain = BB\n',
    value: 'x1x',
  },
  {
    says: 'an earlier macro is replaced when a later one is defined',
    text: 'AA = 1\nBB = AAA\nqualify_domain = BB\n',
    value: '1A',
  },
  { says: 'a macro keeps quotes', text: 'AA = foo "x"\nqualify_domain = AA\n', value: 'foo "x"' },
  {
    says: 'a definition may be continued',
    text: 'AA = foo \\\n   bar\nqualify_domain = AA\n',
    value: 'foo bar',
  },
  { says: 'a definition may be indented', text: '  AA = v\nqualify_domain = AA\n', value: 'v' },
  { says: 'a line of one empty macro is no line', text: 'AA =\nAA\nqualify_domain = "AAx"\n', value: 'x' },
  { says: 'a macro may give the name of an option', text: 'OPT = qualify_domain = v\nOPT\n', value: 'v' },
  { says: 'a macro is redefined with ==', text: 'AA = 1\nAA == 2\nqualify_domain = AA\n', value: '2' },
  {
    says: 'a redefinition may use the old text',
    text: 'AA = 1\nBB = 2\nAA == BB AA\nqualify_domain = AA\n',
    value: '2 1',
  },
  {
    says: 'a macro holding a name as a part must be defined first',
    text: 'AAB = 1\nAA = 2\nqualify_domain = AAB AA\n',
    value: '1 2',
  },
  {
    says: 'a macro may give an include',
    text: 'AA = .include inc\nAA\n',
    files: { '/c/inc': 'qualify_domain = i\n' },
    value: 'i',
  },
  {
    says: '.ifdef takes what follows when a macro is named',
    text: 'AA = x\n.ifdef AA\nqualify_domain = y\n.else\nqualify_domain = n\n.endif\n',
    value: 'y',
  },
  { says: '.ifdef is an or', text: 'AA = x\n.ifdef BB AA\nqualify_domain = y\n.endif\n', value: 'y' },
  {
    says: '.ifdef sees a macro within a word',
    text: 'AA = x\n.ifdef ZAAZ\nqualify_domain = y\n.endif\n',
    value: 'y',
  },
  {
    says: '.ifdef of nothing is false',
    text: '.ifdef\nqualify_domain = y\n.else\nqualify_domain = n\n.endif\n',
    value: 'n',
  },
  { says: '.ifndef is the opposite', text: '.ifndef AA\nqualify_domain = y\n.endif junk\n', value: 'y' },
  {
    says: 'a directive may come of a macro, whose name is one that is there',
    text: 'AA = .ifdef\nBB = .else\nCC = .endif\nAA NOSUCH\nqualify_domain = y\nBB\nqualify_domain = n\nCC\n',
    value: 'y',
  },
  {
    says: 'a macro may end a branch that is passed over',
    text: 'AA = dif\n.ifdef NOSUCH\nqualify_domain = n\n.enAA\nqualify_domain = y\n',
    value: 'y',
  },
  {
    says: '.elifdef follows when nothing held',
    text: 'B = 1\n.ifdef A\nqualify_domain = a\n.elifdef B\nqualify_domain = b\n.elifdef B\nqualify_domain = c\n.else\nqualify_domain = d\n.endif\n',
    value: 'b',
  },
  {
    says: '.elifndef too',
    text: '.ifdef A\nqualify_domain = a\n.elifndef B\nqualify_domain = b\n.endif\n',
    value: 'b',
  },
  {
    says: 'conditionals nest',
    text: 'B = 1\n.ifdef A\n.ifdef B\nqualify_domain = a\n.else\nqualify_domain = b\n.endif\n.else\nqualify_domain = c\n.endif\n',
    value: 'c',
  },
  { says: 'directives may be indented', text: '  .ifndef A\n qualify_domain = a\n  .endif\n', value: 'a' },
  {
    says: 'directives may stand within a continued line',
    text: 'qualify_domain = x\\\n.ifdef ZZ\nfoo\\\n.endif\nbar\n',
    value: 'xbar',
  },
  {
    says: 'no macro is defined in a part left out',
    text: '.ifdef A\nB = 1\n.endif\nqualify_domain = B\n',
    value: 'B',
  },
  {
    says: 'a relative include goes by the folder of the including file',
    text: '.include d/a\n',
    files: { '/c/d/a': '.include b\n', '/c/d/b': 'qualify_domain = i\n' },
    value: 'i',
  },
  {
    says: 'quotes round the name of an include are optional',
    text: '.include "/x/y"\n',
    files: { '/x/y': 'qualify_domain = i\n' },
    value: 'i',
  },
  {
    says: 'an include may stand within a continued line',
    text: 'qualify_domain = x\\\n.include inc\n  ghi\n',
    files: { '/c/inc': '  abc\\\n  def\\\n' },
    value: 'xabcdefghi',
  },
  {
    says: 'a conditional may begin in one file and end in another',
    text: '.include inc\nqualify_domain = a\n.endif\nqualify_domain = b\n',
    files: { '/c/inc': '.ifdef X\n' },
    value: 'b',
  },
  {
    says: '.include_if_exists reads a file that is there',
    text: '.include_if_exists /c/inc\n',
    files: { '/c/inc': 'qualify_domain = b\n' },
    value: 'b',
  },
  {
    says: '.include_if_exists passes over one that is not',
    text: '.include_if_exists /c/none\nqualify_domain = b\n',
    value: 'b',
  },
]
for (const c of lines) test(c.says, () => assert.equal(main(c.text, 'qualify_domain', c.files), c.value))

const values: readonly { says: string; text: string; option: string; value: unknown }[] = [
  { says: 'a switch alone is on', text: 'queue_only\n', option: 'queue_only', value: true },
  { says: 'no_ turns a switch off', text: 'no_accept_8bitmime\n', option: 'accept_8bitmime', value: false },
  { says: 'not_ turns a switch off', text: 'not_accept_8bitmime\n', option: 'accept_8bitmime', value: false },
  { says: 'a switch takes yes', text: 'queue_only = Yes\n', option: 'queue_only', value: true },
  {
    says: 'a switch takes false',
    text: 'accept_8bitmime = false\n',
    option: 'accept_8bitmime',
    value: false,
  },
  {
    says: 'a switch with an empty value is on, as in Exim 4.96',
    text: 'queue_only =\n',
    option: 'queue_only',
    value: true,
  },
  { says: 'an integer is decimal', text: 'smtp_accept_max = 100\n', option: 'smtp_accept_max', value: 100 },
  {
    says: 'an integer may be hexadecimal',
    text: 'smtp_accept_max = 0x10\n',
    option: 'smtp_accept_max',
    value: 16,
  },
  {
    says: 'an integer with a leading zero is octal',
    text: 'smtp_accept_max = 010K\n',
    option: 'smtp_accept_max',
    value: 8192,
  },
  {
    says: 'an integer may be negative',
    text: 'smtp_accept_max = -5\n',
    option: 'smtp_accept_max',
    value: -5,
  },
  {
    says: 'M multiplies by a mebibyte',
    text: 'bounce_return_size_limit = 2M\n',
    option: 'bounce_return_size_limit',
    value: 2097152,
  },
  { says: 'a letter may be small', text: 'smtp_accept_max = 3k\n', option: 'smtp_accept_max', value: 3072 },
  {
    says: 'free space without a letter counts kilobytes',
    text: 'check_spool_space = 1024\n',
    option: 'check_spool_space',
    value: 1048576,
  },
  {
    says: 'free space may be beyond 31 bits',
    text: 'check_spool_space = 10G\n',
    option: 'check_spool_space',
    value: 10737418240,
  },
  {
    says: 'free space may be given in terabytes and more',
    text: 'check_spool_space = 3T\n',
    option: 'check_spool_space',
    value: 3 * 1024 ** 4,
  },
  {
    says: 'free space may be given in letters of any case',
    text: 'check_log_space = 1p\n',
    option: 'check_log_space',
    value: 1024 ** 5,
  },
  {
    says: 'a try is never put off for more than a day',
    text: 'retry_interval_max = 2d\n',
    option: 'retry_interval_max',
    value: 86400,
  },
  {
    says: 'a fixed-point number may end in its point',
    text: 'queue_only_load = 5.\n',
    option: 'queue_only_load',
    value: 5,
  },
  { says: 'a time adds its parts', text: 'auto_thaw = 1h30m\n', option: 'auto_thaw', value: 5400 },
  {
    says: 'the parts of a time may come in any order',
    text: 'auto_thaw = 3m2h\n',
    option: 'auto_thaw',
    value: 7380,
  },
  {
    says: 'a list of times',
    text: 'delay_warning = 3h: 4h : 1d\n',
    option: 'delay_warning',
    value: [10800, 14400, 86400],
  },
  {
    says: 'a time may have all bits',
    text: 'delay_warning = 2147483647s\n',
    option: 'delay_warning',
    value: [2147483647],
  },
  { says: 'an empty list of times', text: 'delay_warning =\n', option: 'delay_warning', value: [] },
  {
    says: 'a fixed-point number has three digits',
    text: 'queue_only_load = 3.12345\n',
    option: 'queue_only_load',
    value: 3.123,
  },
  {
    says: 'a list is split at colons, doubled for themselves',
    text: 'daemon_smtp_ports = 25 : 465: a::b :\n',
    option: 'daemon_smtp_ports',
    value: ['25', '465', 'a:b'],
  },
  {
    says: 'a list may name its separator',
    text: 'daemon_smtp_ports = <; 25 ; 465\n',
    option: 'daemon_smtp_ports',
    value: ['25', '465'],
  },
  {
    says: 'an expanded list is kept whole',
    text: 'host_lookup = a : $b\n',
    option: 'host_lookup',
    value: 'a : $b',
  },
  {
    says: 'an older name is understood',
    text: 'daemon_smtp_port = 25\n',
    option: 'daemon_smtp_ports',
    value: ['25'],
  },
  { says: 'an unset option has its default', text: '\n', option: 'smtp_accept_max', value: 20 },
  { says: 'an unset expanded option has its default', text: '\n', option: 'recipients_max', value: '50000' },
]
for (const c of values) test(c.says, () => assert.deepEqual(main(c.text, c.option), c.value))

test('-D wins over definitions and redefinitions in the file', () => {
  const defines = new Map([['AA', 'cli']])
  const text = 'AA = 1\nAA = 2\nAA == 3\nqualify_domain = AA\n'
  assert.equal(main(text, 'qualify_domain', {}, defines), 'cli')
})

test('-D of an empty text defines a macro', () => {
  assert.equal(main('qualify_domain = AAB\n', 'qualify_domain', {}, new Map([['AA', '']])), 'B')
})

test('named lists know their kind, their cache mark and hide', () => {
  const { namedLists } = readText('domainlist_cache a = x : y\nhide hostlist b = "z"\nlocalpartlist c =\n')
  const domain = namedLists.domain.get('a')
  assert.deepEqual([domain?.value.text, domain?.cached, domain?.hide], ['x : y', true, false])
  const host = namedLists.host.get('b')
  assert.deepEqual([host?.value.text, host?.cached, host?.hide], ['z', false, true])
  assert.equal(namedLists.localpart.get('c')?.value.text, '')
})

test('sections hold ACLs, drivers and rules', () => {
  const configuration = readText(`
begin acl
a: accept hosts = *
  deny
b:
  accept
BEGIN Router
r:
  driver = redirect
  data = \${lookup{x}}
  headers_add = X: 1
  headers_add = Y: 2
  no_verify
  unseen
begin transports
T = h
t :
  driver = smtp
  hosts = T
begin retry
*  *  F,2h,15m; G,16h,1h,1.5
a.b rcpt_4xx senders=":" H,1d,1h,2
begin rewrite
*@a.b  "$1@c d"  Eh q
begin authenticators
p:
  driver = plaintext
  public_name = PLAIN
`)
  assert.deepEqual(mistakes(configuration).map(brief), [])
  const { acls, routers, transports, retry, rewrite, authenticators } = configuration
  assert.deepEqual(
    acls.get('a')?.lines.map((line) => line.text.text),
    ['accept hosts = *', 'deny'],
  )
  assert.deepEqual([...acls.keys()], ['a', 'b'])
  const router = routers[0]
  assert.equal(router?.driver, 'redirect')
  assert.deepEqual(
    router?.settings.headers_add?.map((header) => header.text),
    ['X: 1', 'Y: 2'],
  )
  assert.deepEqual([router?.settings.verify_sender, router?.settings.verify_recipient], [false, false])
  assert.equal(router?.settings.unseen.text, 'true')
  assert.equal(transports.get('t')?.driver, 'smtp')
  assert.deepEqual(retry[0]?.intervals, [
    { rule: 'F', cutoff: 7200, interval: 900 },
    { rule: 'G', cutoff: 57600, interval: 3600, factor: 1.5 },
  ])
  assert.deepEqual(retry[1]?.error, { name: 'rcpt', extra: '4xx' })
  assert.equal(retry[1]?.senders?.text, ':')
  assert.deepEqual([rewrite[0]?.replacement.text, rewrite[0]?.flags], ['$1@c d', 'Ehq'])
  assert.equal(authenticators[0]?.settings.public_name, 'PLAIN')
})

test('the errors of retry rules are named in letters of any case', () => {
  const names = ['Refused_mx', 'timeout_Connect_', 'timeout_dns', 'QUOTA', 'Quota_7d', 'Rcpt_452']
  const { retry, diagnostics } = readText(
    `begin retry\n${names.map((name) => `* ${name} F,2h,15m\n`).join('')}`,
  )
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  )
  assert.deepEqual(
    retry.map(({ error: { name, extra } }) => [name, extra]),
    [
      ['refused_MX', undefined],
      ['timeout_connect', undefined],
      ['timeout', undefined],
      ['quota', undefined],
      ['quota', '7d'],
      ['rcpt', '452'],
    ],
  )
})

test('the protocol of an smtp transport is named in letters of any case', () => {
  const read = readText('begin transports\nt:\n driver = smtp\n protocol = SMTPS\n')
  assert.deepEqual(mistakes(read), [])
  assert.deepEqual(
    Object.entries(read.transports.get('t')?.settings ?? {}).find(([name]) => name === 'protocol'),
    ['protocol', 'smtps'],
  )
})

test('a value that could not be read is told once', () => {
  assert.deepEqual(readText('tls_dh_max_bits = 5 # c\nldap_version = 2\n').diagnostics.map(brief), [
    '1:21 extra characters follow integer value for tls_dh_max_bits (# is comment only at line start)',
    '2:16 ldap_version 2 is not supported',
  ])
})

test('a statement behind the name of an ACL ends with its line', () => {
  const read = (text: string): string[] => readText(`begin acl\n${text}`).diagnostics.map(brief)
  assert.deepEqual(read('a: accept hosts = *\n deny\n'), [])
  assert.deepEqual(read('a:\n accept\n  hosts = *\n'), [])
  assert.deepEqual(read('a: accept\n  hosts = *\n  message = x\n'), [
    '3:3 error in ACL: unknown ACL verb "hosts" in "hosts = *"',
  ])
})

test('what only begins like a directive is passed over, and told', () => {
  const read = readText('.ifdefined X\n.ifndef A\nqualify_domain = a\n.elseif\n.endif.\n.endif\n')
  assert.equal(read.main.qualify_domain, 'a')
  assert.deepEqual(
    read.diagnostics.map((each) => `${each.severity} ${brief(each)}: ${each.help}`),
    [
      'warning 1:1 ".ifdefined" is no directive: this line is passed over: did you mean ".ifdef"?',
      'warning 4:1 ".elseif" is no directive: this line is passed over: did you mean ".elifdef"?',
      'warning 5:1 ".endif." is no directive: this line is passed over: did you mean ".endif"?',
    ],
  )
})

test('a driver behind the name of an instance is told once', () => {
  const { diagnostics } = readText('begin transports\nt: driver = smtp\n hosts = a.b\n')
  assert.deepEqual(diagnostics.map(brief), ['2:4 extra characters follow driver name t'])
})

test('an expanded text knows the place of each of its bytes', () => {
  const text = 'MAC = wrong\nsmtp_banner = one \\\n  # comment\n  two MAC \\\n  "th\\x72ee"\n'
  const value = readText(text).main.smtp_banner
  const place = (word: string): string => {
    const start = value.text.indexOf(word)
    const at = value.origin.locate(start, start + word.length)
    const through = at.through.map(({ name, definedAt }) => `${name} ${definedAt?.line}:${definedAt?.column}`)
    return [`${at.line}:${at.column}+${at.length}`, ...through].join(' ')
  }
  assert.equal(place('one'), '2:15+3')
  assert.equal(place('two'), '4:3+3')
  assert.equal(place('wrong'), '4:7+3 MAC 1:7')
  assert.equal(place('ong'), '4:7+3 MAC 1:9')
  assert.equal(place('two wrong'), '4:3+7')
})

test('a byte of an escape is found at its backslash, what follows at its own place', () => {
  const value = readText('smtp_banner = "a\\x41\\nb"\n').main.smtp_banner
  assert.equal(value.text, 'aA\nb')
  assert.deepEqual(
    [0, 1, 2, 3].map((i) => value.origin.locate(i, i + 1).column),
    [16, 17, 21, 23],
  )
})

test('a byte that came through two macros tells both, the innermost first', () => {
  const value = readText('OUT = a IN b\nIN = x\nsmtp_banner = OUT\n').main.smtp_banner
  assert.equal(value.text, 'a x b')
  const { line, column, through } = value.origin.locate(2, 3)
  assert.deepEqual([line, column], [3, 15])
  const shown = through.map((use) => [use.name, use.usedAt.line, use.usedAt.column, use.definedAt?.line])
  assert.deepEqual(shown, [
    ['IN', 1, 9, 2],
    ['OUT', 3, 15, 1],
  ])
})

test('G1 .ifdef asks for a feature by its built-in macro', () => {
  const holds = (macro: string, have: readonly string[]): boolean => {
    const registries = {
      routers: {},
      transports: {},
      authenticators: {},
      names: { have, lookups: ['redis'] },
    }
    return readText(`.ifdef ${macro}\nqueue_only\n.endif\n`, { registries }).main.queue_only
  }
  const have = ['OCSP', 'TLS', 'TLS_OCSP', 'TLS_OCSP_LIST', 'SPF', 'DMARC', 'EVENT', 'PROXY']
  for (const name of [...have, 'LOOKUP_REDIS']) assert.equal(holds(`_HAVE_${name}`, have), true, name)
  for (const name of ['OCSP', 'SPF', 'PROXY']) assert.equal(holds(`_HAVE_${name}`, []), false, name)
  // Built-in macros came with 4.88, when TPDA had become events.
  assert.equal(holds('_HAVE_TPDA', have), false)
  assert.equal(holds('_OPT_MAIN_ACL_SMTP_RCPT', []), true)
  // Any part of a word counts, as for every macro.
  assert.equal(holds('_HAVE_TLS_NONSENSE', have), true)
})
