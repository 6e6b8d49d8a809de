/**
 * Runs every test and counts. Unit tests, beside the code, share one process; each file in `test/` has its own,
 * three at a time: most of their time they wait for servers. The last line is the plain count: `N passed, N failed`.
 *
 * node dist/test/run.js [WORD ...]   only the files whose path holds one of the words
 */
import { run } from 'node:test'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchExim } from './support/debian.ts'
import { globSync } from './support/glob.ts'

const here = dirname(fileURLToPath(import.meta.url))
const words = process.argv.slice(2)
const wanted = (file: string): boolean => words.length === 0 || words.some((word) => file.includes(word))

const units = globSync('src', '.test.js').map((url) => fileURLToPath(url))
const scenarios = globSync('test', '.test.js')
  .map((url) => fileURLToPath(url))
  .filter(wanted)
  // The longest begin first: none of them is left to run alone at the end.
  .sort((one, other) => Number(isLong(other)) - Number(isLong(one)))
const files = words.length === 0 ? [join(here, 'support', 'unit.js')] : units.filter(wanted)

/** Those that take more than a minute. */
function isLong(path: string): boolean {
  return /(?:recipes-vs-exim-\d|delivery-options-vs-exim|delivery-vs-exim|fuzz|remote-vs-exim|remote-tls-vs-exim)\.test/.test(
    path,
  )
}

// Tests that compare with a real Exim find it here; without one they skip and say so.
const exim = fetchExim()
if ('path' in exim) process.env.POSTERN_TEST_EXIM4 = exim.path
else console.log(`No Exim to compare with: ${exim.missing}`)

interface Failure {
  readonly file: string
  readonly name: string
  readonly told: string
}

interface Outcome {
  passed: number
  readonly failures: Failure[]
  /** Why each skipped test was. */
  readonly skips: string[]
}

/** How long each file took, in seconds. */
const seconds = new Map<string, number>()

/** So few files with failures are looked at once more, each alone: time that was short is told from what is wrong. */
const mostOnceMore = 4

const started = Date.now()
const outcome = await runFiles([...scenarios, ...files], 3)
let { passed, failures } = outcome
const doubtful = [...new Set(failures.map(({ file }) => file))]
// Tests that a helper declares (test/guide/outer.ts) stand in its file, which alone runs none.
const canRun = (file: string): boolean => file.endsWith('.test.js')
if (doubtful.length > 0 && doubtful.length <= mostOnceMore && doubtful.every(canRun)) {
  console.log(`Once more, alone: ${doubtful.join(' ')}`)
  const again = (await runFiles(doubtful, 1)).failures
  for (const { name, file } of failures) {
    if (again.some((other) => other.name === name && other.file === file)) continue
    passed++
    console.log(`unsteady: ${name} (${file}): failed beside others, passed alone`)
  }
  failures = again
}

/** Runs them, tells of failures as they come. */
async function runFiles(paths: readonly string[], concurrency: number): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failures: [], skips: [] }
  for await (const event of run({ files: [...paths], concurrency, timeout: 1_200_000 })) {
    if (event.type === 'test:stdout' || event.type === 'test:stderr') {
      process.stderr.write(event.data.message)
      continue
    }
    if (event.type === 'test:complete' && event.data.name === event.data.file)
      seconds.set(event.data.file, Math.round(event.data.details.duration_ms / 1000))
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { data } = event
    // A suite or a file counts through its tests; a file that fails as such has no test of its own to say so.
    const isFile = data.name === data.file || data.name.endsWith('.test.js') || data.name.endsWith('unit.js')
    if (data.details.type === 'suite' || (isFile && event.type === 'test:pass')) continue
    if (data.skip !== undefined && data.skip !== false)
      outcome.skips.push(typeof data.skip === 'string' ? data.skip : 'skipped')
    else if (event.type === 'test:pass') outcome.passed++
    else {
      const file = data.file ?? data.name
      const told = `not ok: ${data.name} (${file}:${data.line ?? ''})\n${describe(data.details.error)}`
      outcome.failures.push({ file, name: data.name, told })
      console.log(told)
    }
  }
  return outcome
}

function describe(error: Error & { cause?: unknown }): string {
  const cause = error.cause instanceof Error ? error.cause : error
  return (cause.stack ?? cause.message)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

const { skips } = outcome
for (const why of new Set(skips))
  console.log(`${skips.filter((other) => other === why).length} skipped: ${why}`)
if (failures.length > 0)
  console.log(
    `\n${failures.length} failed:\n${failures.map(({ told }) => told.split('\n', 1)[0]).join('\n')}`,
  )
const slowest = [...seconds].sort(([, one], [, other]) => other - one).slice(0, 12)
console.log(`Longest: ${slowest.map(([file, took]) => `${basename(file)} ${took}`).join(', ')}`)
console.log(`${((Date.now() - started) / 1000).toFixed(0)} seconds`)
const failed = failures.length || (passed === 0 ? 1 : 0)
console.log(`${passed} passed, ${failed} failed${skips.length > 0 ? `, ${skips.length} skipped` : ''}`)
process.exit(failed === 0 ? 0 : 1)
