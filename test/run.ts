/**
 * Runs every test and counts. Unit tests, beside the code, share one process; each file in `test/` has its own,
 * two at a time. The last line is the plain count: `N passed, N failed`.
 *
 * node dist/test/run.js [WORD ...]   only the files whose path holds one of the words
 */
import { run } from 'node:test'
import { dirname, join } from 'node:path'
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
const files = words.length === 0 ? [join(here, 'support', 'unit.js')] : units.filter(wanted)

// Tests that compare with a real Exim find it here; without one they skip and say so.
const exim = fetchExim()
if ('path' in exim) process.env.POSTERN_TEST_EXIM4 = exim.path
else console.log(`No Exim to compare with: ${exim.missing}`)

let passed = 0
let failed = 0
let skipped = 0
const failures: string[] = []
const skips = new Map<string, number>()
const started = Date.now()

for await (const event of run({ files: [...files, ...scenarios], concurrency: 2, timeout: 600_000 })) {
  if (event.type === 'test:stdout' || event.type === 'test:stderr') {
    process.stderr.write(event.data.message)
    continue
  }
  if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
  const { data } = event
  // A suite or a file counts through its tests; a file that fails as such has no test of its own to say so.
  const isFile = data.name === data.file || data.name.endsWith('.test.js') || data.name.endsWith('unit.js')
  if (data.details.type === 'suite' || (isFile && event.type === 'test:pass')) continue
  if (data.skip !== undefined && data.skip !== false) {
    skipped++
    const why = typeof data.skip === 'string' ? data.skip : 'skipped'
    skips.set(why, (skips.get(why) ?? 0) + 1)
  } else if (event.type === 'test:pass') passed++
  else {
    failed++
    failures.push(
      `not ok: ${data.name} (${data.file ?? ''}:${data.line ?? ''})\n${describe(data.details.error)}`,
    )
    console.log(failures.at(-1))
  }
}

function describe(error: Error & { cause?: unknown }): string {
  const cause = error.cause instanceof Error ? error.cause : error
  return (cause.stack ?? cause.message)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

for (const [why, count] of skips) console.log(`${count} skipped: ${why}`)
if (failures.length > 0)
  console.log(`\n${failures.length} failed:\n${failures.map((f) => f.split('\n', 1)[0]).join('\n')}`)
console.log(`${((Date.now() - started) / 1000).toFixed(0)} seconds`)
if (passed === 0) failed ||= 1
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(failed === 0 ? 0 : 1)
