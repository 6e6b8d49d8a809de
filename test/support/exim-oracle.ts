/** A real Exim that is asked the same question: `POSTERN_TEST_EXIM4`, else /usr/sbin/exim4. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface EximSaid {
  readonly lines: readonly string[]
  /** Log lines, which go to stderr while testing. */
  readonly logged: readonly string[]
  readonly exitCode: number
}

export interface EximOracle {
  /** Why it cannot be asked; false: it can. */
  readonly skip: string | false
  run(args: readonly string[], input?: string): EximSaid
}

/** @param configuration text of the file; the path of the spool is put before it */
export function eximToCompare(configuration: string): EximOracle {
  const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
  const refuse = (skip: string): EximOracle => ({ skip, run: () => ({ lines: [], logged: [], exitCode: 0 }) })
  if (!existsSync(program)) return refuse('no Exim on this machine to compare with')
  // Exim reads a file given with -C as root only.
  if (process.getuid?.() !== 0) return refuse('needs root: Exim gives up its rights for a file given with -C')
  const folder = mkdtempSync(join(tmpdir(), 'postern-exim-'))
  chmodSync(folder, 0o755)
  const file = join(folder, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/%slog\nkeep_environment =\n${configuration}`,
  )
  return {
    skip: false,
    run(args, input) {
      const { stdout, stderr, status } = spawnSync(program, ['-C', file, ...args], {
        encoding: 'latin1',
        cwd: '/',
        ...(input === undefined ? {} : { input: Buffer.from(input, 'latin1') }),
      })
      const logged = stderr
        .split(/\n(?=\d{4}-\d\d-\d\d |LOG: )/)
        .map((line) =>
          line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /, '').replace(/^LOG: \S+(?: PANIC)?\n {2}/, ''),
        )
        .map((line) => line.replace(/\n$/, ''))
        .filter((line) => line !== '')
      return { lines: stdout.replace(/\n$/, '').split('\n'), logged, exitCode: status ?? -1 }
    },
  }
}
