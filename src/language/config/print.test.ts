import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableRegistries } from '../../../test/support/registries.ts'
import { readText } from '../../../test/support/read.ts'
import { type PrintRequest, printConfiguration } from './print.ts'
import { timeText } from './print-values.ts'

const text = `primary_hostname = a.b
# comment
hide mysql_servers = localhost/x/y/z
MAC = foo
.ifdef MAC
  qualify_domain = \\
     MAC.bar
.endif
.include inc
hide domainlist a = b
domainlist_cache shown = a :  b
  smtp_banner = "x  y\\x09\\xe9"
host_lookup_order   =  bydns :   byaddr

begin acl
check:
  accept   hosts = :
  deny
begin transports

t:
  driver = smtp
  hide hosts = secret
  user = 0
  group = 0
  connect_timeout = 90m
f:
  driver = appendfile
  file = /x
  mode = 0640

begin rewrite
*@*  a@b.c    Eh
begin retry
*   *   F,2h,15m; G,3h,20m,1.5
begin routers
r:
  driver = redirect
  data = x
  fail_verify
  more = no
  unseen = \${if x}
  condition = a
  condition = b
  headers_add = X: 1
  headers_add = Y: 2
  headers_remove = x
  headers_remove = y
  set = r_a = 1
  set = r_b = 2
begin authenticators
a:
 driver = plaintext
 server_prompts = x
`
const files = { '/c/inc': '# c\nno_queue_only\n\nnot_message_logs\n' }

function print(names: string, changes: Partial<PrintRequest> = {}): string {
  const configuration = readText(text, { files, registries: { ...tableRegistries, names: {} } })
  const result = printConfiguration({
    configuration,
    registries: tableRegistries,
    names: names === '' ? [] : names.split(' '),
    admin: true,
    version: '4.99',
    ...changes,
  })
  return `${result.output}${result.complaint}(${result.exitCode})`
}

/** Forms observed on Exim 4.96. */
const cases: readonly { names: string; changes?: Partial<PrintRequest>; output: string }[] = [
  { names: 'qualify_domain', output: 'qualify_domain = foo.bar\n(0)' },
  { names: 'qualify_domain', changes: { nameless: true }, output: 'foo.bar\n(0)' },
  {
    names: 'qualify_domain',
    changes: { effective: new Map([['qualify_domain', 'vm']]) },
    output: 'qualify_domain = vm\n(0)',
  },
  {
    names: 'queue_only message_logs accept_8bitmime',
    output: 'no_queue_only\nno_message_logs\naccept_8bitmime\n(0)',
  },
  { names: 'mysql_servers', output: 'mysql_servers = localhost/x/y/z\n(0)' },
  {
    names: 'mysql_servers',
    changes: { admin: false },
    output: 'mysql_servers = <value not displayable>\n(0)',
  },
  { names: 'smtp_banner', output: 'smtp_banner = x  y\\t\\351\n(0)' },
  { names: 'host_lookup_order', output: 'host_lookup_order = bydns :   byaddr\n(0)' },
  { names: 'gecos_name', output: 'gecos_name = \n(0)' },
  { names: 'never_users', output: 'never_users =\n(0)' },
  { names: 'queue_only_load', output: 'queue_only_load =\n(0)' },
  { names: 'check_spool_space', output: 'check_spool_space = 10M\n(0)' },
  { names: 'bounce_return_size_limit', output: 'bounce_return_size_limit = 100K\n(0)' },
  { names: 'header_maxsize', output: 'header_maxsize = 1048576\n(0)' },
  { names: 'delay_warning', output: 'delay_warning = 1d\n(0)' },
  { names: 'nix', output: 'nix is not a known option\n(1)' },
  { names: 'nix queue_only', output: 'nix is not a known option\nno_queue_only\n(1)' },
  { names: 'no_queue_only', output: 'no_queue_only is not a known option\n(1)' },
  { names: '+shown', output: 'domainlist shown = a :  b\n(0)' },
  { names: '+shown', changes: { nameless: true }, output: 'a :  b\n(0)' },
  { names: '+a', output: 'domainlist a = <value not displayable>\n(0)' },
  { names: '+nix', output: 'no address, domain, host, or local part list called "nix" exists\n(1)' },
  { names: 'router_list', output: 'r\n(0)' },
  { names: 'transport_list', output: 't\nf\n(0)' },
  { names: 'authenticator_list', output: 'a\n(0)' },
  { names: 'router nix', output: 'router nix not found\n(1)' },
  { names: 'macro MAC', output: 'MAC=foo\n(0)' },
  { names: 'macro MAC', changes: { nameless: true }, output: 'foo\n(0)' },
  { names: 'macro MAC', changes: { admin: false }, output: 'exim: permission denied\n(1)' },
  { names: 'macro NIX', output: 'macro NIX not found\n(1)' },
  { names: 'configure_file', output: '/c/main\n(0)' },
  { names: 'config_file', output: '/c/main\n(0)' },
  { names: 'environment', changes: { environment: { PATH: '/bin', A: 'b' } }, output: 'A=b\nPATH=/bin\n(0)' },
  { names: 'environment', changes: { environment: { A: 'b' }, nameless: true }, output: 'A\n(0)' },
]
for (const c of cases) {
  const how = Object.keys(c.changes ?? {}).join(', ')
  test(`-bP ${c.names}${how && ` (${how})`}`, () => assert.equal(print(c.names, c.changes), c.output))
}

