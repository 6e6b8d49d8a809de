/** `postern test`: runs the tests that stand beside a configuration; `--record` writes one down. */
import { encodeUtf8 } from '../../../base/text.ts'
import { changed, findTestFiles, writeText } from '../../inspect/test/find-files.ts'
import { junitXml } from '../../inspect/test/junit.ts'
import { colours, countsOf, renderCoverage, renderFile, renderSummary } from '../../inspect/test/report.ts'
import { cpuMilliseconds, passed, runFiles, type RunResult } from '../../inspect/test/run-files.ts'
import { giveUpBorrowedPrivilege } from '../privilege.ts'
import { progress } from '../progress.ts'
import { readMacros, readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern test [FILE | FOLDER]... [-C FILE] [-D NAME=VALUE]... [--filter WORD] [--coverage] [--watch]
                    [--junit FILE] [--json]
  runs the tests in *.postern-test.yaml files (those below the current folder when none are named)
       postern test --record --from IP --mail ADDRESS --rcpt ADDRESS... [--helo NAME] [--message FILE]
                    [--callouts] [--json] [-C FILE] [-D NAME=VALUE]...
       postern test --record MESSAGE-ID | TRACE-ID [--message FILE] [-C FILE] [-D NAME=VALUE]...
  plays a session (or takes one that the daemon has kept), asks whom the configuration asks, and writes all of it down as such a file
`
/** Editors write a file in several steps. */
const settleMs = 150

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  // What a session shows of times must not depend on where it is played.
  process.env['TZ'] = 'UTC'
  if (words.includes('--record')) {
    const { record } = await import('./test-record.ts')
    return record(
      words.filter((word) => word !== '--record'),
      terminal,
      usage,
    )
  }
  giveUpBorrowedPrivilege()
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern test: ${options}\n${usage}`))
    return 2
  }
  if (!options.watch) return once(options, terminal).then(({ exitCode }) => exitCode)
  for (;;) {
    const { run: finished } = await once(options, terminal)
    const found = findTestFiles(options.names)
    const files = typeof found === 'string' ? [] : found
    const { config } = options
    const read = [...(config === undefined ? [] : [config]), ...(finished?.configurationFiles ?? [])]
    const change = changed([...options.names, ...files, ...read], settleMs, options.junit)
    terminal.out('Waiting for a change; Ctrl-C ends.\n\n')
    await change
  }
}

async function once(
  options: Options,
  terminal: Terminal,
): Promise<{ readonly exitCode: number; readonly run: RunResult | undefined }> {
  const files = findTestFiles(options.names)
  if (typeof files === 'string' || files.length === 0) {
    const why = typeof files === 'string' ? files : `no *.postern-test.yaml in ${options.names.join(', ')}`
    terminal.err(encodeUtf8(`postern test: ${why}\n`))
    return { exitCode: 2, run: undefined }
  }
  const c = colours(options.colour)
  const shown = progress(terminal, 'tests run')
  const finished = await runFiles({ ...options, files, tell: shown.at }, (file) => {
    shown.end()
    if (
      !options.json &&
      (options.filter === undefined || file.results.length > 0 || file.problems.length > 0)
    )
      terminal.out(encodeUtf8(renderFile(file, c)))
  })
  const counts = countsOf(finished)
  if (options.json) terminal.out(encodeUtf8(`${JSON.stringify(jsonOf(finished), null, 1)}\n`))
  else {
    if (options.coverage) terminal.out(encodeUtf8(`${renderCoverage(finished.coverage, c)}\n`))
    terminal.out(encodeUtf8(renderSummary(finished, c)))
  }
  if (options.junit !== undefined) writeText(options.junit, junitXml(finished))
  const none = counts.passed + counts.failed + counts.broken === 0
  if (none) terminal.err('postern test: no test was run\n')
  return { exitCode: counts.failed + counts.broken > 0 || none ? 1 : 0, run: finished }
}

function jsonOf(finished: RunResult): unknown {
  return {
    ...countsOf(finished),
    milliseconds: Math.round(finished.milliseconds),
    cpuMilliseconds: cpuMilliseconds(),
    files: finished.files.map(({ file, problems, wrong, results }) => ({
      file,
      problems,
      wrong,
      tests: results.map((result) => ({
        name: result.test.name,
        line: result.test.at.line,
        passed: passed(result),
        milliseconds: Math.round(result.milliseconds * 10) / 10,
        differences: result.differences.map(({ what, expected, found, at }) => ({
          what,
          expected,
          found,
          line: at.line,
        })),
        unanswered: result.unanswered,
        seen: passed(result) ? undefined : result.seen,
      })),
    })),
    coverage: finished.coverage,
  }
}

interface Options {
  readonly names: readonly string[]
  readonly config: string | undefined
  readonly macros: ReadonlyMap<string, string>
  readonly filter: string | undefined
  readonly junit: string | undefined
  readonly coverage: boolean
  readonly watch: boolean
  readonly json: boolean
  readonly colour: boolean
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      define: { type: 'string', short: 'D', multiple: true, default: [] },
      filter: { type: 'string' },
      junit: { type: 'string' },
      coverage: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      colour: { type: 'boolean' },
    },
    allowNegative: true,
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  const macros = readMacros(values.define)
  if (typeof macros === 'string') return macros
  const terminal = process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''
  return {
    ...values,
    names: positionals.length === 0 ? ['.'] : positionals,
    config: values.config,
    filter: values.filter,
    junit: values.junit,
    macros,
    colour: values.colour ?? terminal,
  }
}
