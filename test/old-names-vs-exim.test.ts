/**
 * The names under which other programs call a mail system, beside a real Exim, setuid root as Debian installs it:
 * `mailq` by users of each kind, `newaliases`, `rmail`. Source: Exim manual, "-bp", "-bi", "rmail",
 * "queue_list_requires_admin".
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fetchExim, libraryPath } from './support/debian.ts'
import { enter, namespaces } from './guide/world.ts'
import { postern, repository } from './support/server.ts'

const exim = fetchExim()
const root = 'path' in exim ? dirname(exim.path) : ''
const unshare = [...namespaces, 'sh', '-c', enter, 'sh']
const skip =
  'missing' in exim
    ? exim.missing
    : process.getuid?.() !== 0 || spawnSync('unshare', [...unshare, 'true']).status !== 0
      ? 'needs root and a machine of its own'
      : false

/** Both systems on one machine, each with a message in its queue; users: plain, and one of each system's group. */
const furnish = `
exec 2>&1
for each in Debian-exim:64001 postern:4701; do
  name=\${each%:*}; id=\${each#*:}
  sed -i "/^$name:/d" /etc/passwd /etc/group
  echo "$name:x:$id:$id::/var/spool/$name:/usr/sbin/nologin" >> /etc/passwd
  echo "$name:x:$id:member" >> /etc/group
done
echo 'plain:x:4801:4801::/:/bin/sh' >> /etc/passwd; echo 'plain:x:4801:' >> /etc/group
echo 'member:x:4802:4802::/:/bin/sh' >> /etc/passwd; echo 'member:x:4802:' >> /etc/group
printf '%s\n' ${libraryPath(root).split(':').join(' ')} > /etc/ld.so.conf.d/exim.conf
ldconfig
rm -rf /var/log/postern /var/spool/postern /var/spool/postern-drop /var/spool/exim4 /var/log/exim4
mkdir -p /srv/bin /srv/exim /srv/postern /etc/postern /etc/exim4
install -m 4755 -o root ${join(root, 'usr/sbin/exim4')} /usr/local/sbin/exim4
for name in mailq newaliases rmail sendmail; do
  ln -sf /usr/local/sbin/exim4 /srv/exim/$name
  ln -sf ${postern} /srv/postern/$name
done
for each in exim4:Debian-exim postern:postern; do
  name=\${each%:*}; user=\${each#*:}
  mkdir -p /var/spool/$name /var/log/$name
  chown $user:$user /var/spool/$name /var/log/$name; chmod 750 /var/spool/$name; chmod 2750 /var/log/$name
done
mkdir -p -m 3733 /var/spool/postern-drop; chown postern: /var/spool/postern-drop
configure() {
  common="primary_hostname = mx.example
qualify_domain = mx.example
tls_advertise_hosts =
keep_environment =
never_users =
$1
begin routers
hold:
  driver = redirect
  data = :defer: later
  allow_defer
"
  echo "exim_path = /usr/local/sbin/exim4
$common" > /etc/exim4/exim4.conf
  echo "$common" > /etc/postern/postern.conf
  chmod 644 /etc/exim4/exim4.conf /etc/postern/postern.conf
}
as() { who=$1; shift; setpriv --reuid=$who --regid=$who --init-groups env HOME=/ LC_ALL=C "$@"; }
`

function run(script: string): string {
  const done = spawnSync('unshare', [...unshare, 'bash', '-c', `${furnish}\n${script}`], {
    encoding: 'utf8',
    timeout: 120_000,
    cwd: repository,
  })
  assert.equal(done.status, 0, done.stdout + done.stderr)
  return done.stdout
}

/** What both said, one part for each question. */
function parts(said: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of said.split(/^### /m).slice(1)) {
    const [head = '', ...rest] = part.split('\n')
    found.set(head, rest.join('\n'))
  }
  return found
}

const plainForm = (text: string): string =>
  text
    .replaceAll(/\b[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}\b/g, 'ID')
    .replaceAll(/^( *\d+[mhd]) +\S+ /gm, 'AGE SIZE ')
    .replaceAll(/^(?:exim|mailq|sendmail|postern): /gm, 'NAME: ')

