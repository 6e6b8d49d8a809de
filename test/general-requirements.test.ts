/** The general requirements: G2, G3, G7 through the real program (G1 and G4 to G6 stand beside the code they are about). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { mainOptions } from '../src/language/config/options/main.ts'
import { features } from '../src/server/features.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { postern, repository, startServer, temporaryFolder } from './support/server.ts'

test("G2 -bV shows what is supported under today's names and under those of 2014", () => {
  const folder = temporaryFolder('g2')
  const file = join(folder.path, 'exim.conf')
  writeFileSync(file, 'primary_hostname = mail.example\n')
  const { stdout, status } = spawnSync(postern, ['-C', file, '-bV'], { encoding: 'utf8' })
  folder.remove()
  assert.equal(status, 0)
  const words = /^Support for: (.*)$/m.exec(stdout)?.[1]?.split(' ') ?? []
  for (const { shown, shown2014, since } of features) {
    for (const name of [shown, shown2014]) {
      if (name !== undefined) assert.equal(words.includes(name), since !== undefined, name)
    }
  }
  assert.match(stdout, /^Lookups \(built-in\): .*\blsearch\b/m)
  assert.match(stdout, /^Routers: .*\bdnslookup\b/m)
  assert.match(stdout, /^Transports: .*\bappendfile\b/m)
})

test('G3 the guide says that everything is built in', () => {
  const page = readFileSync(join(repository, 'docs', 'guide', 'configuration.md'), 'utf8')
  const sentence = /Everything is built in:[^.]*\./.exec(page)?.[0] ?? ''
  for (const feature of ['OCSP', 'SPF', 'DMARC', 'Redis', 'PROXY protocol'])
    assert.ok(sentence.includes(feature), feature)
})

test('G7 nothing is written, sent or offered that was not asked for', async () => {
  const quiet = [
    'dmarc_history_file',
    'dmarc_forensic_sender',
    'tls_ocsp_file',
    'event_action',
    'log_format_json',
    'hosts_proxy',
  ] as const
  for (const name of quiet) assert.equal(mainOptions[name].default, undefined, name)
  const folder = temporaryFolder('g7')
  const server = await startServer({
    folder: folder.path,
    configuration:
      'primary_hostname = mail.example\nacl_smtp_rcpt = accept\nbegin routers\nall:\n  driver = redirect\n  data = :blackhole:\n',
  })
  try {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    await client.deliver('a@b.example', ['c@d.example'], 'From: a@b.example\n\nx\n')
    client.end()
    await server.logged(/ Completed/)
    // The folder through which ordinary users hand in messages lies beside the spool.
    const ours = new Set(['exim.conf', 'log', 'pid', 'spool', 'spool-drop'])
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => !ours.has(name)),
      [],
    )
    assert.deepEqual(
      readdirSync(join(folder.path, 'log')).filter((name) => !/^(main|panic|reject)log$/.test(name)),
      [],
    )
    assert.deepEqual(listeningPorts(server.process.pid ?? 0), [server.port])
  } finally {
    await server.stop()
    folder.remove()
  }
})

/** TCP ports on which a process and those below it listen. */
function listeningPorts(root: number): number[] {
  const inodes = new Set<string>()
  for (const pid of below(root)) {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const link = target(`/proc/${pid}/fd/${fd}`)
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1]
      if (inode !== undefined) inodes.add(inode)
    }
  }
  const ports = new Set<number>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(table, 'latin1').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      // 0A: listening.
      if (state === '0A' && inodes.has(inode)) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16))
    }
  }
  return [...ports]
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

function below(root: number): number[] {
  const found = [root]
  for (const parent of found) {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        if (Number(/\) \S (\d+)/.exec(stat)?.[1]) === parent) found.push(Number(name))
      } catch {
        // It has ended.
      }
    }
  }
  return found
}
