/** What a run of tests says on a terminal. */
import { type Coverage, type FileResult, passed, type RunResult } from './run-files.ts'
import type { TestResult } from './run-test.ts'

export interface Colours {
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

export function colours(wanted: boolean): Colours {
  const paint = (code: number) => (text: string) => (wanted ? `\u001B[${code}m${text}\u001B[0m` : text)
  return { good: paint(32), bad: paint(31), dim: paint(2), bold: paint(1) }
}

export function renderFile({ file, results, problems, wrong }: FileResult, c: Colours): string {
  const lines = [c.bold(file)]
  if (wrong !== undefined) lines.push(`  ${c.bad('cannot run')}  ${wrong.replaceAll('\n', '\n  ')}`)
  for (const problem of problems)
    lines.push(`  ${c.bad('wrong')}  ${problem.file}:${problem.line}:${problem.column}: ${problem.message}`)
  for (const result of results) lines.push(...renderResult(file, result, c))
  return `${lines.join('\n')}\n\n`
}

function renderResult(file: string, result: TestResult, c: Colours): string[] {
  const { test, differences, unanswered, seen, milliseconds } = result
  const took = milliseconds >= 1000 ? c.dim(` (${milliseconds.toFixed(0)} ms)`) : ''
  if (passed(result)) return [`  ${c.good('ok')}    ${test.name}${took}`]
  const lines = [`  ${c.bad('FAIL')}  ${test.name}${took}  ${c.dim(`${file}:${test.at.line}`)}`]
  for (const { what, expected, found, at } of differences) {
    lines.push(`        ${what} (line ${at.line})`)
    lines.push(...block('expected', expected, c.good), ...block('found', found, c.bad))
  }
  for (const { question, yaml } of unanswered) {
    lines.push(`        ${c.bad('not stated:')} ${question}`)
    lines.push(
      `          add to the world of the test:`,
      ...yaml.split('\n').map((line) => `            ${c.good(line)}`),
    )
  }
  if (seen.length > 0)
    lines.push(
      `        ${c.dim('what happened:')}`,
      ...seen.flatMap((one) => one.split('\n')).map((line) => `          ${c.dim(line)}`),
    )
  return lines
}

function block(label: string, text: string, paint: (text: string) => string): string[] {
  const [first = '', ...rest] = text.split('\n')
  const indent = ' '.repeat(20)
  return [`          ${label.padEnd(9)} ${paint(first)}`, ...rest.map((line) => `${indent}${paint(line)}`)]
}

export interface Counts {
  readonly passed: number
  readonly failed: number
  /** Files that could not be run. */
  readonly broken: number
}

export function countsOf({ files }: RunResult): Counts {
  const results = files.flatMap((file) => file.results)
  const good = results.filter(passed).length
  return {
    passed: good,
    failed: results.length - good,
    broken: files.filter(({ problems, wrong }) => problems.length > 0 || wrong !== undefined).length,
  }
}

export function renderSummary(run: RunResult, c: Colours): string {
  const { passed: good, failed, broken } = countsOf(run)
  const parts = [
    failed > 0 ? c.bad(`${failed} failed`) : '',
    broken > 0 ? c.bad(`${broken} ${broken === 1 ? 'file' : 'files'} could not be run`) : '',
    c.good(`${good} passed`),
  ].filter((part) => part !== '')
  return `${parts.join(', ')} of ${good + failed} tests in ${(run.milliseconds / 1000).toFixed(2)} s\n`
}

export function renderCoverage(coverage: readonly Coverage[], c: Colours): string {
  return coverage
    .map(({ configuration, pieces, missed }) => {
      const reached = pieces - missed.length
      const head = `${c.bold(configuration)}: ${reached} of ${pieces} ACL statements and routers reached\n`
      const lines = missed.map(({ kind, name, file, line, text }) => {
        const short = text.length > 90 ? `${text.slice(0, 90)}...` : text
        return `  ${c.bad('never')}  ${file}:${line}  ${kind === 'router' ? `router ${name}` : `ACL ${name}`}: ${c.dim(short.replaceAll('\n', ' '))}\n`
      })
      return `${head}${lines.join('')}`
    })
    .join('\n')
}
