/** `postern explain`: twenty times and more "why was this rejected"; the first screen names the statement, file and line. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from './support/dns-server.ts'
import { includedAcl, rejectedCases, rejectedConfiguration, rejectedZone } from './support/rejected-cases.ts'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('explain')
const configurationFile = join(folder.path, 'exim.conf')
let dns: DnsServer

before(async () => {
  dns = await startDnsServer(rejectedZone)
  for (const each of ['spool', 'log', 'mail']) mkdirSync(join(folder.path, each), { mode: 0o777 })
  writeFileSync(join(folder.path, 'blocked'), 'bad@blocked.test:\n')
  writeFileSync(join(folder.path, 'wishes'), 'unwished.test: no\n')
  writeFileSync(join(folder.path, 'aliases'), 'gone: :fail: she left in May\n')
  writeFileSync(join(folder.path, 'included.acl'), includedAcl)
  writeFileSync(
    configurationFile,
    `spool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/log/%slog\n${rejectedConfiguration(folder.path)}`,
  )
})
after(async () => {
  await dns.close()
  folder.remove()
})

/** Runs the program without holding up the name server in this process. */
function explain(
  ...args: readonly string[]
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(postern, ['explain', '-C', configurationFile, ...args], {
    env: { ...process.env, POSTERN_DNS: `${dns.address}:${dns.port}` },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })))
}

/** Where the statement after a mark stands. */
function placeOf(mark: string): string {
  for (const file of [configurationFile, join(folder.path, 'included.acl')]) {
    const lines = readFileSync(file, 'utf8').split('\n')
    const index = lines.indexOf(`#@ ${mark}`)
    if (index < 0) continue
    // Within a statement: its verb stands further up.
    let line = index + 1
    while (!/^\s*(?:accept|deny|defer|discard|drop|require|warn)\b/.test(lines[line] ?? '')) line--
    return `${file}:${line + 1}`
  }
  throw new Error(`no mark ${mark}`)
}

/** So much a terminal shows at once. */
const screenLines = 40

for (const [i, each] of rejectedCases.entries()) {
  test(`why was this rejected? ${each.says}`, async () => {
    const message = join(folder.path, `message${i}`)
    writeFileSync(message, each.message ?? 'From: a@good.test\n\nhello\n')
    const { status, stdout, stderr } = await explain(
      ...each.arguments,
      ...(each.message === undefined ? [] : ['--message', message]),
    )
    assert.equal(status, 0, stderr)
    const screen = stdout.split('\n').slice(0, screenLines).join('\n')
    assert.match(screen, each.answer)
    const decided = /decided by "[^\n]*" in (\S+)/.exec(screen)?.[1]
    assert.equal(decided, placeOf(each.mark), screen)
    assert.match(screen, each.saw, screen)
    assert.doesNotMatch(stdout, /verysecret/)
  })
}

test('a session that is only played counts for no rate', async () => {
  for (const time of ['first', 'second']) {
    const { stdout } = await explain(
      ...['--from', '192.0.2.1', '--mail', 'b@often.test', '--rcpt', 'joe@here.test', '--brief'],
    )
    assert.match(stdout, /Nothing was refused/, `the ${time} time: ${stdout}`)
  }
})
