/** Runs the tests of many files, several at once, and gathers what became of them. */
import type { ByteString } from '../../../base/text.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import { type Piece, pieceKey } from '../../../server/offline/statements.ts'
import { Engines, isWrong } from './engines.ts'
import { readText, sourcesOf } from './find-files.ts'
import { readTestFile } from './read-file.ts'
import { runTest, type TestResult } from './run-test.ts'
import type { ConfigurationName, TestFile } from './test-case.ts'
import type { Problem } from './value.ts'

export interface RunOptions {
  readonly files: readonly string[]
  /** `-C`: in place of what the files name. */
  readonly config: string | undefined
  readonly macros: ReadonlyMap<string, ByteString>
  /** Only tests whose name, or whose file's, holds this word. */
  readonly filter: string | undefined
  /** Told after each test how many have been run. */
  readonly tell?: (tests: number) => void
}

export interface FileResult {
  readonly file: string
  readonly results: readonly TestResult[]
  /** Mistakes in the file itself. */
  readonly problems: readonly Problem[]
  /** Why its configuration cannot be used. */
  readonly wrong: string | undefined
}

export interface RunResult {
  readonly files: readonly FileResult[]
  readonly milliseconds: number
  readonly coverage: readonly Coverage[]
  /** Files of the configurations, to be watched. */
  readonly configurationFiles: readonly string[]
}

export interface Coverage {
  readonly configuration: string
  readonly pieces: number
  readonly missed: readonly Piece[]
}

const atOnce = 8

/** @param done told of each file as soon as it is through */
export async function runFiles(
  options: RunOptions,
  done: (result: FileResult) => void = () => undefined,
): Promise<RunResult> {
  const began = performance.now()
  const engines = new Engines()
  const files: FileResult[] = []
  let run = 0
  const ran = (): void => options.tell?.(++run)
  for (const file of options.files) {
    const result = await runFile(file, options, engines, ran)
    files.push(result)
    done(result)
  }
  const loaded = await engines.all()
  return {
    files,
    milliseconds: performance.now() - began,
    coverage: loaded.map(({ configuration, pieces, reached }) => ({
      configuration: configuration.file,
      pieces: pieces.length,
      missed: pieces.filter((piece) => !reached.has(pieceKey(piece))),
    })),
    configurationFiles: loaded.flatMap(({ configuration }) => filesOf(configuration)),
  }
}

function filesOf({ files }: Configuration): string[] {
  return files.filter((file) => file.startsWith('/'))
}

async function runFile(
  name: string,
  options: RunOptions,
  engines: Engines,
  ran: () => void,
): Promise<FileResult> {
  const nothing = { file: name, results: [], problems: [], wrong: undefined }
  const text = readText(name)
  if ('error' in text) return { ...nothing, wrong: text.error }
  const read = readTestFile(name, text.text, sourcesOf(name))
  if (read.is === 'wrong') return { ...nothing, problems: read.problems }
  const { file } = read
  const configuration = configurationOf(file, options)
  if (configuration === undefined)
    return {
      ...nothing,
      wrong: 'no configuration: the file names none with "configuration", and there is no -C',
    }
  const loaded = await engines.load(configuration, new Map([...file.macros, ...options.macros]))
  if (isWrong(loaded))
    return { ...nothing, wrong: loaded.absent === undefined ? loaded.wrong : absent(loaded.absent, options) }
  const wanted = file.tests.filter(
    (test) =>
      options.filter === undefined ||
      `${name} ${test.name}`.toLowerCase().includes(options.filter.toLowerCase()),
  )
  const results: TestResult[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (;;) {
      const index = next++
      const test = wanted[index]
      if (test === undefined) return
      results[index] = await runTest(test, loaded)
      ran()
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, wanted.length) }, work))
  return { ...nothing, results }
}

/** The configuration that a file of tests names is that of another host, most often. */
function absent(path: string, { config }: RunOptions): string {
  return config === undefined
    ? `its configuration ${path} is not on this host: run it where it is, or name another one with -C FILE`
    : `there is no configuration ${path}`
}

function configurationOf(file: TestFile, { config }: RunOptions): ConfigurationName | undefined {
  return config === undefined ? file.configuration : { is: 'file', path: config }
}

/** Whether a test came out as it should: what nobody answered is no answer. */
export function passed({ differences, unanswered }: TestResult): boolean {
  return differences.length === 0 && unanswered.length === 0
}

/** What this process has worked since it began: what counts on a machine that does other things too. */
export function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage()
  return Math.round((user + system) / 1000)
}
