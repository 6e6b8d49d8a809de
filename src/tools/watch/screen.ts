/** The picture of `postern top`: figures in, lines of text out. */
import type { ByteString } from '../../base/text.ts'
import type { QueueState } from '../../store/spool/queue-state.ts'
import { type MetricLines, total } from './read-metrics.ts'
import type { Ranked, Recent } from './recent.ts'

export interface Seen {
  readonly time: string
  readonly host: string
  readonly queue: ReadonlyMap<QueueState, { readonly messages: number; readonly oldestSeconds: number }>
  readonly recent: Recent
  /** `/metrics` now and at the picture before, and the seconds between; undefined: there is none. */
  readonly metrics?:
    | { readonly now: MetricLines; readonly before: MetricLines; readonly seconds: number }
    | undefined
}

export function screen(seen: Seen, width: number, height: number): string[] {
  const { recent, metrics } = seen
  const lines = [`postern top  ${seen.host}  ${seen.time}`, '']
  lines.push(flowLine(recent))
  if (metrics !== undefined) lines.push(...nowLines(metrics))
  lines.push('', queueLine(seen.queue), '')
  // What is left of the screen is shared by the lists.
  const rows = Math.max(3, Math.floor((height - lines.length - 9) / 3))
  const minutes = span(recent.seconds)
  lines.push(`hosts that defer, last ${minutes}`, ...list(recent.hosts, rows))
  lines.push('', `senders, last ${minutes}`, ...list(recent.senders, rows))
  const sinceStart = metrics !== undefined && !recent.placed
  lines.push('', `refusals${sinceStart ? ' since the start' : `, last ${minutes}`}, by what decided`)
  lines.push(...list(sinceStart ? refusalsOf(metrics.now, recent.refusals) : recent.refusals, rows))
  return lines.map((line) => clean(line).slice(0, width))
}

function flowLine({ seconds, received, delivered, deferred, failed, refused }: Recent): string {
  return `last ${span(seconds)}: ${received} in, ${delivered} out, ${deferred} deferred, ${failed} failed, ${refused} refused`
}

function nowLines({ now, before, seconds }: NonNullable<Seen['metrics']>): string[] {
  const rate = (name: Parameters<typeof total>[1], labels = {}): string => {
    const change = total(now, name, labels) - total(before, name, labels)
    return seconds > 0 ? (Math.max(0, change) / seconds).toFixed(1) : '-'
  }
  const late = (now.get('event_loop_delay_seconds') ?? [])
    .filter(({ labels }) => labels['percentile'] === '99')
    .map(({ value }) => `${(value * 1000).toFixed(0)} ms`)
  const memory = (now.get('memory_bytes') ?? [])
    .filter(({ labels }) => labels['kind'] === 'resident')
    .map(({ value }) => `${Math.round(value / 1_048_576)} MB`)
  return [
    `now, a second: ${rate('messages_received_total')} in, ${rate('deliveries_total', { result: 'delivered' })} out, ${rate('connections_total')} connections, ${rate('commands_total')} commands, ${rate('rejections_total')} refused`,
    `open connections: ${total(now, 'sessions')}   workers: event loop ${late.join(' ')} late, memory ${memory.join(' ')}`,
  ]
}

function queueLine(queue: Seen['queue']): string {
  const parts = [...queue].map(
    ([state, { messages, oldestSeconds }]) =>
      `${state} ${messages}${messages === 0 ? '' : ` (oldest ${span(oldestSeconds)})`}`,
  )
  const all = [...queue.values()].reduce((sum, { messages }) => sum + messages, 0)
  return `queue ${all}: ${parts.join(', ')}`
}

/** Without the metrics' file and line the reasons of the log must do. */
function refusalsOf(metrics: MetricLines, otherwise: readonly Ranked[]): readonly Ranked[] {
  const rows = metrics.get('rejections_total')
  if (rows === undefined) return otherwise
  return rows
    .map(({ labels, value }) => ({
      name:
        labels['file'] === ''
          ? `no ACL ${labels['verdict'] ?? ''}`
          : `${labels['acl']} ${labels['file']}:${labels['line']} ${labels['verdict']}`,
      count: value,
    }))
    .sort((a, b) => b.count - a.count)
}

function list(ranked: readonly Ranked[], rows: number): string[] {
  if (ranked.length === 0) return ['       none']
  return ranked.slice(0, rows).map(({ name, count }) => `${String(count).padStart(7)}  ${name}`)
}

function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)}s`
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`
  return `${Math.round(seconds / 86_400)}d`
}

/** What strangers sent must not steer a terminal. */
function clean(text: ByteString): ByteString {
  return text.replace(/[^\x20-\x7e]/g, '?')
}
