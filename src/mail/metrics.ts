/**
 * What `/metrics` tells, one row each: name without the `postern_` before it, kind, labels, meaning. Who does something
 * that is counted names a row; the exposition, the guide and the tests of the dashboard read the same rows.
 */

export interface MetricRow {
  readonly type: 'counter' | 'gauge'
  readonly labels: readonly string[]
  readonly doc: string
  /** Told of each worker by itself, since a sum would say nothing. */
  readonly perWorker?: true
}

const rows = {
  acl_results_total: {
    type: 'counter',
    labels: ['acl', 'verdict'],
    doc: 'Runs of ACLs, by the point of the session and what came of them.',
  },
  commands_total: { type: 'counter', labels: ['command'], doc: 'SMTP commands that clients gave.' },
  connections_total: { type: 'counter', labels: ['result'], doc: 'Connections of clients.' },
  cpu_seconds_total: {
    type: 'counter',
    labels: ['mode'],
    doc: 'Processor time that was used.',
  },
  deliveries_total: {
    type: 'counter',
    labels: ['transport', 'result'],
    doc: 'Attempts at recipients; no transport: routing decided.',
  },
  dkim_results_total: { type: 'counter', labels: ['result'], doc: 'DKIM signatures that were verified.' },
  dmarc_results_total: { type: 'counter', labels: ['result'], doc: 'Messages checked under DMARC.' },
  dns_queries_total: {
    type: 'counter',
    labels: ['type', 'result'],
    doc: 'Questions to the DNS, the cache included.',
  },
  dns_seconds_total: { type: 'counter', labels: ['type'], doc: 'Time waited for the DNS.' },
  event_loop_delay_seconds: {
    type: 'gauge',
    labels: ['percentile'],
    doc: 'How late the event loop was in the last 15 seconds.',
    perWorker: true,
  },
  events_total: {
    type: 'counter',
    labels: ['event'],
    doc: "Exim's events, whether an action listens or not.",
  },
  host_deferrals_total: {
    type: 'counter',
    labels: ['host', 'reason'],
    doc: 'Hosts that could not be used for now; beyond 300 hosts: other.',
  },
  lookup_seconds_total: { type: 'counter', labels: ['type'], doc: 'Time waited for lookups.' },
  lookups_total: { type: 'counter', labels: ['type', 'result'], doc: 'Lookups, by what came of them.' },
  lookups_refused_total: {
    type: 'counter',
    labels: ['type'],
    doc: 'Lookups that were not made since their server had failed several times in a row.',
  },
  lookups_waiting: { type: 'gauge', labels: ['type'], doc: 'Lookups under way.' },
  memory_bytes: { type: 'gauge', labels: ['kind'], doc: 'Memory of each process.', perWorker: true },
  messages_received_bytes_total: { type: 'counter', labels: [], doc: 'Size of the messages received.' },
  messages_received_total: { type: 'counter', labels: ['protocol'], doc: 'Messages received.' },
  panics_total: { type: 'counter', labels: [], doc: 'Lines of the panic log.' },
  queue_messages: {
    type: 'gauge',
    labels: ['state', 'age'],
    doc: 'Messages of the queue, by state and by the age they have reached at most.',
  },
  queue_oldest_seconds: { type: 'gauge', labels: ['state'], doc: 'Age of the oldest message of a state.' },
  rejections_total: {
    type: 'counter',
    labels: ['acl', 'file', 'line', 'verdict'],
    doc: 'Refusals, by the ACL statement that decided; no file: not an ACL.',
  },
  sessions: { type: 'gauge', labels: [], doc: 'Connections that are open.' },
  spf_results_total: { type: 'counter', labels: ['result'], doc: 'SPF checks.' },
  start_time_seconds: {
    type: 'gauge',
    labels: [],
    doc: 'When the process started, seconds since 1970.',
    perWorker: true,
  },
  tls_failures_total: { type: 'counter', labels: ['direction'], doc: 'Handshakes that failed.' },
  tls_sessions_total: { type: 'counter', labels: ['direction', 'version'], doc: 'Connections under TLS.' },
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof rows
export const metrics: Readonly<Record<MetricName, MetricRow>> = rows
export const metricNames: readonly MetricName[] = Object.keys(rows) as MetricName[]
