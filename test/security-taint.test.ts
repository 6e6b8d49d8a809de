/**
 * Promise 4 of SECURITY at a started server: a configuration that puts what strangers say into file names, commands,
 * expansions and SQL without quoting. Each use is refused with Exim's word and puts the mail off; nothing is run, read or made.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connectSmtp } from './support/smtp-client.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('security-taint')
const inside = join(folder.path, 'inside')
const victim = join(folder.path, 'victim')
let server: StartedServer

/** What an incautious administrator writes: the text of a condition at RCPT. */
const atRcpt: readonly (readonly [what: string, condition: string])[] = [
  ['a file to search in', `\${lookup{x}lsearch{${inside}/$local_part}{yes}{no}}`],
  ['a folder to look in', `\${lookup{x}dsearch{${inside}/$local_part}{yes}{no}}`],
  ['a file to read', `\${readfile{${inside}/$local_part}}`],
  ['a socket', `\${readsocket{${inside}/$local_part}{x}{1s}}`],
  ['a command', '${run{$local_part}}'],
  ['a command that a shell reads', '${run,preexpand{/bin/sh -c $local_part}}'],
  ['text to expand', '${expand:$local_part}'],
  ['SQL', `\${lookup sqlite,file=${inside}/db {select '$local_part'}}`],
  ['a database file', `\${lookup sqlite {${inside}/$local_part select 1}}`],
]
/** And in transports. */
const transports: readonly (readonly [what: string, options: string])[] = [
  ['a mailbox', `driver = appendfile\n  file = ${inside}/$local_part`],
  ['a Maildir', `driver = appendfile\n  maildir_format\n  directory = ${inside}/$local_part`],
  ['a command of a pipe', 'driver = pipe\n  command = $local_part'],
  ['an argument of a pipe', 'driver = pipe\n  command = /bin/sh -c $local_part'],
  ['a pipe that a shell reads', 'driver = pipe\n  use_shell\n  command = /bin/echo $local_part'],
  ['a text of an answer', `driver = autoreply\n  to = x@y.example\n  file = ${inside}/$local_part`],
  [
    'a list of those answered',
    `driver = autoreply\n  to = x@y.example\n  text = x\n  once = ${inside}/$local_part`,
  ],
  ['a log of an answer', `driver = autoreply\n  to = x@y.example\n  text = x\n  log = ${inside}/$local_part`],
]

before(async () => {
  mkdirSync(inside)
  // Whoever a transport runs as could.
  chmodSync(inside, 0o777)
  writeFileSync(join(inside, 'users'), 'x: y\n')
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mx.example
host_lookup =
acl_smtp_rcpt = rcpt
begin acl
rcpt:
${atRcpt.map(([, condition], i) => `  deny domains = r${i}.example\n       condition = \${if eq{${condition}}{never}}\n`).join('')}  accept
begin routers
${transports.map((_, i) => `r${i}:\n  driver = accept\n  domains = t${i}.example\n  transport = t${i}\n  user = mail\n`).join('')}
begin transports
${transports.map(([, options], i) => `t${i}:\n  ${options}\n`).join('')}
begin retry
* * F,1h,10m
`,
  })
})
after(async () => {
  await server?.stop()
  folder.remove()
})

const attacks = [
  '../../../../../../etc/passwd',
  `/bin/touch ${victim}`,
  `x;touch ${victim}`,
  `$(touch ${victim})`,
  `\`touch ${victim}\``,
  `|touch ${victim}`,
  `\${run{/bin/touch ${victim}}}`,
  "' UNION SELECT 1 --",
  'users',
]
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

for (const [i, [what]] of atRcpt.entries()) {
  test(`${what} from a client is no such thing: 451, and the log says why`, async () => {
    const client = await connectSmtp(server.port)
    await client.say('EHLO x.example')
    await client.say('MAIL FROM:<a@b.example>')
    for (const attack of attacks) {
      const before = server.log().length
      const { code, raw } = await client.say(`RCPT TO:<${quoted(attack)}@r${i}.example>`)
      assert.equal(code, 451, `${attack}: ${raw}${server.log().slice(before)}`)
      const told = await until(
        () => /[Tt]ainted|not permitted/.exec(server.log().slice(before)) ?? undefined,
        5000,
      )
      assert.ok(told !== undefined, `${attack}: ${server.log().slice(before)}`)
      assert.doesNotMatch(raw, /root:x:0/)
    }
    client.end()
  })
}

for (const [i, [what]] of transports.entries()) {
  test(`${what} out of an address is refused: the message waits or comes back, nothing is done`, async () => {
    for (const attack of attacks) {
      const client = await connectSmtp(server.port)
      await client.say('EHLO x.example')
      const reply = await client.deliver('', [`${quoted(attack)}@t${i}.example`], 'Subject: x\n\nx\n')
      assert.equal(reply.code, 250, reply.raw)
      client.end()
      const id = /id=(\S+)/.exec(reply.lines.join(' '))?.[1] ?? ''
      const [line] = await server.logged(new RegExp(`${id} (?:==|\\*\\*|=>|>>) .*`))
      // An answer whose log cannot be written goes out all the same.
      if (what !== 'a log of an answer') assert.match(line, /(?:==|\*\*) .*[Tt]ainted/, `${attack}: ${line}`)
    }
  })
}

test('nothing was made or run', () => {
  assert.equal(existsSync(victim), false)
  assert.deepEqual(readdirSync(inside).sort(), ['users'])
  assert.deepEqual(
    readdirSync(folder.path).filter(
      (name) => !['exim.conf', 'inside', 'log', 'pid', 'spool', 'spool-drop'].includes(name),
    ),
    [],
  )
})
