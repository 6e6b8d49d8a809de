/** What is said of a configuration, and what `-bP` shows of it, beside a real Exim. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfiguration } from '../src/language/config/read.ts'
import { loadConfiguration } from '../src/server/configuration-file.ts'
import { printConfiguration } from '../src/language/config/print.ts'
import { singleMistakes } from './support/config-mistakes.ts'
import { fetchExim } from './support/debian.ts'
import { tableRegistries } from './support/registries.ts'

const exim = fetchExim()
const path = 'path' in exim ? exim.path : ''
const version = path === '' ? '' : (/version (\S+)/.exec(run(['-bV', '-C', '/dev/null']))?.[1] ?? '')
// Sentences change from one release to the next; these are of the one that Debian 12 has.
const skip = 'missing' in exim ? exim.missing : version === '4.96' ? false : `this is Exim ${version}`

const folder = mkdtempSync(join(tmpdir(), 'postern-config-'))
after(() => rmSync(folder, { recursive: true }))

function run(words: readonly string[]): string {
  const done = spawnSync(path, words, { encoding: 'latin1', timeout: 20_000 })
  return done.stdout + done.stderr
}

/** The sentence of Exim's first error; it may stand in two lines. */
function eximSays(text: string): string {
  const file = join(folder, 'mistake')
  writeFileSync(file, `primary_hostname = a.b\nkeep_environment =\n${text}`, 'latin1')
  const said = run(['-C', file, '-bV'])
  const found =
    /Exim configuration error[^\n]*:\n {2}([^\n]*(?:\n {2}[^\n]*)?)/.exec(said) ??
    // What it finds out when the main section is read.
    /^(?:\d{4}-\d\d-\d\d \S+ | {2}(?=both|regular))(.*)/m.exec(said)
  return (found?.[1] ?? 'nothing').replace(/\n\s*/g, ' ')
}

for (const { text, says, ours } of singleMistakes) {
  if (ours) continue
  const sentence = says.replace(/^\d+:\d+ /, '')
  test(`Exim says: ${sentence}`, { skip }, () => {
    // Where Exim names the instance in the line before, we put it into the sentence.
    const bare = sentence.replace(/^\w+ (?:router|transport|authenticator): /, '')
    assert.ok([sentence, bare].includes(eximSays(text)), eximSays(text))
  })
}

const listed = `primary_hostname = a.b
keep_environment =
# comment
hide mysql_servers = localhost/x/y/z
MAC = foo
.ifdef MAC
  qualify_domain = \\
     MAC.bar
.endif
.include included
hide domainlist a = b
  smtp_banner = "x  y\\x09\\xe9"
host_lookup_order   =  bydns :   byaddr
check_spool_space = 1500
bounce_return_size_limit = 1500K
queue_only_load = 7.50
auto_thaw = 8d61s
delay_warning = 3h :4h
smtp_receive_timeout = 165s
check_log_space = 3000T
retry_interval_max = 3d
never_users = root : daemon
begin acl
XX = deny
foo:
XX hosts = *
  accept   hosts = :
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
  headers_remove = y : z
  set = r_a = 1
  set = r_b = 2
once:
  driver = redirect
  data = x
  one_time
begin transports
t:
  driver = smtp
  hosts = secret
  protocol = SMTP
  connect_timeout = 90m
f:
  driver = appendfile
  file = /x
  mode = 0640
  lockfile_mode = -022
begin rewrite
*@*  a@b.c    Eh
begin retry
*   *   F,2h,15m; G,3h,20m,1.5
begin authenticators
p:
 driver = plaintext
 server_prompts = x : y
`

/** Asks Exim and us for the same, line by line; lines in `apart` have another default here. */
function compare(words: readonly string[], apart: RegExp = /^$/): void {
  const file = join(folder, 'listed')
  writeFileSync(join(folder, 'included'), '# c\nno_queue_only\n\nnot_message_logs\n')
  writeFileSync(file, listed)
  const configuration = readConfiguration({
    file,
    readFile: (name) => ({ bytes: readFileSync(name) }),
    registries: tableRegistries,
  })
  const names = words.filter((word) => word !== '-n')
  const nameless = words.includes('-n')
  const { output } = printConfiguration({
    configuration,
    registries: tableRegistries,
    names,
    admin: true,
    nameless,
    version: '4.96',
  })
  const theirs = run(['-C', file, ...(nameless ? ['-n'] : []), '-bP', ...names]).split('\n')
  const known = output.split('\n')
  const kept = (line: string): boolean => !apart.test(line)
  // Options that 4.96 has not are shown by us alone.
  const nameOf = (line: string): string => line.replace(/^no_/, '').replace(/ .*/, '')
  const both = new Set(theirs.map(nameOf))
  const mine = names[0] === 'config' ? known : known.filter((line) => both.has(nameOf(line)))
  assert.deepEqual(mine.filter(kept), theirs.filter(kept))
}

const settings =
  'qualify_domain smtp_banner host_lookup_order check_spool_space bounce_return_size_limit queue_only_load auto_thaw delay_warning smtp_receive_timeout check_log_space retry_interval_max never_users mysql_servers accept_8bitmime tls_alpn helo_lookup_domains nix'
const listings: readonly { words: string; apart?: RegExp; secret?: true }[] = [
  { words: 'config', secret: true },
  { words: '-n config', secret: true },
  { words: settings, secret: true },
  { words: `-n ${settings}`, secret: true },
  { words: '+a' },
  { words: 'router_list' },
  { words: 'transport_list' },
  { words: 'macro MAC', secret: true },
  { words: 'router nix' },
  // The driver works these out from other settings.
  { words: 'router r', apart: /^(?:no_)?(?:log_as_local|check_owner|check_group)$/ },
  { words: 'router once', apart: /^(?:no_)?(?:log_as_local|check_owner|check_group)$/ },
  {
    words: 'transport t',
    apart: /^(?:no_)?(?:retry_use_local_part|message_size_limit|port|host_name_extract|tls_dh_min_bits)\b/,
  },
  {
    words: 'transport f',
    apart:
      /^(?:\*expand_|(?:no_)?(?:retry_use_local_part|message_size_limit|message_prefix|message_suffix|quota_\w+|check_string|escape_string|use_lockfile|use_fcntl_lock)\b)/,
  },
  { words: 'authenticators' },
]
test('a list read once adds no headers: Exim says so', { skip }, async () => {
  const text =
    'begin routers\na:\n driver = redirect\n data = x\n one_time\n headers_add = X: y\n headers_remove = Z\n'
  const file = join(folder, 'once')
  writeFileSync(file, `primary_hostname = a.b\nkeep_environment =\n${text}`)
  const loaded = await loadConfiguration({ files: [file], anyOwner: true })
  const said = loaded.is === 'read' ? loaded.fatal.map(({ message }) => message) : []
  assert.deepEqual(said, [`a router: ${eximSays(text)}`])
})

const noAdministrator = process.getuid?.() === 0 ? false : 'Exim shows this to administrators only'
for (const { words, apart, secret } of listings) {
  const why = skip === false && secret ? noAdministrator : skip
  test(`-bP ${words} shows what Exim shows`, { skip: why }, () => compare(words.split(' '), apart))
}
