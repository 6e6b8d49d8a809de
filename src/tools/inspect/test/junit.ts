/** A run of tests as JUnit XML, which build servers show. */
import { passed, type FileResult, type RunResult } from './run-files.ts'
import type { TestResult } from './run-test.ts'

export function junitXml({ files, milliseconds }: RunResult): string {
  const results = files.flatMap((file) => file.results)
  const failed = results.filter((one) => !passed(one)).length
  const errors = files.filter(isBroken).length
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="${results.length}" failures="${failed}" errors="${errors}" time="${seconds(milliseconds)}">
${files.map(suite).join('')}</testsuites>
`
}

function isBroken({ problems, wrong }: FileResult): boolean {
  return problems.length > 0 || wrong !== undefined
}

function suite(file: FileResult): string {
  const { results } = file
  const failed = results.filter((one) => !passed(one)).length
  const took = results.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const broken = isBroken(file)
    ? `    <testcase name="the file" classname="${escaped(file.file)}"><error>${escaped([file.wrong ?? '', ...file.problems.map((one) => `${one.file}:${one.line}:${one.column}: ${one.message}`)].join('\n').trim())}</error></testcase>\n`
    : ''
  return `  <testsuite name="${escaped(file.file)}" tests="${results.length}" failures="${failed}" errors="${broken === '' ? 0 : 1}" time="${seconds(took)}">
${broken}${results.map((one) => testcase(file.file, one)).join('')}  </testsuite>
`
}

function testcase(file: string, result: TestResult): string {
  const { test, differences, unanswered, seen, milliseconds } = result
  const head = `    <testcase name="${escaped(test.name)}" classname="${escaped(file)}" line="${test.at.line}" time="${seconds(milliseconds)}"`
  if (passed(result)) return `${head}/>\n`
  const why = [
    ...differences.map(({ what, expected, found }) => `${what}: expected ${expected}; found ${found}`),
    ...unanswered.map(({ question }) => `not stated: ${question}`),
  ]
  return `${head}>
      <failure message="${escaped(why[0] ?? '')}">${escaped([...why, '', ...seen].join('\n'))}</failure>
    </testcase>
`
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}

/** XML 1.0 has no place for most control characters. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uFFFD]/g, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
