/** How long a short call takes from the shell, beside Node itself. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { postern, temporaryFolder } from '../test/support/server.ts'
import type { Figure } from './run.ts'

const rounds = 15

export function run(): Promise<Figure[]> {
  const folder = temporaryFolder('bench-startup')
  const file = join(folder.path, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/%slog\nkeep_environment =\n`,
  )
  const node = median(() => spawnSync(process.execPath, ['-e', '0']))
  const postern_ = median(() => spawnSync(postern, ['-C', file, '-be', '${lc:ABC}']))
  folder.remove()
  return Promise.resolve([
    { name: 'node -e 0', value: node, unit: 'ms' },
    { name: 'postern -be', value: postern_, unit: 'ms' },
    { name: 'of node -e 0', value: postern_ / node, unit: 'times' },
  ])
}

function median(call: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now()
    call()
    return performance.now() - start
  })
  return times.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0
}
