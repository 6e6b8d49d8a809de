/** What `postern check` finds in planted defects, at the right line and column; and that it cries no wolf. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { renderDiagnostic } from '../src/base/diagnostic-frame.ts'
import { type Diagnostic, locate } from '../src/base/diagnostic.ts'
import { defaultConfiguration } from '../src/server/default-configuration.ts'
import { firstConfiguration } from '../src/tools/host/texts.ts'
import { checkAll } from '../src/tools/inspect/check-all.ts'
import { debianConfiguration, debianRoot, debianTypes } from './support/debian-configuration.ts'
import { plantedDefects } from './support/planted-defects.ts'
import { postern } from './support/server.ts'

async function check(text: string): Promise<readonly Diagnostic[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-check-'))
  try {
    const file = join(folder, 'exim.conf')
    writeFileSync(file, text, { encoding: 'latin1', mode: 0o644 })
    const checked = await checkAll({ files: [file] })
    assert.equal(checked.is, 'checked')
    return checked.is === 'checked' ? checked.found : []
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Line and column, from 1, of the mark, and the text without it. */
function marked(text: string): { readonly text: string; readonly at: string } {
  const index = text.indexOf('¦')
  const before = text.slice(0, index)
  const line = before.split('\n').length
  return {
    text: text.replace('¦', ''),
    at: `${line}:${index - before.lastIndexOf('\n')}`,
  }
}

test('there are at least 60 planted defects', () => {
  assert.ok(plantedDefects.length >= 60, `${plantedDefects.length}`)
})

for (const { code, severity, text: planted, help } of plantedDefects) {
  const { text, at } = marked(planted)
  const line = planted.split('\n').find((each) => each.includes('¦')) ?? ''
  test(`${code}: ${line.trim()}`, async () => {
    const found = await check(text)
    const shown = found.map(renderDiagnostic).join('\n\n')
    const [first, ...others] = found
    assert.ok(first !== undefined, 'nothing was found')
    assert.deepEqual([first.code, first.severity, first.at && place(first)], [code, severity, at], shown)
    if (help !== undefined) assert.match(first.help ?? '', help)
    assert.deepEqual(others.map(renderDiagnostic), [], shown)
  })
}

function place({ at }: Diagnostic): string {
  if (at === undefined) return ''
  const { line, column } = locate(at)
  return `${line}:${column}`
}

/** A host without the files of a mail server, and an option that has no effect yet, are told truly. */
const isMailHost = ['/etc/aliases', '/etc/email-addresses'].every((path) => existsSync(path))
const known = ({ code }: Diagnostic): boolean =>
  code !== 'option-pending' && (code !== 'file-missing' || isMailHost)

async function assertQuiet(text: string): Promise<void> {
  const found = (await check(text)).filter(known).map(renderDiagnostic)
  assert.deepEqual(found, [])
}

const debian = debianRoot()
const skip = 'missing' in debian ? debian.missing : false
const root = 'root' in debian ? debian.root : ''

test("no false alarm: Exim's default configuration", { skip }, async () => {
  await assertQuiet(readFileSync(join(root, 'usr/share/doc/exim4-base/examples/example.conf'), 'latin1'))
})

for (const type of debianTypes) {
  test(`no false alarm: Debian's configuration of type ${type}`, { skip }, async () => {
    await assertQuiet(debianConfiguration(root, type, true))
  })
}

