/** Mistakes in a configuration and in a call, beside Exim 4.96 where it is installed: what is told of them, and what becomes of the mail. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'
import { bothShow, plainMessage, type Side } from './support/side-by-side.ts'
import { startSink } from './support/smtp-sink.ts'

const nowhere = '${lookup{x}lsearch{/nonexistent}}'

const configuration = (transport: string, routers = '', retry = 'F,2h,15m'): string => `
acl_not_smtp = ok
begin acl
ok:
  accept
said:
  accept logwrite = $acl_arg1
begin routers
${routers}
all:
  driver = accept
  transport = out
begin transports
out:
  ${transport.replaceAll('\n', '\n  ')}
box:
  driver = appendfile
  file = HOME/mail/box
  user = nobody
begin retry
* * ${retry}
`

const box = 'driver = appendfile\nfile = HOME/mail/box\nuser = nobody\n'

/** Once delivered; the deferrals, what the panic log says of them, and what is kept for retries. */
async function once(side: Side): Promise<string[]> {
  mkdirSync(join(side.home, 'mail'))
  chmodSync(join(side.home, 'mail'), 0o777)
  await side.run(['-odq', '-oi', '-f', 's@a.example', 'a@x.test'], plainMessage)
  await side.run(['-qf'])
  const retry = await side.run(['exim_dumpdb', `${side.home}/spool`, 'retry'])
  const plain = (text: string): string =>
    text
      .replaceAll(side.home, 'HOME')
      .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replaceAll(/\d{10}\.\w+\.mta\.example/g, 'UNIQUE')
  return [
    ...side.log().filter((line) => !/ <= | queue run/.test(line)),
    '-- panic log',
    ...side
      .file('log/paniclog')
      .split('\n')
      .map((line) => plain(line.replace(/^\S+ \S+ \S+ /, ''))),
    '-- retry',
    // Exim keeps the beginning of a sentence.
    ...retry.split('\n').flatMap((line) => (/^ +[A-Z]:/.test(line) ? [plain(line).trim().slice(0, 90)] : [])),
  ]
}

for (const [says, transport] of [
  ['a user that cannot be expanded', `${box}`.replace('nobody', nowhere)],
  ['a user that is not there', `${box}`.replace('nobody', '${lc:nosuchuser}')],
  [
    'a group that is not there, before the user',
    `${box}group = \${lc:nosuchgroup}`.replace('nobody', '${acl{said}{x}}nobody'),
  ],
  ['a home that cannot be expanded', `${box}home_directory = ${nowhere}`],
  ['a home that is not absolute', `${box}home_directory = \${lc:rel}`],
  ['a working folder that cannot be expanded', `${box}current_directory = ${nowhere}`],
  ['a return path that cannot be expanded', `${box}return_path = ${nowhere}`],
  ['a prefix that cannot be expanded', `${box}message_prefix = ${nowhere}`],
  ['a quota that cannot be expanded', `${box}quota = ${nowhere}`],
  ['a size limit that cannot be expanded', `${box}message_size_limit = ${nowhere}`],
  [
    'a shadow condition that cannot be expanded',
    `${box}shadow_transport = box\nshadow_condition = ${nowhere}`,
  ],
  ['headers for a file', `${box}headers_add = ${nowhere}`],
  [
    'headers for a maildir',
    `driver = appendfile\ndirectory = HOME/mail/dir\nmaildir_format\nuser = nobody\nheaders_remove = ${nowhere}`,
  ],
  ['headers for a command', `driver = pipe\ncommand = /bin/cat\nuser = nobody\nheaders_add = ${nowhere}`],
  [
    'the user of an answer that is not there',
    'driver = autoreply\nto = t@z.test\ntext = x\nuser = ${lc:nosuchuser}',
  ],
] as const) {
  test(`a mistake in a transport: ${says}`, async () => {
    await bothShow({ configuration: configuration(transport), play: once })
  })
}

for (const value of [nowhere, '${if eq{a}{b}{x}fail}'])
  test(`helo_data = ${value}: the host is tried again, and times out`, async () => {
    const sink = await startSink({})
    try {
      const transport = `driver = smtp\nhosts = 127.0.0.1\nallow_localhost\nhosts_try_fastopen =\nport = ${sink.port}\nhelo_data = ${value}`
      await bothShow({ configuration: configuration(transport), play: once })
    } finally {
      await sink.close()
    }
  })