const listing = `
for option in '' 'queue_list_requires_admin = false' 'no_queue_list_requires_admin'; do
  configure "$option"
  for system in exim postern; do
    [ "$option" = '' ] && printf 'Subject: x\\n\\nhello\\n' | /srv/$system/sendmail -odq -f a@mx.example b@away.example
  done
  /srv/postern/sendmail -bdf -oX 127.0.0.1.2525 > /dev/null 2>&1 & daemon=$!
  for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/2525) 2> /dev/null && break; sleep 0.1; done
  for who in root plain member Debian-exim; do
    for system in exim postern; do
      user=$who; [ $who$system = Debian-eximpostern ] && user=postern
      echo "### $system $who [$option]"
      as $user /srv/$system/mailq; echo "exit code $?"
    done
  done
  kill $daemon; wait $daemon 2> /dev/null
done
true
`

test('mailq: who may list, and what the others hear, is as with a setuid Exim', { skip }, () => {
  const said = parts(run(listing))
  assert.equal(said.size, 24)
  let listed = 0
  for (const [question, answer] of said) {
    if (!question.startsWith('exim ')) continue
    if (/ plain \[.+\]/.test(question)) {
      // Ours is not setuid: who may not read the spool cannot list it, whatever the option says. docs/decisions/queue.md.
      assert.match(answer, /b@away\.example[\s\S]*exit code 0/)
      const ours = said.get(question.replace('exim ', 'postern ')) ?? ''
      assert.match(ours, /EACCES: permission denied[\s\S]*exit code 1/)
      listed++
      continue
    }
    assert.equal(
      plainForm(said.get(question.replace('exim ', 'postern ')) ?? ''),
      plainForm(answer),
      question,
    )
    if (answer.includes('b@away.example')) listed++
  }
  // Of the first kind root, members of the group and the run-time user; of the others all four.
  assert.equal(listed, 3 + 4 + 4)
})

const aliases = `
printf '#!/bin/sh\\necho "made: $*"\\nexit 3\\n' > /srv/bin/make; chmod 755 /srv/bin/make
for option in '' 'bi_command = /srv/bin/make' 'bi_command = /srv/bin/nothing'; do
  configure "$option"
  for system in exim postern; do for words in '' '-oA /etc/other'; do for who in root plain; do
    echo "### $system $who newaliases $words [$option]"
    as $who /srv/$system/newaliases $words; echo "exit code $?"
  done; done; done
done
true
`

test('newaliases runs bi_command, and is content without one', { skip }, () => {
  const said = parts(run(aliases))
  let compared = 0
  for (const [question, answer] of said) {
    if (!question.startsWith('exim ')) continue
    const ours = said.get(question.replace('exim ', 'postern ')) ?? ''
    // Why a program cannot be run is told in words of its own.
    if (question.includes('nothing')) assert.notEqual(/exit code (\d+)/.exec(ours)?.[1], '0', question + ours)
    else assert.equal(ours, answer, question)
    compared++
  }
  assert.equal(compared, 12)
  assert.match(
    said.get('postern root newaliases -oA /etc/other [bi_command = /srv/bin/make]') ?? '',
    /made: \/etc\/other\nexit code 3/,
  )
})

const uucp = `
configure ''
for system in exim postern; do
  printf 'From uucp Fri Jan  5 12:35:00 2024 remote from far\\nSubject: by rmail\\nTo: b@away.example\\n\\nhello\\n' | /srv/$system/rmail -odq b@away.example; echo "### $system exit code $?"
  spool=$system; [ $system = exim ] && spool=exim4
  id=$(/srv/$system/sendmail -bp | grep -o '[0-9A-Za-z]\\{6\\}-[0-9A-Za-z-]*')
  echo "### $system headers"
  /srv/$system/sendmail -Mvh $id | grep -v '^[0-9]\\|^-' | grep -i '^ *<\\|subject\\|to:\\|from:'
  echo "### $system envelope"
  /srv/$system/mailq
done
true
`

test('rmail takes a message with the line From of UUCP: the sender is that of the line', { skip }, () => {
  const said = parts(run(uucp))
  for (const what of ['exit code 0', 'envelope'])
    assert.equal(
      plainForm(said.get(`postern ${what}`) ?? 'nothing'),
      plainForm(said.get(`exim ${what}`) ?? ''),
      what,
    )
  assert.match(said.get('postern envelope') ?? '', /<\S+@mx\.example>|<far!uucp\S*>|<uucp\S*>/)
})