test('no false alarm: what looks like a mistake and is none', async () => {
  await assertQuiet(`hostlist a = <; 127.0.0.1 ; ::1 ; 2001:db8::/32
hostlist b = 127.0.0.1 : ::::1 : 2001::db8::::/32 : @[] : *.example
domainlist c = ! a.example : *.b.example : ^\\N.*\\.x\\N : @mx_any/ignore=127.0.0.1
addresslist d = *@y.example : "a b"@x.example : ^no.*@z.example
MYHOST = mail.example
smtp_banner = MYHOST TLS \${eval:1+2} \${substr_-3_2:abcdef}
acl_smtp_rcpt = r
acl_smtp_dkim = k
acl_smtp_data = d
begin acl
k:
  warn logwrite = \${lc:$dkim_cur_signer} $dkim_verify_status
       set acl_m_dkim = $dkim_verify_status
  accept
d:
  warn logwrite = $dkim_verify_status $dkim_signers \${eval:\${sg{0$acl_m_dkim}{\\\\D}{}} + 1}
  accept
r:
  deny condition = \${if eq{$acl_c_x}{1}{yes}{no}}
       dnslists = sbl.example.org,xbl.example.org=127.0.0.2 : bl.example.net/$sender_address_domain
       message = 550 listed
  deny !verify = reverse_host_lookup/defer_ok
       add_header = :at_start:X-Seen: yes
  accept authenticated = *
begin routers
one:
  driver = manualroute
  route_list = a.example "192.0.2.1::587 : mx.a.example" byname ; * smart.example::587 t
two:
  driver = redirect
  domains = \${if eq{$domain}{x.example}{$domain}}
  condition = \${if eq{$local_part}{x}}
  data = root@mail.example
three:
  driver = accept
  check_local_user
  router_home_directory = /home/$local_part
  user = $local_part
  transport = box
four:
  driver = accept
  local_parts = a : b
  user = $local_part
  router_home_directory = /home/$local_part
  transport_home_directory = /home/$local_part_data
  transport_current_directory = /home/$local_part
  transport = box
five:
  driver = accept
  router_home_directory = /home/$local_part
  condition = \${if match{$h_x-n:}{^[0-9]+\\$}{\${if >{\${eval:$h_x-n: + 1}}{3}}}}
  transport = below
begin transports
t:
  driver = smtp
  helo_data = [192.0.2.1]
box:
  driver = appendfile
  file = $home/box
  current_directory = /home/$local_part
below:
  driver = appendfile
  home_directory = /home/$local_part
  file = $home/box
  create_file = belowhome
begin retry
a.example  *  F,2h,15m
*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h
begin rewrite
*@old.example $1@new.example Ffrs
^root x S
`)
})

test('no false alarm: the configurations that Postern brings', async () => {
  await assertQuiet(firstConfiguration())
  await assertQuiet(
    defaultConfiguration({ data: '/tmp', address: '127.0.0.1', port: 2525, uid: 8, gid: 8, starter: 'root' }),
  )
})

/** The examples of Exim's experimental-spec.txt of 2014, SPF, DMARC and PROXY; each oddity in them is true. */
const examples2014 = `domainlist local_domains = here.example
domainlist screwed_up_dmarc_records = old.example
proxy_required_hosts = 192.0.2.0/24
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
acl_smtp_connect = acl_connect
begin acl
acl_rcpt:
  deny message = $sender_host_address is not allowed to send mail from \${if def:sender_address_domain {$sender_address_domain}{$sender_helo_name}}.  \\
                 Please see http://www.openspf.org/Why?scope=\${if def:sender_address_domain {mfrom}{helo}};identity=\${if def:sender_address_domain {$sender_address}{$sender_helo_name}};ip=$sender_host_address
       spf = fail
  deny message = AOL sender, but not from AOL-approved relay.
       sender_domains = aol.com
       spf_guess = fail : neutral
  warn domains = +local_domains
       hosts = +local_hosts
       control = dmarc_disable_verify
  warn !domains = +screwed_up_dmarc_records
       control = dmarc_enable_forensic
  warn condition = (lookup if destined to mailing list)
       set acl_m_mailing_list = 1
  require domains = +local_domains
  accept
acl_connect:
  warn condition = \${if and{ {bool{$proxy_session}} {eq{$proxy_host_address}{}} }}
       log_message = Failed required proxy protocol negotiation from $sender_host_name [$sender_host_address]
  warn logwrite = Remote Source Address: $sender_host_address:$sender_host_port
       logwrite = Proxy Target Address: $proxy_target_address:$proxy_target_port
       logwrite = Internal Server Address: $received_ip_address:$received_port
  accept
acl_data:
  warn dmarc_status = accept : none : off
       !authenticated = *
       log_message = DMARC DEBUG: $dmarc_status $dmarc_used_domain
       add_header = $dmarc_ar_header
  warn dmarc_status = !accept
       !authenticated = *
       log_message = DMARC DEBUG: '$dmarc_status' for $dmarc_used_domain
  warn dmarc_status = quarantine
       !authenticated = *
       set $acl_m_quarantine = 1
  deny condition = \${if eq{$dmarc_domain_policy}{reject}}
       condition = \${if eq{$acl_m_mailing_list}{1}}
       message = Messages from $dmarc_used_domain break mailing lists
  deny dmarc_status = reject
       !authenticated = *
       message = Message from $domain_used_domain failed sender's DMARC policy, REJECT
  accept
`.replace('acl_smtp_rcpt', 'hostlist local_hosts = 127.0.0.1\nacl_smtp_rcpt')

