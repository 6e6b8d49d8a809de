/** Reads what `/metrics` says. */
import type { MetricName } from '../../mail/metrics.ts'

export interface MetricLine {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export type MetricLines = ReadonlyMap<string, readonly MetricLine[]>

export function readMetrics(text: string): MetricLines {
  const found = new Map<string, MetricLine[]>()
  for (const line of text.split('\n')) {
    const [, name, pairs = '', value] = /^postern_(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) continue
    const labels: Record<string, string> = {}
    for (const [, key = '', text_ = ''] of pairs.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[key] = text_.replace(/\\(.)/g, '$1')
    const rows = found.get(name) ?? []
    rows.push({ labels, value: Number(value) })
    found.set(name, rows)
  }
  return found
}

/** The sum of the lines that have these labels. */
export function total(
  lines: MetricLines,
  name: MetricName,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0
  for (const row of lines.get(name) ?? [])
    if (Object.entries(labels).every(([key, value]) => row.labels[key] === value)) sum += row.value
  return sum
}
