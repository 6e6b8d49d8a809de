/** System filters of a real Exim and of Postern: log lines and delivered bytes. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { compareDeliveries, type DeliveryCase, usualMessage } from './support/delivery-compare.ts'
import { temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4
const skip =
  exim === undefined
    ? 'no Exim on this machine to compare with'
    : process.getuid?.() === 0
      ? false
      : 'needs root: Exim gives up its rights for a file given with -C'

const folder = temporaryFolder('system-filter-vs-exim')
after(() => folder.remove())

/** One filter for all: each case has its own part of it, chosen by a header. */
const rows: readonly (readonly [says: string, commands: string, more?: Partial<DeliveryCase>])[] = [
  ['nothing', 'finish'],
  ['a new recipient in place of the others', 'deliver w@far.example'],
  ['a copy to somebody else', 'unseen deliver w@far.example'],
  ['seen finish discards the message', 'seen finish'],
  ['fail, with a text for the log', 'fail "<<for the log>>for the bounce"'],
  ['fail without a text', 'fail'],
  ['fail after a delivery with errors_to', 'deliver w@far.example errors_to e@z.example fail "no"'],
  ['defer', 'defer "not now"'],
  ['a copy in a file', 'unseen save HOME/saved'],
  ['a file in place of the recipients', 'save HOME/saved'],
  ['a path that is not absolute', 'save saved'],
  ['a folder', 'unseen save HOME/folder/'],
  ['a pipe', 'unseen pipe "/bin/sh -c \\"cat > HOME/piped\\""'],
  ['a pipe that fails', 'unseen pipe /bin/false'],
  ['a pipe that fails, without report', 'unseen noerror pipe /bin/false'],
  ['headers', 'headers add "X-One: $h_subject:" headers remove "Subject" unseen save HOME/saved'],
  ['headers in two lines', 'headers add "X-A: a\\n b\\nX-B: b" unseen save HOME/saved'],
  ['a recipient that is one already', 'deliver box@x.example', { to: 'box@x.example' }],
  ['counters for later', 'add 5 to n3 headers add "X-N: $n3" unseen save HOME/saved'],
  [
    'recipients',
    'headers add "X-R: $recipients, $recipients_count" unseen save HOME/saved',
    { to: 'box@x.example w@far.example' },
  ],
  ['a message sent by nobody', 'if error_message then save HOME/saved endif', { from: '<>' }],
  ['logwrite', 'logfile HOME/log logwrite "one $h_subject: of $sender_address" logwrite "two\\n"'],
  ['logwrite without a log file', 'logwrite x'],
  ['logwrite to a file that cannot be opened', 'logfile /nonexistent/log logwrite x'],
  ['the first delivery', 'if first_delivery then headers add "X-F: yes" endif unseen save HOME/saved'],
]

const cases: DeliveryCase[] = rows.map(([says, , more], i) => ({
  says,
  to: 'box@x.example v@far.example',
  message: usualMessage.replace('Message-Id', `X-Case: ${i + 1}\nMessage-Id`),
  ...more,
}))

function filter(home: string): string {
  const parts = rows.map(
    ([, commands], i) =>
      `if $h_x-case: is ${i + 1} then ${commands.replaceAll('HOME', join(home, `c${i + 1}`))} endif\n`,
  )
  return `# Exim filter\n${parts.join('')}`
}

const filters = join(folder.path, 'filters')
mkdirSync(filters)
chmodSync(filters, 0o755)
for (const name of ['exim', 'postern']) writeFileSync(join(filters, name), filter(join(folder.path, name)))

const main = `keep_environment =
primary_hostname = mta.example
qualify_domain = x.example
never_users =
queue_only
trusted_users = root
system_filter = ${filters}/\${sg{$spool_directory}{^.*/([a-z]+)/spool\\$}{\\$1}}
system_filter_user = nobody
system_filter_group = nogroup
system_filter_file_transport = to_file
system_filter_directory_transport = to_directory
system_filter_pipe_transport = to_pipe
system_filter_reply_transport = to_reply
`
const common = {
  routers: `all:
  driver = accept
  transport = all
  user = nobody
`,
  transports: `all:
  driver = appendfile
  file = HOME/all
to_file:
  driver = appendfile
  return_path_add
  envelope_to_add
to_directory:
  driver = appendfile
  maildir_format
to_pipe:
  driver = pipe
to_reply:
  driver = autoreply
`,
}

const results = skip === false ? compareDeliveries(cases, main, common, folder.path, exim ?? '') : []

cases.forEach((one, i) => {
  test(`${i + 1}: ${one.says}`, { skip }, () => {
    const result = results[i]
    assert.ok(result)
    assert.deepEqual(result.ours, result.theirs)
    assert.ok(result.theirs.log.length > 0)
  })
})
