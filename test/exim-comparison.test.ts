/**
 * The same dialogues to a real Exim 4.96 and to Postern, with the same configuration: replies and log lines are
 * the same but for what each row says. Needs root, since Exim gives up its rights for another's configuration.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Dialogue, Table } from './sessions/dialogue.ts'
import { tables } from './sessions/index.ts'
import { type Played, play, quiet } from './sessions/play.ts'
import { type StartedServer, startServer, temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const hindrance = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to start Exim with a configuration of its own'
    : undefined

// Most of the time of a dialogue is waiting for the logs to settle: tables stand side by side.
describe('dialogues', { concurrency: 3 }, () => {
  for (const table of tables) {
    test(`as Exim: ${table.name}`, { skip: hindrance }, async (t) => {
      await compare(table, async (says, check) => {
        await t.test(says, check)
      })
    })
  }
})

async function compare(
  table: Table,
  each: (says: string, check: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder('comparison')
  const servers: StartedServer[] = []
  try {
    if (table.certificate === true) makeCertificate(folder.path)
    const start = async (name: string, program?: string): Promise<StartedServer> => {
      const started = await startServer({
        configuration: table.configuration.replaceAll('@FOLDER@', folder.path),
        folder: await folderOf(folder.path, name),
        ...(program === undefined ? {} : { program }),
      })
      servers.push(started)
      return started
    }
    const real = await start('exim', exim)
    const ours = await start('postern')
    await Promise.all([quiet(real), quiet(ours)])
    for (const dialogue of table.dialogues) {
      await each(dialogue.says, async () => {
        const [expected, found] = await Promise.all([play(real, dialogue), play(ours, dialogue)])
        agree(dialogue, expected, found)
      })
    }
  } finally {
    for (const server of servers) await server.stop()
    folder.remove()
  }
}

function makeCertificate(folder: string): void {
  const made = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=mx.test.example'],
      ...['-keyout', 'key.pem', '-out', 'cert.pem'],
    ],
    { cwd: folder, encoding: 'utf8' },
  )
  assert.equal(made.status, 0, made.stderr)
  for (const name of ['key.pem', 'cert.pem']) chmodSync(join(folder, name), 0o644)
}

async function folderOf(path: string, name: string): Promise<string> {
  const { mkdir } = await import('node:fs/promises')
  const folder = join(path, name)
  await mkdir(folder, { mode: 0o755 })
  return folder
}

function replaced(
  replies: readonly string[],
  instead: Readonly<Record<number, string>> = {},
): readonly string[] {
  return replies.map((reply, step) => instead[step] ?? reply)
}

function agree(dialogue: Dialogue, expected: Played, found: Played): void {
  const { differs } = dialogue
  assert.deepEqual(found.replies, differs?.replies ?? replaced(expected.replies, differs?.instead), 'replies')
  if (differs?.logs === true) return
  assert.deepEqual(found.main.toSorted(), expected.main.toSorted(), 'main log')
  assert.deepEqual(found.reject.toSorted(), expected.reject.toSorted(), 'reject log')
}
