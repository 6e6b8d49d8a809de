/**
 * Numbers of one process. To count is to find a number in a map and to add one: texts are made only when somebody
 * reads. Values of labels may come from outside, so each metric keeps a limited number of rows; what comes after goes
 * to a row named `other`.
 */
import { type MetricName, metricNames, metrics } from '../../mail/metrics.ts'

/** Rows of all processes travel in this form. */
export interface MetricValues {
  readonly name: MetricName
  readonly rows: readonly (readonly [labels: readonly string[], value: number])[]
}

const mostRows = 300
const longestLabel = 120

const none: Branch = new Map()

type Branch = Map<string | number, Branch | Cell>
interface Cell {
  readonly labels: readonly string[]
  value: number
}

export class Counters {
  readonly #roots = new Map<MetricName, Branch>()
  readonly #cells = new Map<MetricName, Cell[]>()

  add(name: MetricName, amount: number, ...labels: readonly (string | number)[]): void {
    this.#cell(name, labels).value += amount
  }

  set(name: MetricName, value: number, ...labels: readonly (string | number)[]): void {
    this.#cell(name, labels).value = value
  }

  /** Forgets the rows of a gauge whose values are gone. */
  clear(name: MetricName): void {
    this.#roots.delete(name)
    this.#cells.delete(name)
  }

  values(): MetricValues[] {
    const found: MetricValues[] = []
    for (const name of metricNames) {
      const cells = this.#cells.get(name)
      if (cells !== undefined) found.push({ name, rows: cells.map(({ labels, value }) => [labels, value]) })
    }
    return found
  }

  #cell(name: MetricName, labels: readonly (string | number)[]): Cell {
    let branch: Branch = this.#roots.get(name) ?? none
    const last = labels.length - 1
    for (let i = 0; i < last; i++) {
      const next: Branch | Cell | undefined = branch.get(labels[i] ?? '')
      if (!(next instanceof Map)) return this.#grow(name, labels)
      branch = next
    }
    const cell = branch.get(labels[last] ?? '')
    return cell === undefined || cell instanceof Map ? this.#grow(name, labels) : cell
  }

  #grow(name: MetricName, wanted: readonly (string | number)[]): Cell {
    const cells = this.#cells.get(name) ?? []
    this.#cells.set(name, cells)
    const full = cells.length >= mostRows
    if (full && !wanted.every((label) => label === 'other'))
      return this.#cell(
        name,
        wanted.map(() => 'other'),
      )
    const cell: Cell = { labels: wanted.map((label) => String(label).slice(0, longestLabel)), value: 0 }
    cells.push(cell)
    let branch = this.#roots.get(name)
    if (branch === undefined) this.#roots.set(name, (branch = new Map()))
    for (const label of wanted.slice(0, -1)) {
      const next = branch.get(label)
      const below: Branch = next instanceof Map ? next : new Map()
      branch.set(label, below)
      branch = below
    }
    branch.set(wanted.at(-1) ?? '', cell)
    return cell
  }
}

/** Sums of several processes; of those rows that are told of each by itself none. */
export function sum(processes: readonly (readonly MetricValues[])[]): MetricValues[] {
  return merged(processes.map((values) => values.filter(({ name }) => metrics[name].perWorker !== true)))
}

/** One set of rows of several. */
export function merged(parts: readonly (readonly MetricValues[])[]): MetricValues[] {
  const total = new Counters()
  for (const values of parts)
    for (const { name, rows } of values) for (const [labels, value] of rows) total.add(name, value, ...labels)
  return total.values()
}

/** Only counters: what is left of a process that has ended. */
export function countersOf(values: readonly MetricValues[]): MetricValues[] {
  return values.filter(({ name }) => metrics[name].type === 'counter')
}

/** What another process sent is looked at before it is believed. */
export function isMetricValues(raw: unknown): raw is readonly MetricValues[] {
  return (
    Array.isArray(raw) &&
    raw.length <= metricNames.length &&
    raw.every(
      (each: unknown) =>
        typeof each === 'object' &&
        each !== null &&
        'name' in each &&
        typeof each.name === 'string' &&
        Object.hasOwn(metrics, each.name) &&
        'rows' in each &&
        Array.isArray(each.rows) &&
        each.rows.length <= mostRows + 1 &&
        each.rows.every(isRow),
    )
  )
}

function isRow(raw: unknown): boolean {
  if (!Array.isArray(raw) || raw.length !== 2 || typeof raw[1] !== 'number') return false
  const labels: unknown = raw[0]
  return (
    Array.isArray(labels) &&
    labels.length <= 4 &&
    labels.every((label) => typeof label === 'string' && label.length <= longestLabel)
  )
}
