/** A long queue costs no more than a short one to start with, to count and to begin listing. `npm run bench` has it with 200,000. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fillQueue, give, longQueue } from './support/long-queue.ts'
import { postern, temporaryFolder } from './support/server.ts'

test('20,000 messages: the daemon starts, -bpc counts and -bp begins at once', {
  timeout: 120_000,
}, async () => {
  const times = await longQueue(20_000)
  assert.equal(times.counted, '20000\n')
  assert.match(times.firstLine, /^ 0m +\S+ \S+ <alice@example\.org>/)
  // Generous: the machine may be busy.
  assert.ok(times.startMs < 15_000 && times.countMs < 5000 && times.headMs < 5000, JSON.stringify(times))
})

test('a queue run leaves frozen messages alone, thaws those of auto_thaw and gives up those of timeout_frozen_after', async () => {
  const folder = temporaryFolder('frozen-run')
  try {
    const directory = join(folder.path, 'spool')
    for (const each of ['spool', 'log']) mkdirSync(join(folder.path, each))
    chmodSync(join(folder.path, 'log'), 0o777)
    const now = Date.now()
    const ids = new Map<string, string>()
    for (const [what, hours] of [
      ['stays', 0],
      ['thaws', 2],
      ['ends', 48],
    ] as const) {
      await fillQueue({
        directory,
        messages: 1,
        fields: {
          receivedAt: now - hours * 3_600_000,
          frozenAt: now - hours * 3_600_000,
          firstDelivery: false,
        },
        onMessage: ({ id }) => void ids.set(what, id),
      })
    }
    give(directory)
    const file = join(folder.path, 'frozen.conf')
    writeFileSync(
      file,
      `spool_directory = ${directory}
log_file_path = ${folder.path}/log/%slog
primary_hostname = mta.example
auto_thaw = 1h
timeout_frozen_after = 1d
begin routers
hole:
  driver = redirect
  data = :blackhole:
`,
    )
    spawnSync(postern, ['-C', file, '-q'])
    const log = readFileSync(join(folder.path, 'log', 'mainlog'), 'latin1')
    const said = (what: string): string[] =>
      [...log.matchAll(new RegExp(`^\\S+ \\S+ ${ids.get(what)} (.*)$`, 'gm'))].map(([, text]) => text ?? '')
    assert.deepEqual(said('stays'), ['Message is frozen'])
    assert.deepEqual(said('ends'), ['cancelled by timeout_frozen_after', 'Completed'])
    assert.equal(said('thaws')[0], 'Unfrozen by auto-thaw')
    assert.equal(said('thaws').at(-1), 'Completed')
  } finally {
    folder.remove()
  }
})
