/** ETRN over a real connection. Source: RFC 1985; Exim manual, "The ETRN command". */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('etrn')
after(() => folder.remove())
const base = `
primary_hostname = mail.example
acl_smtp_rcpt = accept
acl_smtp_etrn = accept
begin routers
held:
  driver = redirect
  data = :defer: held for a test
  allow_defer
begin retry
* * F,1d,1h
`

async function say(port: number, ...lines: readonly string[]): Promise<string[]> {
  const client = await connectSmtp(port)
  const answers: string[] = []
  for (const line of ['EHLO client.example', ...lines]) answers.push((await client.say(line)).raw)
  client.end()
  return answers.slice(1)
}

test('ETRN #text runs the queue for addresses that contain the text', async () => {
  const path = join(folder.path, 'run')
  mkdirSync(path)
  spawnSync('chmod', ['755', path])
  const server = await startServer({ configuration: base, folder: path })
  try {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    const ids: string[] = []
    for (const domain of ['brigadoon.example', 'other.example']) {
      const answer = await client.deliver('s@client.example', [`u@${domain}`], 'Subject: x\r\n\r\nx\r\n')
      ids.push(/id=(\S+)/.exec(answer.raw)?.[1] ?? '')
    }
    client.end()
    for (const id of ids) await server.logged(new RegExp(`${id} == u@`))
    const before = server.log().length
    const answers = await say(server.port, 'ETRN #brigadoon', 'ETRN brigadoon')
    assert.deepEqual(answers, ['250 OK\r\n', '501 argument must begin with #\r\n'])
    await server.logged(/End queue run: pid=\d+ -R brigadoon\n/)
    const written = server.log().slice(before)
    assert.match(written, /ETRN #brigadoon received from \(client\.example\) \[127\.0\.0\.1\]\n/)
    assert.match(written, /Start queue run: pid=\d+ -R brigadoon\n/)
    assert.ok(!written.includes(`${ids[1]} `), written)
  } finally {
    await server.stop()
  }
})

test('smtp_etrn_command runs in its place, one at a time for each argument', async () => {
  const path = join(folder.path, 'command')
  mkdirSync(path)
  chmodSync(path, 0o777)
  const script = join(path, 'script')
  writeFileSync(
    script,
    `#!/bin/sh\necho "$# $1" >> ${path}/told\nuntil test -e ${path}/go; do sleep 0.05; done\n`,
  )
  chmodSync(script, 0o755)
  writeFileSync(join(path, 'names'), '"a b; touch x": a b; touch x\nc: c\n')
  // What the client says is no argument: what a file has for it is.
  const command = `smtp_etrn_command = ${script} "\${lookup{$domain}lsearch{${path}/names}{$value}{$domain}}"\n`
  const server = await startServer({ configuration: command + base, folder: path })
  try {
    const lines = ['ETRN a b; touch x', 'ETRN a b; touch x', 'ETRN c', 'ETRN d;touch x']
    assert.deepEqual(await say(server.port, ...lines), [
      '250 OK\r\n',
      '458 Already processing a b; touch x\r\n',
      '250 OK\r\n',
      '458 Internal failure\r\n',
    ])
    await server.logged(
      /failed to set up ETRN command: Tainted arg 1 for ETRN processing command: 'd;touch x'\n/,
    )
    const told = await until(() => {
      const text = existsSync(join(path, 'told')) ? readFileSync(join(path, 'told'), 'utf8') : ''
      return text.trim().split('\n').length === 2 ? text : undefined
    }, 10_000)
    assert.deepEqual(told?.trim().split('\n').toSorted(), ['1 a b; touch x', '1 c'])
    writeFileSync(join(path, 'go'), '')
  } finally {
    await server.stop()
  }
})