test('an address whose user is not there fails when its retry time is over', async () => {
  await bothShow({
    configuration: configuration(
      box.replace('nobody', '${lc:nosuchuser}'),
      'gone:\n  driver = accept\n  domains = a.example\n  transport = box',
      'F,1s,1s',
    ),
    async play(side) {
      await once(side)
      await new Promise((resolve) => setTimeout(resolve, 2500))
      await side.run(['-q'])
      return side.log().filter((line) => line.includes('** '))
    },
  })
})

test('autoreply: user is expanded once for an answer with a file and a log', async () => {
  const shown = await bothShow({
    configuration: configuration(
      'driver = autoreply\nto = t@z.test\nsubject = x\nfile = HOME/exim.conf\nlog = HOME/mail/log\nuser = ${acl{said}{expanded}}nobody',
      'answers:\n  driver = accept\n  domains = z.test\n  transport = box\n',
    ),
    async play(side) {
      await once(side)
      return side.log().filter((line) => line.includes('expanded'))
    },
  })
  assert.equal(shown.length, 1)
})

const asked = (side: Side, output: string): Promise<string> => {
  writeFileSync(join(side.home, 'asked'), `#!/bin/sh\nprintf '${output}'\n`)
  chmodSync(join(side.home, 'asked'), 0o755)
  return side.run(['-bt', 'a@x.test'])
}

test('queryprogram: what a command says may go on behind the first line', async () => {
  await bothShow({
    configuration: configuration(
      box,
      'asked:\n  driver = queryprogram\n  command = HOME/asked\n  command_user = nobody\n',
    ),
    async play(side) {
      const said: string[] = []
      for (const output of [
        'FAIL\\ntext behind\\n',
        'FAIL first\\nsecond\\n',
        'FAIL   \\n\\ntext\\n',
        '\\nFAIL x\\n',
        'FAIL\\ttext here \\n',
        'FAIL first\\r\\nsecond\\r\\n',
        'DEFER\\nlater\\n',
        'FREEZE\\nlater\\n',
        'ACCEPT\\ntransport=box\\n',
        'DECLINE\\nx\\n',
        'PASS\\nx\\n',
        'REDIRECT\\nq@z.test\\n',
        'ERROR\\nfoo\\n',
      ])
        said.push(output, await asked(side, output))
      return said
    },
  })
})

// Each seen with Exim 4.96.
for (const [words, said] of [
  ['-f x@y.test -bs', 'exim: incompatible command-line options or arguments\n'],
  ['-f <> -bS', 'exim: incompatible command-line options or arguments\n'],
  ['-bs -r x@y.test', 'exim: incompatible command-line options or arguments\n'],
  ['-t -bs', 'exim: incompatible command-line options or arguments\n'],
  ['-f x@y.test -bd', 'exim: incompatible command-line options or arguments\n'],
  ['-oMa 192.0.2.9:1234 -bs', 'exim abandoned: "192.0.2.9:1234" is not an IP address\n'],
  ['-oMa host.example -bs', 'exim abandoned: "host.example" is not an IP address\n'],
  ['-oMi 192.0.2.9.x -odq a@x.test', 'exim abandoned: "192.0.2.9.x" is not an IP address\n'],
] as const) {
  test(`a call that is refused: ${words}`, {
    skip: process.getuid?.() !== 0 && 'needs a trusted user',
  }, () => {
    const folder = temporaryFolder('mistakes')
    try {
      const file = join(folder.path, 'exim.conf')
      writeFileSync(
        file,
        `spool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/%s\nkeep_environment =\n`,
      )
      const done = spawnSync(postern, ['-C', file, ...words.split(' ')], {
        argv0: 'exim',
        encoding: 'latin1',
        input: 'QUIT\r\n',
        timeout: 30_000,
      })
      assert.deepEqual([done.status, done.stdout, done.stderr.replace(/^postern/, 'exim')], [1, '', said])
    } finally {
      folder.remove()
    }
  })
}
