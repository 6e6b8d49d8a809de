/** What a replay says on a terminal: which statements changed how much, then each session. */
import type { Colours } from '../test/report.ts'
import type { Differing, Replayed } from './replay.ts'

/** More sessions are counted, and shown with --all. */
const mostShown = 20

export function renderReplay(result: Replayed, all: boolean, c: Colours): string {
  const { sessions, differing, unanswered, wrong, milliseconds } = result
  const lines: string[] = []
  for (const one of wrong) lines.push(`${c.bad('cannot be played')}  ${one}`)
  const shown = all ? differing : differing.slice(0, mostShown)
  for (const one of shown) lines.push(...renderSession(one, c), '')
  if (shown.length < differing.length)
    lines.push(`... and ${differing.length - shown.length} more; --all shows them`, '')
  const groups = grouped(differing)
  if (groups.length > 0 && differing.length > 1) {
    lines.push(c.bold('What decides otherwise:'))
    for (const { by, count } of groups) lines.push(`  ${String(count).padStart(6)}  ${by}`)
    lines.push('')
  }
  if (unanswered.size > 0) {
    lines.push(c.bold('Questions to which the sessions know no answer (the answer was taken as "not now"):'))
    for (const [question, { sessions: count, yaml, first }] of [...unanswered].slice(
      0,
      all ? undefined : mostShown,
    )) {
      lines.push(`  ${String(count).padStart(6)}  ${question}  ${c.dim(first)}`)
      lines.push(...yaml.split('\n').map((line) => `            ${c.good(line)}`))
    }
    lines.push('')
  }
  const count = `${differing.length} of ${sessions} sessions ${differing.length === 1 ? 'differs' : 'differ'}`
  const left = wrong.length === 0 ? '' : `, ${c.bad(`${wrong.length} could not be played`)}`
  lines.push(
    `${differing.length > 0 ? c.bad(count) : c.good(count)}${left} (${(milliseconds / 1000).toFixed(2)} s)`,
  )
  return `${lines.join('\n')}\n`
}

function renderSession({ file, session, changed }: Differing, c: Colours): string[] {
  return [
    `${c.bold(session)}  ${c.dim(file)}`,
    ...changed.flatMap(({ what, was, now, by }) => [
      `  ${what}`,
      ...block('was', was, c.good),
      ...block('now', now, c.bad),
      ...(by === undefined ? [] : [`         by ${by}`]),
    ]),
  ]
}

function block(label: string, text: string, paint: (text: string) => string): string[] {
  return text.split('\n').map((line, index) => `    ${(index === 0 ? label : '').padEnd(4)} ${paint(line)}`)
}

function grouped(differing: readonly Differing[]): { readonly by: string; readonly count: number }[] {
  const counts = new Map<string, number>()
  for (const { changed } of differing)
    for (const by of new Set(changed.map((one) => one.by ?? one.what)))
      counts.set(by, (counts.get(by) ?? 0) + 1)
  return [...counts].map(([by, count]) => ({ by, count })).sort((a, b) => b.count - a.count)
}
