/** Calls that only look at the configuration need no rights on the spool or the logs, and leave nothing there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'

const root = process.getuid?.() === 0
const folder = temporaryFolder('read-only')
const file = join(folder.path, 'exim.conf')
before(() => {
  for (const each of ['spool', 'log']) {
    mkdirSync(join(folder.path, each))
    chmodSync(join(folder.path, each), 0o555)
  }
  writeFileSync(
    file,
    `primary_hostname = mail.example
spool_directory = ${folder.path}/spool
log_file_path = ${folder.path}/log/%slog
begin routers
nobody:
  driver = redirect
  data = :blackhole:
`,
  )
  chmodSync(file, 0o644)
})
after(() => {
  for (const each of ['spool', 'log']) chmodSync(join(folder.path, each), 0o755)
  folder.remove()
})

const calls: readonly (readonly [args: readonly string[], output: RegExp])[] = [
  [['-be', '$primary_hostname'], /^mail\.example\n$/],
  [['-bP', 'spool_directory'], /^spool_directory = \S+\/spool\n$/],
  [['-bV'], /Configuration file /],
  [['-bt', 'x@mail.example'], /^mail to x@mail\.example is discarded\n$/],
  [['-bv', 'x@mail.example'], /^x@mail\.example verified\n|^mail to x@mail\.example is discarded\n/],
  [['-brw', 'x@mail.example'], /x@mail\.example/],
  [['-brt', 'x@mail.example'], /No retry information found\n$/],
]

// 65534 is nobody: somebody who owns none of it.
const callers = root ? ([undefined, 65534] as const) : ([undefined] as const)
for (const uid of callers) {
  for (const [args, output] of calls) {
    test(`${args[0]} of ${uid ?? (root ? 'root' : 'the caller')}`, () => {
      const done = spawnSync(postern, ['-C', file, ...args], {
        encoding: 'latin1',
        cwd: '/',
        ...(uid === undefined ? {} : { uid, gid: uid }),
      })
      assert.match(done.stdout, output, done.stderr)
      assert.equal(done.stderr, '')
      assert.deepEqual(readdirSync(folder.path).toSorted(), ['exim.conf', 'log', 'spool'])
      for (const each of ['spool', 'log']) assert.deepEqual(readdirSync(join(folder.path, each)), [])
    })
  }
}
