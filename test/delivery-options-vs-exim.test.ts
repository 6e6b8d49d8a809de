/** Options of deliveries and of the queue, beside Exim 4.96 where it is installed: what both do must be the same. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort, repository, temporaryFolder, until } from './support/server.ts'
import { bothShow, noExim, plainMessage, type Side, side } from './support/side-by-side.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

const base = (routers: string, transports: string, main = '', retry = '* * F,2h,15m'): string => `
${main}
acl_not_smtp = ok
acl_smtp_rcpt = ok
acl_smtp_data = ok
begin acl
ok:
  accept
begin routers
${routers}
begin transports
${transports}
begin retry
${retry}
`

/** Into a file that everybody may write. */
const box = (options = ''): string => `box:
  driver = appendfile
  file = HOME/mail/box
  user = nobody
  group = nogroup
  mode_fail_narrower = false
  ${options}
`
const toBox = `all:
  driver = accept
  transport = box
`

const root = process.getuid?.() === 0

/** The user of `box`; a server without root delivers as itself. */
function asNobodys(file: string): void {
  if (root) chownSync(file, 65_534, 65_534)
}

function mailFolder(side: Side): string {
  const folder = join(side.home, 'mail')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o777)
  return folder
}

const queue = (side: Side, to: string, from = 's@a.example'): Promise<string> =>
  side.run(['-odq', '-oi', '-f', from, to], plainMessage)

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Lines after the arrival. */
const told = (side: Side, pattern = /./): string[] =>
  side.log().filter((line) => !/ <= |queue run/.test(line) && pattern.test(line))

