/** The text form of Prometheus, version 0.0.4. Source: prometheus.io, "Exposition formats". */
import { type MetricName, metricNames, metrics } from '../../mail/metrics.ts'
import type { MetricValues } from './counters.ts'

export const contentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Values of one process, or of all together. */
export interface Told {
  /** Undefined: of all together. */
  readonly worker: string | undefined
  readonly values: readonly MetricValues[]
}

export function exposition(told: readonly Told[]): string {
  const lines: string[] = []
  for (const name of metricNames) {
    const found = told.flatMap(({ worker, values }) =>
      values.filter((each) => each.name === name).flatMap(({ rows }) => rows.map((row) => ({ worker, row }))),
    )
    if (found.length === 0) continue
    const { type, doc } = metrics[name]
    lines.push(`# HELP postern_${name} ${doc.replaceAll('\\', '\\\\')}`, `# TYPE postern_${name} ${type}`)
    for (const { worker, row } of found) lines.push(line(name, worker, row[0], row[1]))
  }
  return `${lines.join('\n')}\n`
}

function line(
  name: MetricName,
  worker: string | undefined,
  labels: readonly string[],
  value: number,
): string {
  const pairs = metrics[name].labels.map((label, i) => `${label}="${escaped(labels[i] ?? '')}"`)
  if (worker !== undefined) pairs.push(`worker="${worker}"`)
  return `postern_${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

/** Control characters and bytes that are no ASCII are not for a monitor's screen. */
function escaped(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
}