test('no false alarm: of the examples of 2014 only the oddities that are in them', async () => {
  const found = (await check(examples2014)).filter(known)
  assert.deepEqual(
    found.map(({ code, at }) => `${code} ${at === undefined ? '' : underlined(at)}`),
    [
      'option-renamed 3: proxy_required_hosts',
      'acl-condition-value 21: (lookup if destined to mailing list)',
      'variable-renamed 26: $proxy_host_address',
      'variable-renamed 29: $proxy_target_address',
      'variable-renamed 29: $proxy_target_port',
      'acl-set-dollar 42: set',
      'variable-renamed 48: $domain_used_domain',
    ],
  )
})

function underlined(at: NonNullable<Diagnostic['at']>): string {
  const { line, column, length, lineText } = locate(at)
  return `${line}: ${lineText.slice(column - 1, column - 1 + length)}`
}

test('a file that is closed to the run-time user is told, to root too', {
  skip: process.getuid?.() === 0 ? false : 'root alone reads what the run-time user may not',
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-closed-'))
  try {
    chmodSync(folder, 0o755)
    const file = join(folder, 'domains')
    writeFileSync(file, 'a.example\n', { mode: 0o600 })
    const text = `exim_user = nobody\ndomainlist a = lsearch;${file}\n`
    const [found, ...others] = await check(text)
    assert.deepEqual([found?.code, found && place(found), others.length], ['file-closed', '2:24', 0])
    chmodSync(file, 0o644)
    assert.deepEqual(await check(text), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('--json: places, helps and counts for editors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-check-'))
  try {
    const file = join(folder, 'exim.conf')
    writeFileSync(file, 'AA = ${lcc:x}\nsmtp_banner = AA\n')
    const done = spawnSync(postern, ['check', '--json', file], { encoding: 'utf8' })
    assert.equal(done.status, 1)
    const said = JSON.parse(done.stdout) as {
      errors: number
      findings: { code: string; at: { line: number; column: number }; macros: string[] }[]
    }
    assert.equal(said.errors, 1)
    assert.deepEqual(
      said.findings.map(({ code, at, macros }) => [code, at.line, macros]),
      [['operator-unknown', 2, ['AA']]],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** Lines of most kinds, `size` of each; every list names the one before it. */
function longConfiguration(size: number): string {
  const each = (line: (i: number) => string): string =>
    Array.from({ length: size }, (_, i) => line(i)).join('')
  return [
    'acl_smtp_rcpt = r\n',
    each((i) => `domainlist list${i} = a${i}.example${i === 0 ? '' : ` : +list${i - 1}`}\n`),
    'begin acl\nr:\n',
    each((i) => `  deny domains = +list${i}\n       condition = \${if eq{$sender_helo_name}{h${i}}}\n`),
    '  accept authenticated = *\nbegin routers\n',
    each(
      (i) =>
        `r${i}:\n  driver = manualroute\n  domains = d${i}.example\n  route_list = * h${i}.example\n  transport = t\n`,
    ),
    'begin transports\nt:\n  driver = smtp\nbegin retry\n',
    each((i) => `d${i}.example * F,2h,15m\n`),
  ].join('')
}

async function workOf(text: string): Promise<number> {
  const before = process.cpuUsage()
  assert.deepEqual(await check(text), [])
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

test('the work grows with the configuration, not with its square', async () => {
  await workOf(longConfiguration(300))
  const small = await workOf(longConfiguration(500))
  const large = await workOf(longConfiguration(4000))
  // Eight times as long; the square would be sixty-four times the work.
  assert.ok(large < 30 * Math.max(small, 50), `${large} ms after ${small} ms`)
})

test('three thousand findings in one line are told in a moment', async () => {
  const items = Array.from({ length: 3000 }, (_, i) => `10.0.0.1 10.0.${i >> 8}.${i & 255}`)
  const before = process.cpuUsage()
  const found = await check(`hostlist h = ${items.join(' : ')}\n`)
  const { user, system } = process.cpuUsage(before)
  assert.equal(found.length, 3000)
  assert.ok(user + system < 5_000_000, `${user + system} µs`)
})