/** Holds a lock on a file in a process of its own until it is ended. */
async function locked(path: string, how: 'fcntl' | 'flock'): Promise<() => void> {
  const code = `
import { openSync } from 'node:fs'
const { openPosix } = await import(${JSON.stringify(join(repository, 'dist/src/base/posix.js'))})
const fd = openSync(${JSON.stringify(path)}, 'r+')
const posix = openPosix()
console.log(${how === 'fcntl' ? "posix.fcntlLock(fd, 'write')" : "posix.flock(fd, 'write')"})
setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString())),
  )
  assert.equal(said, 'locked\n')
  return () => void child.kill('SIGKILL')
}

for (const how of ['fcntl', 'flock'] as const) {
  const options = `use_lockfile = false
  use_fcntl_lock = ${how === 'fcntl'}
  use_flock_lock = ${how === 'flock'}
  lock_retries = 1
  lock_interval = 1s`
  test(`lock_${how}_timeout: a lock that is given up in time is waited for`, async () => {
    const shown = await bothShow({
      configuration: base(toBox, box(`${options}\n  lock_${how}_timeout = 100s`)),
      async play(side) {
        const file = join(mailFolder(side), 'box')
        writeFileSync(file, '')
        asNobodys(file)
        const unlock = await locked(file, how)
        await queue(side, 'a@x.test')
        const run = side.run(['-q'])
        // Longer than all tries of a lock without the option take.
        await sleep(4000)
        const before = readFileSync(file, 'latin1').length
        unlock()
        await run
        return [`${before}`, ...told(side)]
      },
    })
    assert.equal(shown[0], '0')
    assert.match(shown[1] ?? '', /=> a <a@x\.test> R=all T=box$/)
  })

  test(`lock_${how}_timeout: a lock that is kept defers, as it does without the option`, async () => {
    for (const more of ['', `\n  lock_${how}_timeout = 1s`]) {
      const shown = await bothShow({
        configuration: base(toBox, box(options + more)),
        async play(side) {
          const file = join(mailFolder(side), 'box')
          writeFileSync(file, '')
          asNobodys(file)
          const unlock = await locked(file, how)
          try {
            await queue(side, 'a@x.test')
            await side.run(['-q'])
            return told(side)
          } finally {
            unlock()
          }
        },
      })
      assert.match(
        shown.join('\n'),
        /== a@x\.test .*defer \(-9\): failed to lock mailbox HOME\/mail\/box \(.*\)/,
      )
    }
  })
}

for (const [says, options] of [
  ['a count below the quota', 'quota_filecount = 3\n  mailbox_filecount = 2'],
  ['a count at the quota', 'quota_filecount = 3\n  mailbox_filecount = 3'],
  ['an expansion', 'quota_filecount = 3\n  mailbox_filecount = ${eval:1+3}'],
  ['an expansion that is no number', 'quota_filecount = 3\n  mailbox_filecount = many'],
  ['a size that is no number', 'quota_filecount = 3\n  mailbox_size = ${lc:MANY}'],
  ['a quota that is no number', 'quota = lots'],
  ['a quota of files that is no number', 'quota_filecount = few'],
  ['an expansion that fails', 'quota_filecount = 3\n  mailbox_filecount = ${lookup{a}lsearch{/nonexistent}}'],
  ['size and count', 'quota = 10K\n  mailbox_size = 9K\n  quota_filecount = 3\n  mailbox_filecount = 0'],
  [
    'size beyond the quota',
    'quota = 10K\n  mailbox_size = 11K\n  quota_filecount = 3\n  mailbox_filecount = 0',
  ],
] as const) {
  test(`mailbox_filecount: ${says}`, async () => {
    await bothShow({
      configuration: base(
        toBox,
        `box:
  driver = appendfile
  directory = HOME/mail/dir
  maildir_format
  create_directory
  user = nobody
  group = nogroup
  quota = 100K
  ${options}
`.replace(/ {2}quota = 100K\n(?=[\s\S]* {2}quota = )/, ''),
      ),
      async play(side) {
        mailFolder(side)
        await queue(side, 'a@x.test')
        await side.run(['-q'])
        const folder = join(side.home, 'mail', 'dir', 'new')
        return [...told(side), `${existsSync(folder) ? readdirSync(folder).length : 0} files`]
      },
    })
  })
}

/** A maildir whose quota counts its whole folder. */
const maildir = (options: string): string => `box:
  driver = appendfile
  directory = HOME/mail/dir
  maildir_format
  user = nobody
  group = nogroup
  quota = 1M
  ${options}
`

/** That maildir, empty but for what the shell puts there. */
function makeMaildir(side: Side, put: string): void {
  const folder = join(mailFolder(side), 'dir')
  const owner = root ? 'chown -R nobody:nogroup .' : 'true'
  mkdirSync(folder)
  spawnSync('sh', ['-c', `mkdir cur new tmp; ${put}\n${owner}`], { cwd: folder })
}

for (const [says, options, put] of [
  ['the folders of an empty maildir', 'quota_filecount = 4', ''],
  ['too few for the folders of an empty maildir', 'quota_filecount = 2', ''],
  ['a folder within', 'quota_filecount = 8', 'mkdir -p .Sub/cur .Sub/new .Sub/tmp'],
  ['a file beside the folders', 'quota_filecount = 5', 'touch subscriptions'],
  ['a link', 'quota_filecount = 5', 'ln -s nowhere link'],
  [
    'with maildirsize, the messages alone',
    'quota_filecount = 2\n  maildir_use_size_file',
    'touch subscriptions',
  ],
  ['bytes of a folder within', 'quota = 2K', 'mkdir other; head -c 1500 /dev/zero > other/text'],
  ['bytes in tmp', 'quota = 2K', 'head -c 1500 /dev/zero > tmp/text'],
  ['bytes behind a link', 'quota = 2K', 'head -c 1500 /dev/zero > ../text; ln -s ../text text'],
  ['bytes of a file with two names', 'quota = 2K', 'head -c 1000 /dev/zero > cur/one; ln cur/one cur/two'],
  [
    'bytes of a folder that is no maildir',
    'quota = 2K\n  no_maildir_format',
    'head -c 1500 /dev/zero > text',
  ],
  ['the folders of one that is no maildir', 'quota_filecount = 5\n  no_maildir_format', 'mkdir one'],
] as const) {
  test(`quota of a folder counts: ${says}`, async () => {
    await bothShow({
      configuration: base(
        toBox,
        maildir(options)
          .replace(/ {2}quota = 1M\n(?=[\s\S]* {2}quota = )/, '')
          .replace(/ {2}maildir_format\n(?=[\s\S]* {2}no_maildir_format)/, ''),
      ),
      async play(side) {
        makeMaildir(side, put)
        for (let sent = 0; sent < 3; sent++) {
          await queue(side, 'a@x.test')
          await side.run(['-M', side.lastId()])
        }
        // A name for the moment: Exim's has its process in it.
        return told(side).map((line) => line.replace(/\btemp\.(?:UNIQUE|\d+)\./, 'temp.UNIQUE.'))
      },
    })
  })
}

test('quota of a folder that holds a link to itself: it is gone through once', async () => {
  const folder = temporaryFolder('quota')
  try {
    const own = await side('postern', folder.path, base(toBox, maildir('quota_filecount = 60')))
    makeMaildir(own, 'ln -s . new/again')
    await own.run(['-odi', '-oi', '-f', 's@a.example', 'a@x.test'], plainMessage)
    assert.deepEqual(told(own), ['ID => a <a@x.test> R=all T=box', 'ID Completed'])
  } finally {
    folder.remove()
  }
})

for (const flags of [
  ['-R', 'x.test'],
  ['-Sf', 'a.example'],
  ['-R', 'x.test', '-S', 'a.example'],
  ['-qq', '-R', 'x.test'],
  ['-qi'],
  ['-qf'],
]) {
  test(`a frozen message in the queue run ${flags.join(' ')}`, async () => {
    await bothShow({
      configuration: base(toBox, box(), 'log_selector = +queue_run'),
      async play(side) {
        mailFolder(side)
        await queue(side, 'a@x.test')
        await side.run(['-Mf', side.lastId()])
        await queue(side, 'b@x.test', 's@other.example')
        await side.run(flags)
        return (
          side
            .log()
            .filter((line) => !line.includes(' <= '))
            .map((line) => line.replace(/pid=\d+/, 'PID'))
            // Messages come in any order.
            .sort()
        )
      },
    })
  })
}

const retryOf = async (side: Side): Promise<string[]> => {
  const text = await side.run(['exim_dumpdb', `${side.home}/spool`, 'retry'])
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const times = [...line.matchAll(/\d\d-\w{3}-\d{4} [\d:]+/g)].map(([time]) => Date.parse(time))
      const [, last = 0, next = 0] = times
      return times.length === 3
        ? `next try after ${Math.round((next - last) / 60_000)} minutes`
        : line.replaceAll(side.home, 'HOME').replace(/ (4[0-9]{5}|[0-9]{5,6}) /, ' SECONDS ')
    })
}

for (const [days, minutes] of [
  [1, 30],
  [5, 10],
] as const) {
  test(`quota_4d: a mailbox that was read ${days} days ago is tried again after ${minutes} minutes`, async () => {
    const shown = await bothShow({
      configuration: base(
        toBox,
        box('quota = 1K'),
        '',
        '* quota_4d F,1h,10m\n* quota F,1h,30m\n* * F,1h,50m',
      ),
      async play(side) {
        const file = join(mailFolder(side), 'box')
        writeFileSync(file, `From x\n\n${'x'.repeat(1100)}\n`)
        asNobodys(file)
        const now = Date.now() / 1000
        utimesSync(file, now - days * 86_400 - 60, now - 20 * 86_400)
        await queue(side, 'a@x.test')
        await side.run(['-q'])
        return [...told(side), ...(await retryOf(side))]
      },
    })
    assert.equal(shown.at(-1), `next try after ${minutes} minutes`)
  })
}

test('transport_filter over LMTP: what the filter makes of a message is sent', async () => {
  const port = await freePort()
  const shown = await bothShow({
    configuration: base(
      `all:
  driver = manualroute
  route_list = * 127.88.0.3
  self = send
  transport = out
`,
      `out:
  driver = smtp
  protocol = lmtp
  port = ${port}
  hosts_avoid_tls = *
  hosts_try_chunking =
  transport_filter = /bin/sed s/body/changed/
`,
    ),
    async play(side) {
      const sink = await startSink(
        { lmtp: (rcpt) => (rcpt.includes('<b') ? '550 no b' : '250 ok') },
        '127.88.0.3',
        port,
      )
      try {
        await side.run(['-odq', '-oi', '-f', 's@a.example', 'a@x.test', 'b@x.test'], plainMessage)
        await side.run(['-q'])
        const data = sink.messages.map((message) => message.data.replace(/^Received:[\s\S]*?\r\n(?=\S)/, ''))
        return [...told(side, /[=*>-]{2} [ab]@/), ...data.slice(0, 1)]
      } finally {
        await sink.close()
      }
    },
  })
  assert.match(shown.at(-1) ?? '', /\r\n\r\nchanged\r\n$/)
})

test('pipe_as_creator: the command runs as who sent the message', { skip: noExim }, async () => {
  const shown = await bothShow({
    configuration: base(
      toBox,
      `box:
  driver = pipe
  pipe_as_creator
  command = /bin/sh -c "id -u > HOME/mail/out; id -g >> HOME/mail/out"
`,
    ),
    async play(side) {
      mailFolder(side)
      await queue(side, 'a@x.test')
      await makeCreator(side, 'nobody 65534 65534')
      await side.run(['-q'])
      return [...told(side, /a@x\.test/).slice(-1), side.file('mail/out')]
    },
  })
  assert.equal(shown.at(-1), '65534\n65534\n')
})

/** Changes who the message in the queue is from: by hand in Exim's files, which we import. */
async function makeCreator(side: Side, creator: string): Promise<void> {
  const id = side.lastId()
  let folder = join(side.home, 'spool', 'input')
  if (side.which === 'postern') {
    folder = join(side.home, 'export')
    mkdirSync(folder)
    chmodSync(folder, 0o777)
    await side.run(['postern', 'spool', 'export', folder])
    await side.run(['-Mrm', id])
  }
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const name = names.find((each) => each.endsWith('-H')) ?? ''
  const file = join(folder, name)
  const lines = readFileSync(file, 'latin1').split('\n')
  lines[1] = creator
  writeFileSync(file, lines.join('\n'), 'latin1')
  if (side.which === 'postern') await side.run(['postern', 'spool', 'import', folder])
}

const failing = `fail:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: nobody here
defer:
  driver = redirect
  domains = defer.test
  allow_defer
  data = :defer: not now
`

for (const [time, thawed] of [
  ['1s', true],
  ['1h', false],
] as const) {
  test(`auto_thaw = ${time}: a frozen message is tried again only after the time`, async () => {
    const shown = await bothShow({
      configuration: base(failing + toBox, box(), `auto_thaw = ${time}`),
      async play(side) {
        mailFolder(side)
        await queue(side, 'a@x.test')
        await side.run(['-Mf', side.lastId()])
        await sleep(2100)
        await side.run(['-q'])
        return told(side)
      },
    })
    assert.equal(/Unfrozen by auto-thaw[\s\S]*=> a/.test(shown.join('\n')), thawed)
  })
}

test('frozen messages: what unfreezes them when they are forced, too', async () => {
  for (const sender of ['<>', 'b@x.test'])
    await bothShow({
      configuration: base(failing + toBox, box(), 'auto_thaw = 1s\nignore_bounce_errors_after = 0s'),
      async play(side) {
        await side.run(['-odq', '-oi', '-f', sender, 'a@defer.test'], plainMessage)
        const shown: string[] = []
        for (const how of [['-q'], ['-qf'], ['-qff'], ['-M', side.lastId()]]) {
          await side.run(['-Mf', side.lastId()])
          await sleep(2100)
          const before = told(side, /Unfrozen/).length
          await side.run(how)
          shown.push(how[0] ?? '', ...told(side, /Unfrozen/).slice(before))
        }
        return shown
      },
    })
})

/** Sends everything else to a sink; Exim has no right to deliver its own reports locally. */
const remote = (): string => `away:
  driver = manualroute
  route_list = * 127.88.0.4
  self = send
  transport = away
`
const away = (port: number): string => `away:
  driver = smtp
  port = ${port}
  hosts_avoid_tls = *
  hosts_try_chunking =
`

/** What the sink got, once it is so much. */
async function reports(sink: Sink, many: number): Promise<string[]> {
  await until(() => (sink.messages.length >= many ? true : undefined), 20_000)
  return sink.messages.map(({ mail, rcpts, data }) =>
    [
      mail.replace(/ SIZE=\d+/, ''),
      ...rcpts,
      withoutTrace(data.replaceAll('\r\n', '\n'))
        .replaceAll(/\d+-eximdsn-\d+|[\w-]+-eximdsn-\d+/g, 'BOUNDARY')
        .replaceAll(/^(?: {4}Date|Arrival-Date|The date of the message is): .*\n/gm, ''),
    ].join('\n'),
  )
}

for (const from of ['s@a.example', '<>']) {
  test(`timeout_frozen_after: a message from ${from} that was frozen for so long goes`, async () => {
    const port = await freePort()
    const shown = await bothShow({
      configuration: base(failing + remote(), away(port), 'timeout_frozen_after = 2s'),
      async play(side) {
        const sink = await startSink({}, '127.88.0.4', port)
        try {
          await queue(side, 'a@x.test', from)
          await side.run(['-Mf', side.lastId()])
          await sleep(3100)
          await side.run(['-q'])
          const got = from === '<>' ? [] : await reports(sink, 1)
          await until(async () => ((await side.run(['-bpc'])) === '0\n' ? true : undefined), 20_000)
          // The report is delivered by a process of its own: which of the two messages is completed first is chance.
          return [...told(side, /cancelled|Completed|=>/).sort(), ...got]
        } finally {
          await sink.close()
        }
      },
    })
    assert.match(shown.join('\n'), /cancelled by timeout_frozen_after/)
    assert.equal(
      shown.some((line) => line.includes('Mail delivery failed')),
      from !== '<>',
    )
  })
}

for (const after of ['0s', '2s', '1h']) {
  test(`ignore_bounce_errors_after = ${after}: a bounce that cannot be delivered`, async () => {
    const shown = await bothShow({
      configuration: base(failing + toBox, box(), `ignore_bounce_errors_after = ${after}`),
      async play(side) {
        mailFolder(side)
        // As old as that when it is first tried.
        await side.run(['-odq', '-oi', '-f', '<>', 'a@fail.test'], plainMessage)
        if (after === '2s') await sleep(3100)
        await side.run(['-q'])
        const first = told(side)
        await sleep(1100)
        await side.run(['-q'])
        return [...first, '--', ...told(side).slice(first.length), await side.run(['-bpc'])]
      },
    })
    if (after === '1h') assert.match(shown.join('\n'), /Frozen/)
    else assert.match(shown.join('\n'), /error ignored/)
  })
}

test('freeze_tell: who is told of a frozen message, and how', async () => {
  const port = await freePort()
  const shown = await bothShow({
    configuration: base(failing + remote(), away(port), 'freeze_tell = boss@x.test, other@x.test'),
    async play(side) {
      const sink = await startSink({}, '127.88.0.4', port)
      try {
        await side.run(['-odq', '-oi', '-f', '<>', 'a@fail.test'], plainMessage)
        await side.run(['-q'])
        return [...(await reports(sink, 1)), ...told(side, /fail\.test|Frozen/)]
      } finally {
        await sink.close()
      }
    },
  })
  assert.match(shown[0] ?? '', /has been frozen/)
})

for (const tell of ['boss', 'boss@x.test, bad@@', 'bad bad', 'Boss <boss@x.test> , other'] as const) {
  test(`freeze_tell = ${tell}`, async () => {
    const shown = await bothShow({
      configuration: base(
        failing + toBox,
        box(),
        `freeze_tell = ${tell}\nlog_selector = -skip_delivery\nqueue_only`,
      ),
      async play(side) {
        mailFolder(side)
        await side.run(['-odq', '-oi', '-f', '<>', 'a@fail.test'], plainMessage)
        await side.run(['-q'])
        await side.run(['-q'])
        const got = withoutTrace(side.file('mail/box')).split('\n\n')[0] ?? ''
        return [...told(side, /=>|malformed/), got]
      },
    })
    if (!tell.startsWith('bad')) assert.match(shown.join('\n'), /=> boss/)
  })
}

test('freeze_tell: of a report that is frozen nobody is told', async () => {
  await bothShow({
    configuration: base(failing + toBox, box(), 'freeze_tell = a@fail.test\nlog_selector = -skip_delivery'),
    async play(side) {
      await side.run(['-odq', '-oi', '-f', '<>', 'b@fail.test'], plainMessage)
      for (let run = 0; run < 3; run++) await side.run(['-q'])
      return [...told(side, /Frozen/), await side.run(['-bpc'])]
    },
  })
})

test('ignore_bounce_errors_after: a frozen bounce is tried once more', async () => {
  for (const more of ['', '\nauto_thaw = 1s', '\ntimeout_frozen_after = 1s']) {
    const shown = await bothShow({
      configuration: base(failing + toBox, box(), `ignore_bounce_errors_after = 1h${more}`),
      async play(side) {
        await side.run(['-odq', '-oi', '-f', '<>', 'a@fail.test'], plainMessage)
        await side.run(['-q'])
        side.configure((text) => text.replace('after = 1h', 'after = 1s'))
        await sleep(2100)
        await side.run(['-q'])
        return told(side)
      },
    })
    assert.match(shown.join('\n'), more.includes('timeout') ? /cancelled by/ : /Unfrozen by errmsg timer/)
  }
})

test('timeout_frozen_after: a message that waits for its retry time does not wait for its end', async () => {
  const shown = await bothShow({
    configuration: base(
      toBox,
      `box:
  driver = pipe
  command = /nonexistent/x
  freeze_exec_fail
  user = nobody
`,
      'timeout_frozen_after = 1s',
    ),
    async play(side) {
      await queue(side, 'a@x.test', '<>')
      await side.run(['-q'])
      await sleep(2100)
      await side.run(['-q'])
      return told(side)
    },
  })
  assert.match(shown.join('\n'), /cancelled by timeout_frozen_after/)
})

for (const [says, command] of [
  ['a command that fails', '/bin/sh -c "exit 75"'],
  ['a command that is not there', '/nonexistent/x'],
] as const) {
  test(`retry timeout exceeded: what the bounce says of ${says}`, async () => {
    const port = await freePort()
    const shown = await bothShow({
      configuration: base(
        `all:
  driver = accept
  domains = x.test
  transport = command
${remote()}`,
        `command:
  driver = pipe
  command = ${command}
  user = nobody
  temp_errors = *
${away(port)}`,
        '',
        '',
      ),
      async play(side) {
        const sink = await startSink({}, '127.88.0.4', port)
        try {
          await queue(side, 'a@x.test')
          await side.run(['-q'])
          return [...told(side, /a@x\.test/), ...(await reports(sink, 1))]
        } finally {
          await sink.close()
        }
      },
    })
    assert.match(shown.at(-1) ?? '', /local delivery failed/)
  })
}

function withoutTrace(text: string): string {
  return text
    .replaceAll(/^(?:Received|Message-Id|Date|From ): ?.*(?:\n[ \t].*)*\n/gim, '')
    .replaceAll(/^From .*\n/gm, '')
    .replaceAll(/\b\w{6}-\w{6,11}-\w{2,4}\b/g, 'ID')
}

for (const notify of ['DELAY', 'DELAY,FAILURE', 'FAILURE', 'NEVER', '']) {
  test(`DSN: a report of delay with NOTIFY=${notify}`, async () => {
    const port = await freePort()
    const shown = await bothShow({
      configuration: base(
        failing + remote(),
        away(port),
        'delay_warning = 2s\ndsn_advertise_hosts = *',
        '* * F,2h,1s',
      ),
      async play(side) {
        const sink = await startSink({}, '127.88.0.4', port)
        try {
          const rcpt = notify === '' ? '' : ` NOTIFY=${notify} ORCPT=rfc822;orig@x.test`
          const mail = notify === '' ? '' : ' RET=HDRS ENVID=abc'
          const text = plainMessage.replaceAll('\n', '\r\n')
          await side.run(
            ['-odq', '-bs'],
            `EHLO me\r\nMAIL FROM:<s@x.test>${mail}\r\nRCPT TO:<d@defer.test>${rcpt}\r\nDATA\r\n${text}.\r\nQUIT\r\n`,
          )
          await sleep(3100)
          await side.run(['-qf'])
          const wanted = notify === '' || notify.includes('DELAY')
          const got = wanted ? await reports(sink, 1) : []
          await until(async () => ((await side.run(['-bpc'])) === '1\n' ? true : undefined), 20_000)
          return [`${sink.messages.length} reports`, ...got]
        } finally {
          await sink.close()
        }
      },
    })
    assert.equal(shown.join('\n').includes('Action: delayed'), notify === '' || notify.includes('DELAY'))
  })
}

test('Sieve: what notify says goes to the mailto: address', async () => {
  const port = await freePort()
  const folder = temporaryFolder('sieve-notify')
  const sink = await startSink({}, '127.88.0.4', port)
  try {
    const us = await side(
      'postern',
      folder.path,
      base(
        `scripts:
  driver = redirect
  domains = x.test
  file = HOME/mail/script
  allow_filter
  user = nobody
  no_check_owner
  no_check_group
  modemask = 0
  reply_transport = reply
  sieve_enotify_mailto_owner = "$local_part@$domain"
${remote()}`,
        `reply:
  driver = autoreply
${away(port)}`,
      ),
    )
    const script = join(mailFolder(us), 'script')
    writeFileSync(
      script,
      '# Sieve filter\r\nrequire ["enotify"];\r\nif header :contains "subject" "hello" {\r\n  notify :from "me@x.test" :message "mail from somebody" "mailto:pager@far.test";\r\n}\r\ndiscard;\r\n',
    )
    chmodSync(script, 0o666)
    await queue(us, 'a@x.test')
    await us.run(['-q'])
    await until(() => (sink.messages.length >= 1 ? true : undefined), 30_000)
    const [taken] = sink.messages
    assert.ok(taken !== undefined)
    const { mail, rcpts, data } = taken
    assert.match(mail, /^MAIL FROM:<>/)
    assert.match(rcpts.join(' '), /^RCPT TO:<pager@far\.test>/)
    assert.match(data, /^From: me@x\.test\r$/m)
    assert.match(data, /^Subject: mail from somebody\r$/m)
    assert.match(data, /^Auto-Submitted: auto-notified; owner-email="a@x\.test"\r$/m)
  } finally {
    await sink.close()
    folder.remove()
  }
})

test('system_filter_reply_transport: an answer of the system filter', async () => {
  const port = await freePort()
  const folder = temporaryFolder('system-reply')
  const sink = await startSink({}, '127.88.0.4', port)
  try {
    const us = await side(
      'postern',
      folder.path,
      base(
        remote(),
        `${away(port)}answers:
  driver = autoreply
`,
        'system_filter = HOME/filter\nsystem_filter_reply_transport = answers\nsystem_filter_user = nobody',
      ),
    )
    writeFileSync(
      join(us.home, 'filter'),
      '# Exim filter\nif first_delivery and not error_message then\n  unseen mail to w@far.test subject "Re: $h_subject:" text "seen by the filter\\n"\nendif\n',
    )
    await queue(us, 'a@x.test')
    await us.run(['-q'])
    await until(() => (sink.messages.length >= 2 ? true : undefined), 30_000)
    const answer = sink.messages.find(({ rcpts }) => rcpts[0]?.includes('<w@far.test>'))
    assert.match(answer?.data ?? '', /^From: nobody <nobody@mta\.example>\r$/m)
    assert.match(answer?.data ?? '', /^Subject: Re: hello\r$/m)
    assert.match(answer?.data ?? '', /\r\n\r\nseen by the filter\r\n$/)
    assert.ok(us.log().some((line) => line.includes('=> >w@far.test <system-filter> T=answers')))
    // It is said once: the answer itself goes through the filter too.
    assert.equal(sink.messages.filter(({ rcpts }) => rcpts[0]?.includes('<a@x.test>')).length, 1)
  } finally {
    await sink.close()
    folder.remove()
  }
})

for (const [option, answer] of [
  [
    'file',
    /defer \(13\): Permission denied: Tainted 'HOME\/mail\/there' \(file for reply transport\) not permitted/,
  ],
  [
    'once',
    /defer \(13\): Permission denied: Tainted 'HOME\/mail\/there' \(once file for reply transport\) not perm/,
  ],
  ['log', /Tainted filename 'HOME\/mail\/there'/],
] as const)
  test(`autoreply: ${option} with a name from outside is no file to open`, async () => {
    const shown = await bothShow({
      configuration: base(
        `answered:
  driver = accept
  domains = x.test
  transport = reply
${toBox}`,
        `reply:
  driver = autoreply
  to = w@y.test
  text = hello
  user = 64001
  group = 64001
  ${option} = HOME/mail/$local_part
${box()}`,
      ),
      async play(side) {
        const folder = mailFolder(side)
        await queue(side, 'there@x.test')
        await side.run(['-q'])
        return [...told(side, /there/), `${existsSync(join(folder, 'there'))}`]
      },
    })
    assert.match(shown.join('\n'), answer)
    assert.equal(shown.at(-1), 'false')
  })

test('_RESUME_DECODE names the bits of $tls_out_resumption', async () => {
  const shown = await bothShow({
    configuration: base(toBox, box(), 'smtp_banner = _RESUME_DECODE'),
    play: async (side) => [await side.run(['-bP', 'smtp_banner'])],
  })
  assert.match(shown[0] ?? '', /client/i)
})

/** What the log and the list of the queue say after one attempt. */
const afterOneRun = async (side: Side): Promise<readonly string[]> => {
  await side.run(['-odq', '-f', 'b@x.test', 'group@mta.example'], plainMessage)
  await side.run(['-q'])
  const listed = await side.run(['-bp'])
  return [
    ...side.log().filter((line) => / (?:\*\*|==) (?:group|slow)@/.test(line)),
    ...listed.split('\n').filter((line) => line.includes('group@')),
  ].sort()
}

const slowAndLast = `slow:
  driver = redirect
  local_parts = slow
  allow_defer
  data = :defer: come back
last:
  driver = accept
  local_parts = b
  transport = box`

test('a group that names itself and an address that waits: the failure of the one does not end the waiting of the other', async () => {
  const shown = await bothShow({
    configuration: base(
      `group:
  driver = redirect
  local_parts = group
  allow_defer
  data = group@mta.example, slow@mta.example
${slowAndLast}`,
      box(),
    ),
    play: afterOneRun,
  })
  assert.ok(shown.some((line) => line.includes('** group@mta.example: Unrouteable address')))
  assert.ok(
    shown.some((line) => /^ +group@mta\.example$/.test(line)),
    shown.join('\n'),
  )
})

test('one group has what another has, and more that waits: it is not done', async () => {
  const shown = await bothShow({
    configuration: base(
      `group:
  driver = redirect
  local_parts = group
  allow_defer
  data = one@mta.example, two@mta.example
two:
  driver = redirect
  local_parts = one : two
  allow_defer
  data = ${'$'}{if eq{$local_part}{one}{b@x.test}{b@x.test, slow@mta.example}}
${slowAndLast}`,
      box(),
    ),
    play: afterOneRun,
  })
  assert.ok(
    shown.some((line) => /^ +group@mta\.example$/.test(line)),
    shown.join('\n'),
  )
})
