/**
 * Postern behind a setuid launcher: the caller is the real uid, the power is the effective one. `setpriv` makes just
 * that. Source: Exim manual, "-C", "-D", "Trusted and admin users"; SECURITY.md, promise 13.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('setuid')
after(() => folder.remove())
const possible =
  process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0
    ? false
    : 'needs root and setpriv (util-linux)'
const text = `spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/log/%slog
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
exim_user = mail
exim_path = ${postern}
begin routers
boxes:
  driver = accept
  local_parts = box-user : box-root
  transport = box
hole:
  driver = redirect
  data = :blackhole:
begin transports
box:
  driver = appendfile
  file = ${folder.path}/boxes/$local_part_data
  user = games
`
const secret = join(folder.path, 'secret.conf')
const open = join(folder.path, 'open.conf')
mkdirSync(join(folder.path, 'log'))
mkdirSync(join(folder.path, 'boxes'))
chmodSync(join(folder.path, 'boxes'), 0o777)
for (const file of [secret, open]) writeFileSync(file, text)
chmodSync(secret, 0o600)
chmodSync(open, 0o644)

/** A call of user 65534 with the power of root, as a setuid launcher makes it. */
function borrowed(words: readonly string[], input: string = '', environment: Record<string, string> = {}) {
  const as = ['--ruid=65534', '--euid=0', '--rgid=65534', '--egid=0', '--clear-groups', postern]
  return spawnSync('setpriv', [...as, ...words], {
    encoding: 'latin1',
    input,
    timeout: 60_000,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
  })
}

test('a file of -C takes the power away: one that only root may read stays closed', {
  skip: possible,
}, () => {
  const done = borrowed(['-C', secret, '-be', '$primary_hostname'])
  assert.notEqual(done.status, 0)
  assert.match(done.stderr, /[Pp]ermission denied|EACCES/)
  const allowed = borrowed(['-C', open, '-be', '$exim_uid $caller_uid'])
  assert.equal(allowed.status, 0, allowed.stderr)
})

test('tests, sessions and what they name are read with the caller’s own rights', { skip: possible }, () => {
  const names = join(folder.path, 'names.postern-test.yaml')
  writeFileSync(names, `tests: [{name: x, rcpt: a@b.example, message: {file: ${secret}}, expect: 550 no}]\n`)
  for (const words of [
    ['test', '-C', open, secret],
    ['test', '-C', secret, names],
    ['test', '-C', open, names],
    ['replay', secret, '--config', open],
    ['replay', names, '--config', secret],
    ['test', '--record', '-C', open, '--from', '192.0.2.1', '--rcpt', 'a@b.example', '--message', secret],
    ['test', '--record', '-C', secret, '--from', '192.0.2.1', '--rcpt', 'a@b.example'],
    ['test', '--record', '-C', open, '--trace', 'x'],
    ['test', '--record', '-C', open, 'x', '--message', secret],
    ['check', secret],
  ]) {
    const done = borrowed(words)
    assert.notEqual(done.status, 0, words.join(' '))
    assert.match(
      done.stdout + done.stderr,
      /[Pp]ermission denied|EACCES|there is no file|nothing is kept/,
      words.join(' '),
    )
  }
})

test('macros of -D take the power away, too', { skip: possible }, () => {
  const done = borrowed(['-DX=/etc/shadow', '-C', secret, '-be', '$primary_hostname'])
  assert.notEqual(done.status, 0)
})

test('the caller is the real uid: no admin, not trusted', { skip: possible }, () => {
  const done = borrowed(['-C', open, '-bp'])
  assert.equal(done.status, 1)
  assert.match(done.stderr, /permission denied/i)
  assert.equal(borrowed(['-C', open, '-d', '-bV']).status, 1)
})

test('the folder for the socket of Perl is not one of the caller', {
  skip: possible || (existsSync('/usr/bin/perl') ? false : 'no /usr/bin/perl on this machine'),
}, () => {
  const withPerl = join(folder.path, 'perl.conf')
  writeFileSync(
    withPerl,
    `perl_startup = sub hello { return "hello $ENV{PERL5LIB}" }\n${text.replace('keep_environment =', 'keep_environment = *')}`,
  )
  const environment = { TMPDIR: '/nonexistent', PERL5LIB: '/tmp/own' }
  assert.equal(borrowed(['-C', withPerl, '-be', '${perl{hello}}'], '', environment).stdout, 'hello \n')
})

test('Node takes no orders from the environment of the caller', { skip: possible }, () => {
  const done = borrowed(['-C', open, '-be', '1'], '', { NODE_OPTIONS: '--no-warnings' })
  assert.equal(done.status, 1)
  assert.match(done.stderr, /NODE_OPTIONS must not be set for a privileged call/)
})

// With a configuration of the built-in list the power stays. A mount namespace of its own: the system's folders stay as they are.
const world = `set -e
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir /var/lib/exim4
cp "$1" /var/lib/exim4/config.autogenerated
chmod 600 /var/lib/exim4/config.autogenerated
printf 'Subject: x\\n\\nhi\\n' | setpriv --ruid=65534 --euid=0 --rgid=65534 --egid=0 --clear-groups "$0" -odi -f other@there.example x@y.example
cat "$2"/log/mainlog
# Delivered in the background, when the call has ended.
printf 'Subject: x\\n\\nhi\\n' | setpriv --ruid=65534 --euid=0 --rgid=65534 --egid=0 --clear-groups "$0" -i box-user
printf 'Subject: x\\n\\nhi\\n' | "$0" -i box-root
for i in $(seq 400); do test $(grep -c Completed "$2"/log/mainlog) = 3 && break; sleep 0.1; done
stat -c '%n is of %U' "$2"/boxes/*
`
const namespaces =
  possible === false &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/var/lib']).status === 0 &&
  spawnSync('test', ['!', '-e', '/etc/postern/postern.conf', '-a', '!', '-e', '/etc/exim4/exim4.conf'])
    .status === 0

test('a message is the real user’s, written to the spool with the power of the launcher; -f needs trust', {
  skip: namespaces ? false : 'needs root, setpriv, mount namespaces and a machine without a mail server',
}, () => {
  const done = spawnSync('unshare', ['-m', 'sh', '-c', world, postern, secret, folder.path], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(done.status, 0, done.stderr)
  const login = spawnSync('id', ['-un', '65534'], { encoding: 'utf8' }).stdout.trim()
  assert.match(done.stdout, new RegExp(` <= ${login}@local\\.example U=${login} P=local `))
  assert.match(done.stdout, / Completed\n/)
  assert.match(done.stdout, /box-root is of games\n.*box-user is of games\n/)
})