/** Lines of a listing that name one of the options. */
function linesOf(listing: string, ...names: string[]): string[] {
  return listing
    .split('\n')
    .filter((line) => names.some((name) => new RegExp(`^(no_)?${name}( |$)`).test(line)))
}

test('-bP alone shows every main option', () => {
  const listing = print('')
  assert.equal(listing, print('all'))
  assert.deepEqual(linesOf(listing, 'auto_thaw', 'smtp_accept_max', 'tls_alpn'), [
    'auto_thaw = 0s',
    'smtp_accept_max = 20',
    'tls_alpn = smtp:esmtp',
  ])
})

test('-bP router shows the generic options, then those of the driver', () => {
  const listing = print('router r')
  assert.ok(listing.startsWith('address_data = \naddress_test\n'))
  assert.deepEqual(
    linesOf(
      listing,
      'condition',
      'headers_add',
      'headers_remove',
      'set',
      'more',
      'unseen',
      'verify',
      'fail_verify_sender',
      'modemask',
      'data',
    ),
    [
      'condition = ${if and{{bool_lax{a}}{bool_lax{b}}}}',
      'fail_verify_sender',
      'headers_add = X: 1\\nY: 2',
      'headers_remove = x:y',
      'no_more',
      'set = r_a = 1;r_b = 2',
      'unseen = ${if x}',
      'data = x',
      'modemask = 022',
    ],
  )
})

test('-bP transports shows each under its name, and hides for all instances of the driver', () => {
  const listing = print('transports', { admin: false })
  assert.ok(listing.startsWith('\nt transport:\nno_body_only\n'))
  assert.deepEqual(linesOf(listing, 'hosts', 'connect_timeout', 'mode', 'file'), [
    'connect_timeout = 1h30m',
    'hosts = <value not displayable>',
    'file = /x',
    'mode = 0640',
  ])
})

test('-bP authenticator names the mechanism by the instance when the file does not', () => {
  assert.deepEqual(linesOf(print('authenticator a'), 'public_name'), ['public_name = a'])
})

test('-bP config shows the file without comments, macros replaced', () => {
  assert.equal(
    print('config'),
    `# Exim Configuration (4.99)
# 1 "/c/main"
primary_hostname = a.b
hide mysql_servers = localhost/x/y/z
MAC = foo
qualify_domain = foo.bar
# 9 "/c/main"
# 1 "/c/inc"
no_queue_only
not_message_logs
# 9 "/c/main"
hide domainlist a = b
domainlist_cache shown = a : b
smtp_banner = "x  y\\x09\\xe9"
host_lookup_order = bydns : byaddr

begin acl

  check:
    accept hosts = :
    deny

begin transports

  t:
    driver = smtp
    hide hosts = secret
    user = 0
    group = 0
    connect_timeout = 90m

  f:
    driver = appendfile
    file = /x
    mode = 0640

begin rewrite
  *@* a@b.c Eh

begin retry
  * * F,2h,15m; G,3h,20m,1.5

begin routers

  r:
    driver = redirect
    data = x
    fail_verify
    more = no
    unseen = \${if x}
    condition = a
    condition = b
    headers_add = X: 1
    headers_add = Y: 2
    headers_remove = x
    headers_remove = y
    set = r_a = 1
    set = r_b = 2

begin authenticators

  a:
    driver = plaintext
    server_prompts = x
(0)`,
  )
})

test('-bP config shows no hidden value and no macro to others, and -n does not indent', () => {
  const listing = print('config', { admin: false, nameless: true }).split('\n')
  assert.ok(listing.includes('hide mysql_servers = <value not displayable>'))
  assert.ok(listing.includes('MAC = <value not displayable>'))
  assert.ok(listing.includes('hide hosts = <value not displayable>'))
  assert.ok(!listing.includes(''))
})

test('times are shown in weeks down to seconds', () => {
  const shown = [0, 59, 3600, 694861, 604800].map(timeText)
  assert.deepEqual(shown, ['0s', '59s', '1h', '1w1d1h1m1s', '1w'])
})
