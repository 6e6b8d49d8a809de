/** Local deliveries: mailbox files under locks, commands, LMTP, automatic replies; and the reports about them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openPosix } from '../src/base/posix.ts'
import { closeSync, openSync } from 'node:fs'
import { type DeliveryWorld, deliveryWorld } from './support/delivery-world.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-local-'))
after(() => rmSync(folder, { recursive: true, force: true }))

writeFileSync(
  join(folder, 'command'),
  `#!/bin/sh
case $1 in
  ok) exit 0;; talk) echo fine; exit 0;; fail) exit 1;; temp) echo hello out; exit 75;; sig) kill -9 $$;;
  slow) sleep 20;; loud) yes | head -c 100000; sleep 5;; deaf) exec 0<&-; exit 0;; env) env | sort > ${folder}/env; umask >> ${folder}/env; cat > ${folder}/input; exit 0;;
  *) echo some output; echo second line; exit 3;;
esac
`,
)
chmodSync(join(folder, 'command'), 0o755)

function world(transports: string, more: { main?: string; routers?: string } = {}): DeliveryWorld {
  return deliveryWorld(`
primary_hostname = mta.example
qualify_domain = mta.example
${more.main ?? 'delay_warning = 0s'}
begin routers
${more.routers ?? ''}
redirected:
  driver = redirect
  domains = redirect.test
  data = \${if eq{$local_part}{null}{/dev/null}{\${if eq{$local_part}{file}{${folder}/afile}{"|${folder}/command fail"}}}}
  file_transport = t
  pipe_transport = t
all:
  driver = accept
  transport = t
begin transports
${transports}
begin retry
* * F,2h,15m; G,16h,1h,1.5; F,4d,6h
`)
}

async function deliverOne(w: DeliveryWorld, to: string, body?: string): Promise<string[]> {
  w.log.length = 0
  await w.deliver(w.claim([to], {}, body))
  return w.log
}

const mbox = (file: string, more = ''): string =>
  `t:\n  driver = appendfile\n  file = ${file}\n  lock_retries = 0\n  lock_interval = 1s\n  ${more.replaceAll('\n', '\n  ')}\n`

void test('mbox: From line, escaped lines, a blank line at the end; the next message follows', async () => {
  const file = join(folder, 'box')
  const w = world(mbox(file, 'return_path_add\nmode = 0640'))
  assert.deepEqual(await deliverOne(w, 'u@x.test', 'one\nFrom two\n.\nFrom'), [
    '=> u <u@x.test> R=all T=t',
    'Completed',
  ])
  await deliverOne(w, 'u@x.test', 'second\n')
  const text = readFileSync(file, 'latin1')
  assert.match(
    text,
    /^From a@send\.test \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\nReturn-path: <a@send\.test>\nReceived: [^]*\n\none\n>From two\n\.\nFrom\nFrom a@send/,
  )
  assert.match(text, /\n\nsecond\n\n$/)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('box.')),
    [],
  )
})

const lockCases: readonly { says: string; prepare: (file: string) => () => void; log: RegExp }[] = [
  {
    says: 'a lock file of another program',
    prepare: (file) => {
      writeFileSync(`${file}.lock`, '')
      return () => unlinkSync(`${file}.lock`)
    },
    log: /^== u@x\.test R=all T=t defer \(-9\): failed to lock mailbox .* \(lock file\)$/,
  },
  {
    says: 'an fcntl lock of another program',
    prepare: (file) => {
      const posix = openPosix()
      const fd = openSync(file, 'a')
      if (typeof posix !== 'string') posix.fcntlLock(fd, 'write')
      return () => closeSync(fd)
    },
    log: /^== u@x\.test R=all T=t defer \(-9\): failed to lock mailbox .* \(fcntl\/flock\)$/,
  },
]
for (const [i, c] of lockCases.entries()) {
  void test(`mbox: waits for ${c.says}, then defers; later it is delivered`, async (t) => {
    if (i === 1 && typeof openPosix() === 'string') {
      t.skip('no locks here: koffi is not installed')
      return
    }
    const file = join(folder, `locked${i}`)
    writeFileSync(file, '', { mode: 0o600 })
    const release = c.prepare(file)
    const w = world(mbox(file))
    const claim = w.claim(['u@x.test'])
    await w.deliver(claim)
    assert.match(w.log[0] ?? '', c.log)
    release()
    await w.deliver(claim)
    assert.equal(w.log.at(-1), 'Completed')
  })
}

void test('mbox: an old lock file is left over and is removed', async () => {
  const file = join(folder, 'stale')
  writeFileSync(`${file}.lock`, '')
  const w = world(mbox(file, 'lockfile_timeout = 1s'))
  await new Promise((resolve) => setTimeout(resolve, 1100))
  assert.equal((await deliverOne(w, 'u@x.test')).at(-1), 'Completed')
  utimesSync(file, 0, 0)
})

const refusedBoxes: readonly { says: string; make: (file: string) => void; more?: string; log: RegExp }[] = [
  {
    says: 'a symbolic link',
    make: (file) => symlinkSync('/etc/hostname', file),
    log: /defer \(-4\): mailbox .* is not a regular file$/,
  },
  {
    says: 'a file with two names',
    make: (file) => {
      writeFileSync(`${file}.other`, '', { mode: 0o600 })
      linkSync(`${file}.other`, file)
    },
    log: /defer \(-4\): mailbox .* has too many links \(2\)$/,
  },
  {
    says: 'a folder in its place',
    make: (file) => mkdirSync(file),
    log: /defer \(-4\): mailbox .* (?:has too many links \(2\)|is not a regular file)$/,
  },
  {
    says: 'a mode that is too narrow',
    make: (file) => writeFileSync(file, '', { mode: 0o400 }),
    log: /defer \(-7\): mailbox .* has the wrong mode 400 \(600 expected\)$/,
  },
  {
    says: 'no file, where one must exist',
    make: () => {},
    more: 'file_must_exist',
    log: /defer \(2\): No such file or directory: mailbox .* does not exist, but file_must_exist is set$/,
  },
  {
    says: 'no home directory, where a file may be made only below it',
    make: () => {},
    more: 'create_file = belowhome',
    log: /defer \(-34\): mailbox .* does not exist, but creation outside the home directory is not permitted$/,
  },
]
for (const [i, c] of refusedBoxes.entries()) {
  void test(`mbox: refused: ${c.says}`, async () => {
    const file = join(folder, `refused${i}`)
    c.make(file)
    const w = world(mbox(file, c.more ?? ''))
    assert.match((await deliverOne(w, 'u@x.test'))[0] ?? '', c.log)
  })
}

void test('mbox and maildir: a quota ends it', async () => {
  const w = world(mbox(join(folder, 'quota'), 'quota = 500'))
  await deliverOne(w, 'u@x.test')
  assert.equal(w.log.at(-1), 'Completed')
  await deliverOne(w, 'u@x.test')
  await deliverOne(w, 'u@x.test')
  assert.match(
    w.log[0] ?? '',
    /^== u@x\.test R=all T=t defer \(-22\): mailbox is full \(MTA-imposed quota exceeded while writing to .*\)$/,
  )
  const m = world(
    `t:\n  driver = appendfile\n  maildir_format\n  directory = ${folder}/quotadir\n  quota = 500\n`,
  )
  await deliverOne(m, 'u@x.test')
  await deliverOne(m, 'u@x.test')
  await deliverOne(m, 'u@x.test')
  assert.match(m.log[0] ?? '', /defer \(-22\): mailbox is full/)
})

void test('a tainted path is refused', async () => {
  const w = world(mbox(`${folder}/$local_part`))
  assert.match(
    (await deliverOne(w, 'u@x.test'))[0] ?? '',
    /defer \(-1\): Tainted '.*\/u' \(file or directory name for t transport\) not permitted$/,
  )
})

void test('files and pipes of a redirection', async () => {
  const w = world('t:\n  driver = appendfile\n')
  assert.deepEqual(await deliverOne(w, 'null@redirect.test'), [
    '=> /dev/null <null@redirect.test> R=redirected T=**bypassed**',
    'Completed',
  ])
  assert.deepEqual(await deliverOne(w, 'file@redirect.test'), [
    `=> ${folder}/afile <file@redirect.test> R=redirected T=t`,
    'Completed',
  ])
  const p = world('t:\n  driver = pipe\n')
  assert.deepEqual(await deliverOne(p, 'pipe@redirect.test'), [
    `** |${folder}/command fail <pipe@redirect.test> R=redirected T=t: Child process of t transport returned 1 from command: ${folder}/command`,
    'Completed',
  ])
  assert.match(
    p.submitted[0]?.text ?? '',
    /\n\n {2}pipe to \|.*command fail\n {4}generated by pipe@redirect\.test\n {4}local delivery failed\n\n/,
  )
})

const command = join(folder, 'command')
const pipeCases: readonly {
  says: string
  argument: string
  more?: string
  log: readonly string[]
  within?: number
}[] = [
  { says: 'succeeds', argument: 'ok', log: ['=> u <u@x.test> R=all T=t', 'Completed'] },
  { says: 'that does not read succeeds', argument: 'deaf', log: ['=> u <u@x.test> R=all T=t', 'Completed'] },
  {
    says: 'fails',
    argument: 'fail',
    log: [
      `** u@x.test R=all T=t: Child process of t transport returned 1 from command: ${command}`,
      'Completed',
    ],
  },
  {
    says: 'that wants to be tried again',
    argument: 'temp',
    log: [
      `== u@x.test R=all T=t defer (0): Child process of t transport returned 75 (could mean temporary error) from command: ${command}`,
    ],
  },
  {
    says: 'ended by a signal',
    argument: 'sig',
    log: [
      `** u@x.test R=all T=t: Child process of t transport (running command "${command} sig") was terminated by signal 9 (Killed)`,
      'Completed',
    ],
  },
  {
    says: 'that takes too long',
    argument: 'slow',
    more: 'timeout = 1s',
    log: ['** u@x.test R=all T=t: pipe delivery process timed out', 'Completed'],
  },
  {
    says: 'that takes too long, with timeout_defer',
    argument: 'slow',
    more: 'timeout = 1s\ntimeout_defer',
    log: ['== u@x.test R=all T=t defer (0): pipe delivery process timed out'],
  },
  {
    says: 'that says too much is killed',
    argument: 'loud',
    more: 'max_output = 1000\nlog_fail_output',
    log: [
      '<u@x.test>: t transport output: y',
      `** u@x.test R=all T=t: Child process of t transport (running command "${command} loud") was terminated by signal 9 (Killed)`,
      'Completed',
    ],
  },
  {
    says: 'whose output is sent back',
    argument: 'talk',
    more: 'return_output',
    log: ['** u@x.test R=all T=t: return message generated', 'Completed'],
  },
  {
    says: 'whose status is ignored',
    argument: 'fail',
    more: 'ignore_status',
    log: ['=> u <u@x.test> R=all T=t', 'Completed'],
  },
]
for (const c of pipeCases) {
  void test(`pipe: a command ${c.says}`, async () => {
    const more = (c.more ?? '').replaceAll('\n', '\n  ')
    const w = world(`t:\n  driver = pipe\n  command = ${command} ${c.argument}\n  ${more}\n`)
    assert.deepEqual(await deliverOne(w, 'u@x.test'), c.log)
  })
}

void test('pipe: what the command finds around it', async () => {
  const w = world(
    `t:\n  driver = pipe\n  command = ${command} env\n  environment = MORE=1:OTHER=a b\n  umask = 027\n  path = /usr/bin:/bin\n`,
  )
  await deliverOne(w, 'u@x.test')
  const text = readFileSync(join(folder, 'env'), 'latin1')
  for (const line of [
    'DOMAIN=x.test',
    'HOME=',
    'LOCAL_PART=u',
    'LOGNAME=u',
    'MESSAGE_ID=1xVgS4-0002Wu-2T',
    'MORE=1',
    'OTHER=a b',
    'PATH=/usr/bin:/bin',
    'QUALIFY_DOMAIN=mta.example',
    'RECIPIENT=u@x.test',
    'SENDER=a@send.test',
    'SHELL=/bin/sh',
    'USER=u',
  ]) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.match(text, /0027\n$/)
  assert.match(
    readFileSync(join(folder, 'input'), 'latin1'),
    /^From a@send\.test .*\nReceived: [^]*\n\.dot\n\n$/,
  )
})

void test('pipe: tainted words become no arguments', async () => {
  const w = world(`t:\n  driver = pipe\n  command = ${command} $local_part\n`)
  assert.equal(
    (await deliverOne(w, 'u@x.test'))[0],
    "** u@x.test R=all T=t: Tainted arg 1 for t transport command: 'u'",
  )
})

void test('pipe: a command that does not exist', async () => {
  const w = world('t:\n  driver = pipe\n  command = /nonexistent/cmd\n')
  assert.equal(
    (await deliverOne(w, 'u@x.test'))[0],
    '** u@x.test R=all T=t: Child process of t transport returned 127 (could mean unable to exec or command does not exist) from command: /nonexistent/cmd',
  )
  const p = world('t:\n  driver = pipe\n  command = noslashcmd\n')
  assert.equal(
    (await deliverOne(p, 'u@x.test'))[0],
    '** u@x.test R=all T=t: "noslashcmd" command not found for t transport',
  )
})

void test('lmtp: to a command, each recipient with its own answer', async () => {
  const script = join(folder, 'lmtpd.cjs')
  writeFileSync(
    script,
    `let buffer = '', data = false, rcpts = []
const say = (text) => process.stdout.write(text + '\\r\\n')
say('220 lmtp')
process.stdin.on('data', (chunk) => {
  buffer += chunk
  for (;;) {
    const end = buffer.indexOf('\\r\\n')
    if (end < 0) return
    const line = buffer.slice(0, end)
    buffer = buffer.slice(end + 2)
    if (data) {
      if (line === '.') {
        data = false
        for (const rcpt of rcpts) say(rcpt.includes('bad') ? '550 no' : rcpt.includes('later') ? '452 full' : '250 in')
      }
    } else if (line.startsWith('LHLO')) say('250-x\\r\\n250 PIPELINING')
    else if (line.startsWith('RCPT')) { rcpts.push(line); say('250 ok') }
    else if (line === 'DATA') { data = true; say('354 go') }
    else if (line === 'QUIT') { say('221 bye'); process.exit(0) }
    else say('250 ok')
  }
})
`,
  )
  const w = world(`t:\n  driver = lmtp\n  batch_max = 10\n  command = ${process.execPath} ${script}\n`)
  const claim = w.claim(['good@x.test', 'bad@x.test', 'later@x.test'])
  await w.deliver(claim)
  assert.deepEqual(w.log, [
    '=> good <good@x.test> R=all T=t C="250 in"',
    '** bad@x.test R=all T=t: LMTP error after end of data: 550 no',
    '== later@x.test R=all T=t defer (-46): LMTP error after end of data: 452 full',
  ])
})

void test("autoreply: an answer in Exim's layout; once, then no more", async () => {
  const w = world(`t:
  driver = autoreply
  to = $sender_address
  from = robot@mta.example
  subject = Re: $h_subject:
  text = Hello there\\nTwo
  once = ${folder}/once
  log = ${folder}/replies
  return_message
`)
  assert.deepEqual(await deliverOne(w, 'u@x.test'), ['=> u <u@x.test> R=all T=t', 'Completed'])
  const [answer] = w.submitted
  assert.deepEqual([answer?.sender, answer?.recipients], ['', ['a@send.test']])
  assert.equal(
    answer?.text,
    `From: robot@mta.example
To: a@send.test
Subject: Re: hi
In-Reply-To: <E1xVgS4-0002Wu-2T@mta.example>
References: <E1xVgS4-0002Wu-2T@mta.example>
Auto-Submitted: auto-replied

Hello there
Two

------ This is a copy of the message, including all the headers.

Received: from here by there; Tue, 24 Nov 2026 02:40:12 +0000
Subject: hi
Message-Id: <E1xVgS4-0002Wu-2T@mta.example>
From: a@send.test
Date: Tue, 24 Nov 2026 02:40:12 +0000

body line
.dot
`,
  )
  await deliverOne(w, 'u@x.test')
  assert.equal(w.submitted.length, 1)
  assert.match(
    readFileSync(join(folder, 'replies'), 'latin1'),
    /^[-\d]+ [:\d]+\n {2}From: robot@mta\.example\n {2}To: a@send\.test\n {2}Subject: Re: hi\n[-\d]+ [:\d]+\n {2}previously sent to a@send\.test\n$/,
  )
})

void test('a delay warning is laid out as Exim lays it out, and comes once an interval', async () => {
  const w = world('t:\n  driver = pipe\n  command = /bin/sh -c "exit 75"\n', {
    main: 'delay_warning = 1h\ndelay_warning_condition = yes',
  })
  const claim = w.claim(['u@x.test'], { receivedAt: Date.now() - 5_400_000 })
  await w.deliver(claim)
  const text = w.submitted[0]?.text ?? ''
  assert.match(
    text,
    /^Auto-Submitted: auto-replied\nFrom: Mail Delivery System <Mailer-Daemon@mta\.example>\nTo: a@send\.test\nReferences: <[^>]*>\nContent-Type: multipart\/report; report-type=delivery-status; boundary=\S+\nMIME-Version: 1\.0\nSubject: Warning: message 1xVgS4-0002Wu-2T delayed 90 minutes\n\n/,
  )
  assert.match(
    text,
    /The address to which the message has not yet been delivered is:\n\n {2}u@x\.test\n {4}Delay reason: local delivery failed\n\nNo action is required/,
  )
  await w.deliver(claim)
  assert.equal(w.submitted.length, 1)
  w.pass(3600)
  await w.deliver(claim)
  assert.equal(w.submitted.length, 2)
})

void test('what was delivered is marked before a warning about the rest is written', async () => {
  const late = script('late', 'cat > /dev/null\ncase $LOCAL_PART in late) exit 75;; esac')
  const w = world(`t:\n  driver = pipe\n  command = ${late}\n`, {
    main: 'delay_warning = 1h\ndelay_warning_condition = yes',
  })
  const claim = w.claim(['u@x.test', 'late@x.test'], { receivedAt: Date.now() - 5_400_000 })
  const record = claim.record.bind(claim)
  const warnedBefore: number[] = []
  claim.record = async (update) => {
    if (update.done?.includes('u@x.test') === true) warnedBefore.push(w.submitted.length)
    return record(update)
  }
  await w.deliver(claim)
  assert.equal(w.submitted.length, 1)
  assert.deepEqual(warnedBefore, [0])
})

void test('NOTIFY=SUCCESS gives a report, NOTIFY=NEVER silence', async () => {
  const w = world('t:\n  driver = pipe\n  command = /bin/sh -c "exit 0"\n')
  const claim = w.claim([], {
    recipients: [{ address: 'u@x.test', dsn: { notify: ['success'], orcpt: 'rfc822;orig@x.y' } }],
    dsnEnvid: 'abc',
  })
  await w.deliver(claim)
  assert.match(
    w.submitted[0]?.text ?? '',
    /\nOriginal-Envelope-ID: abc\n\nOriginal-Recipient: rfc822;orig@x\.y\nAction: delivered\nFinal-Recipient: rfc822;u@x\.test\nStatus: 2\.0\.0\n/,
  )
  const f = world('t:\n  driver = pipe\n  command = /bin/sh -c "exit 1"\n')
  await f.deliver(
    f.claim([], { recipients: [{ address: 'u@x.test', dsn: { notify: ['never'], orcpt: undefined } }] }),
  )
  assert.equal(f.submitted.length, 0)
  assert.equal(f.log.at(-2), 'u@x.test: error ignored: RFC 3461 DSN, failure notify not requested')
})

void test('-Mg: what is left is cancelled and bounced', async () => {
  const w = world('t:\n  driver = pipe\n  command = /bin/sh -c "exit 75"\n')
  const claim = w.claim(['u@x.test'])
  const summary = await w.deliver(claim, { giveUp: true })
  assert.equal(summary.is, 'completed')
  assert.match(w.submitted[0]?.text ?? '', /failed:\n\n {2}u@x\.test\n\n--/)
})

void test('a folder without maildir: one file a message, named by directory_file', async () => {
  const w = world(`t:\n  driver = appendfile\n  directory = ${folder}/plain\n`)
  assert.equal((await deliverOne(w, 'u@x.test')).at(-1), 'Completed')
  const names = readdirSync(join(folder, 'plain'))
  assert.equal(names.length, 1)
  assert.match(names[0] ?? '', /^q[0-9A-Za-z]{6}-\d+$/)
})

void test('a mailbox that grows past its threshold is told of', async () => {
  const w = world(mbox(join(folder, 'growing'), 'quota = 1000\nquota_warn_threshold = 40%'))
  await deliverOne(w, 'u@x.test')
  assert.equal(w.submitted.length, 0)
  await deliverOne(w, 'u@x.test')
  assert.deepEqual(w.submitted[0]?.recipients, ['u@x.test'])
  assert.match(
    w.submitted[0]?.text ?? '',
    /^Auto-Submitted: auto-replied\nFrom: .*\nTo: u@x\.test\nSubject: Your mailbox\n\nThis message/,
  )
  await deliverOne(w, 'u@x.test')
  assert.equal(w.submitted.length, 1)
})

void test('a warning of a full mailbox is no reason for another one', async () => {
  const directory = join(folder, 'warned')
  const w = world(
    `t:\n  driver = appendfile\n  maildir_format\n  directory = ${directory}\n  quota = 9000\n  mailbox_size = 0\n  quota_warn_threshold = 10\n`,
  )
  const warning = 'Auto-Submitted: auto-replied\n'
  const parts = { sender: '', local: true, headers: [{ type: ' ', text: warning }] } as const
  await w.deliver(w.claim(['u@x.test'], parts))
  assert.equal(w.submitted.length, 0)
  // A bounce, and what another host sends.
  await w.deliver(w.claim(['u@x.test'], { ...parts, localErrorMessage: true }))
  assert.equal(w.submitted.length, 1)
  await w.deliver(w.claim(['u@x.test'], { ...parts, local: false }))
  assert.equal(w.submitted.length, 2)
})

void test('a maildir that lacks a folder gets the whole message', async () => {
  for (const lacking of ['tmp', 'new', 'cur']) {
    const directory = join(folder, `without-${lacking}`)
    for (const part of ['tmp', 'new', 'cur'])
      if (part !== lacking) mkdirSync(join(directory, part), { recursive: true })
    const w = world(`t:\n  driver = appendfile\n  maildir_format\n  directory = ${directory}\n`)
    assert.equal((await deliverOne(w, 'u@x.test', 'the body\n')).at(-1), 'Completed')
    const names = readdirSync(join(directory, 'new'))
    assert.equal(names.length, 1)
    assert.match(readFileSync(join(directory, 'new', names[0] ?? ''), 'latin1'), /\n\nthe body\n$/)
    assert.deepEqual(readdirSync(join(directory, 'tmp')), [])
  }
})

void test('queuefile: a copy that is there already stays as it is', async () => {
  const directory = join(folder, 'queue')
  mkdirSync(directory)
  const w = world(`t:\n  driver = queuefile\n  directory = ${directory}\n`)
  const claim = w.claim(['u@x.test'], {}, 'the body\n')
  writeFileSync(join(directory, `${claim.id}-D`), `${claim.id}-D\nearlier\n`)
  writeFileSync(join(directory, `${claim.id}-H`), 'earlier')
  await w.deliver(claim)
  assert.match(w.log.join('\n'), /defer \(17\)/)
  assert.deepEqual(readdirSync(directory), [`${claim.id}-D`, `${claim.id}-H`])
  assert.match(readFileSync(join(directory, `${claim.id}-D`), 'latin1'), /\nearlier\n$/)
  // What broke off is written anew.
  unlinkSync(join(directory, `${claim.id}-H`))
  const again = w.claim(['u@x.test'], {}, 'the body\n')
  assert.equal(again.id, claim.id)
  await w.deliver(again)
  assert.match(readFileSync(join(directory, `${claim.id}-D`), 'latin1'), /\nthe body\n$/)
  assert.deepEqual(readdirSync(directory), [`${claim.id}-D`, `${claim.id}-H`])
})

void test('mailstore: messages of the same moment have files of their own', async () => {
  const directory = join(folder, 'mailstore')
  const w = world(`t:\n  driver = appendfile\n  mailstore_format\n  directory = ${directory}\n`)
  const moment = Date.now()
  const { now } = Date
  Date.now = () => moment
  try {
    await w.deliver(w.claim(['u@x.test', 'v@x.test'], {}, 'the body\n'))
  } finally {
    Date.now = now
  }
  assert.equal(w.log.at(-1), 'Completed')
  const names = readdirSync(directory).map((name) => name.slice(name.lastIndexOf('.')))
  assert.deepEqual(names.sort(), ['.env', '.env', '.msg', '.msg'])
})

void test('mbox: a FIFO takes the message once, when somebody reads it', async () => {
  const file = join(folder, 'fifo')
  execFileSync('mkfifo', ['-m', '600', file])
  const w = world(mbox(file, 'allow_fifo'))
  assert.match((await deliverOne(w, 'u@x.test')).join('\n'), /defer \(6\): No such device or address/)
  const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  assert.equal((await deliverOne(w, 'u@x.test', 'the body\n')).at(-1), 'Completed')
  const text = readFileSync(reader, 'latin1')
  closeSync(reader)
  assert.match(text, /^From [^]*\n\nthe body\n\n$/)
})

void test('a command whose transport filter has failed gets no end of the message, and does not go on', async () => {
  const w = world(
    `t:\n  driver = pipe\n  command = ${folder}/takes\n  transport_filter = ${folder}/breaks\n  log_output\n`,
  )
  writeFileSync(
    join(folder, 'takes'),
    `#!/bin/sh\necho $$ > ${folder}/taker\ncat > ${folder}/taken\ntouch ${folder}/whole\n`,
  )
  writeFileSync(join(folder, 'breaks'), `#!/bin/sh\nhead -c 10\nsleep 0.5\nexit 1\n`)
  for (const name of ['takes', 'breaks']) chmodSync(join(folder, name), 0o755)
  assert.match(
    (await deliverOne(w, 'u@x.test')).join('\n'),
    /defer \(-\d+\): Transport filter process failed \(1\)/,
  )
  const pid = Number(readFileSync(join(folder, 'taker'), 'latin1'))
  assert.throws(() => process.kill(pid, 0), /ESRCH/)
  assert.equal(existsSync(join(folder, 'whole')), false)
})

function script(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}

const leavings = [
  { says: 'of its group', left: 'sleep 30' },
  { says: 'of a group of its own', left: 'setsid sleep 30' },
]
// Observed of Exim 4.96, but that it waits without limit for the output of a command that has ended.
for (const { says, left } of leavings) {
  const leave = `cat > /dev/null\n${left} &\necho $! > ${folder}/left`
  /** False: it had ended. */
  const end = (): boolean => {
    try {
      return process.kill(Number(readFileSync(join(folder, 'left'), 'latin1')), 'SIGKILL')
    } catch {
      return false
    }
  }

  void test(`pipe: a command that leaves a program ${says} behind has not timed out when it has ended`, async () => {
    const w = world(
      `t:\n  driver = pipe\n  command = ${script('leaves', `${leave}\necho said`)}\n  timeout = 1s\n  return_output\n`,
    )
    const began = performance.now()
    const log = await deliverOne(w, 'u@x.test')
    assert.ok(performance.now() - began < 20_000)
    assert.deepEqual(log, ['** u@x.test R=all T=t: return message generated', 'Completed'])
    assert.match(w.submitted[0]?.text ?? '', /\nsaid\n/)
    // It goes on.
    assert.equal(end(), true)
  })

  void test(`pipe: a command that takes too long and leaves a program ${says} behind ends with its time`, async () => {
    const w = world(
      `t:\n  driver = pipe\n  command = ${script('stays', `${leave}\nsleep 30`)}\n  timeout = 1s\n`,
    )
    const began = performance.now()
    const log = await deliverOne(w, 'u@x.test')
    assert.ok(performance.now() - began < 20_000)
    assert.deepEqual(log, ['** u@x.test R=all T=t: pipe delivery process timed out', 'Completed'])
    end()
  })

  void test(`a transport filter that leaves a program ${says} behind ends with its time`, async () => {
    const filter = script('filters', `cat\n${left} &\necho $! > ${folder}/left`)
    const file = join(folder, `filtered-${left.length}`)
    const w = world(mbox(file, `transport_filter = ${filter}\ntransport_filter_timeout = 1s`))
    const began = performance.now()
    const log = await deliverOne(w, 'u@x.test')
    assert.ok(performance.now() - began < 20_000)
    assert.match(log.join('\n'), /^== u@x\.test R=all T=t defer \(110\): /)
    assert.equal(readFileSync(file, 'latin1'), '')
    assert.equal(end(), true)
  })
}
