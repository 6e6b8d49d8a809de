/** `postern top`: flow, queue, slow hosts, senders and refusals, live at a terminal. */
import { parseInterval } from '../../../base/interval.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { logTime } from '../../../mail/log-time.ts'
import type { Server } from '../../../server/server.ts'
import { listenPlace } from '../../../server/metrics/place.ts'
import { type QueueState, queueStates, stateOf } from '../../../store/spool/queue-state.ts'
import { exchangeHttp } from '../../../wire/http-exchange.ts'
import { findLogFiles, tailOf } from '../../watch/log-files.ts'
import { type MetricLines, readMetrics } from '../../watch/read-metrics.ts'
import { type Recent, recent } from '../../watch/recent.ts'
import { screen, type Seen } from '../../watch/screen.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export const usage = `usage: postern top [--once] [--every TIME] [--window TIME] [-C FILE]
  --once     one picture and the end, as without a terminal
  --every    between two pictures; 2s
  --window   the time that senders, hosts and refusals are counted over; 10m
`

const mostLogBytes = 8 << 20
const smallest = { columns: 80, rows: 24 }
const clear = '\x1b[H\x1b[J'
const other = { enter: '\x1b[?1049h\x1b[?25l', leave: '\x1b[?25h\x1b[?1049l' }

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if ('wrong' in options) {
    terminal.err(encodeUtf8(`postern top: ${options.wrong}\n${usage}`))
    return 2
  }
  return withServer({ config: options.config, asks: ['-bp'] }, 'postern top', terminal, async (server) => {
    if (options.once || process.stdout.isTTY !== true) {
      const seen = await look(server, options.windowSeconds, undefined)
      terminal.out(`${screen(seen.seen, 200, 60).join('\n')}\n`)
      return 0
    }
    await live(server, options, terminal)
    return 0
  })
}

/** Until q, Control-C or the end of the terminal. */
async function live(server: Server, options: Options, terminal: Terminal): Promise<void> {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  const input = process.stdin
  const typed = (bytes: Buffer): void => {
    if (/[qQ\x03\x04]/.test(bytes.toString('latin1'))) end()
  }
  process.once('SIGINT', end).once('SIGTERM', end).once('SIGHUP', end)
  if (input.isTTY) input.setRawMode(true)
  input.on('data', typed)
  terminal.out(other.enter)
  try {
    let before: { readonly at: number; readonly lines: MetricLines } | undefined
    while (!ended.signal.aborted) {
      const { seen, metrics } = await look(server, options.windowSeconds, before)
      before = metrics
      // A terminal that does not know its size says 0.
      const columns = Math.max(process.stdout.columns, smallest.columns)
      const rows = Math.max(process.stdout.rows, smallest.rows)
      terminal.out(
        `${clear}${screen(seen, columns, rows)
          .slice(0, rows - 1)
          .join('\r\n')}`,
      )
      await pause(options.everySeconds * 1000, ended.signal)
    }
  } finally {
    terminal.out(other.leave)
    input.off('data', typed)
    if (input.isTTY) input.setRawMode(false)
    input.pause()
  }
}

async function look(
  server: Server,
  windowSeconds: number,
  before: { readonly at: number; readonly lines: MetricLines } | undefined,
): Promise<{ readonly seen: Seen; readonly metrics: typeof before }> {
  const now = server.ports.now()
  const text = await metricsText(server)
  const metrics = text === undefined ? undefined : { at: now, lines: readMetrics(text) }
  const seen: Seen = {
    time: new Date(now).toISOString().slice(0, 19).replace('T', ' '),
    host: server.facts.primaryHostname,
    queue: await queueOf(server, now),
    recent: recentOf(server, now, windowSeconds),
    metrics:
      metrics === undefined
        ? undefined
        : {
            now: metrics.lines,
            before: before?.lines ?? metrics.lines,
            seconds: before === undefined ? 0 : (now - before.at) / 1000,
          },
  }
  return { seen, metrics }
}

async function metricsText(server: Server): Promise<string | undefined> {
  const { metrics_listen } = server.settings
  const place = listenPlace(metrics_listen ?? '')
  if (metrics_listen === undefined || 'wrong' in place) return undefined
  const host = place.address.includes(':') ? `[${place.address}]` : place.address
  const answer = await exchangeHttp({
    url: `http://${host}:${place.port}/metrics`,
    method: 'GET',
    timeoutMs: 3000,
    mostBytes: 4 << 20,
    addresses: async () => [],
  })
  return answer.is === 'answer' && answer.status === 200 ? answer.body.toString('utf8') : undefined
}

async function queueOf(server: Server, now: number): Promise<Seen['queue']> {
  const spool = await server.spool('read')
  const queue = new Map<QueueState, { messages: number; oldestSeconds: number }>(
    queueStates.map((state) => [state, { messages: 0, oldestSeconds: 0 }]),
  )
  let looked = 0
  for (const entry of spool.list({ order: 'none' })) {
    // Keys are heard between two slices.
    if (++looked % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    const found = queue.get(stateOf(entry))
    if (found === undefined) continue
    found.messages++
    found.oldestSeconds = Math.max(found.oldestSeconds, (now - entry.receivedAt) / 1000)
  }
  return queue
}

function recentOf(server: Server, now: number, seconds: number): Recent {
  const { log_timezone, timezone, log_format_json } = server.settings
  const zone = { timezone: /^utc$/i.test(timezone ?? '') ? 'UTC' : undefined, log_timezone }
  const since = logTime(now - seconds * 1000, zone, false).slice(0, '2026-11-24 02:40:06'.length)
  const files = findLogFiles(server.logPaths, log_format_json)
  // The one written now and, just after a rotation, the one before.
  const newest = (kind: 'main' | 'json'): string[] =>
    files
      .filter((file) => file.kind === kind && !file.path.endsWith('.gz'))
      .slice(-2)
      .flatMap(({ path }) => tailOf(path, mostLogBytes))
  return recent(newest('main'), log_format_json === undefined ? undefined : newest('json'), since, seconds)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}

interface Options {
  readonly once: boolean
  readonly everySeconds: number
  readonly windowSeconds: number
  readonly config: string | undefined
}

function readOptions(words: readonly string[]): Options | { readonly wrong: string } {
  const read = readWords({
    args: [...words],
    options: {
      config: { type: 'string', short: 'C' },
      once: { type: 'boolean', default: false },
      every: { type: 'string', default: '2s' },
      window: { type: 'string', default: '10m' },
    },
  })
  if ('wrong' in read) return read
  const { values } = read
  const everySeconds = parseInterval(values.every)
  const windowSeconds = parseInterval(values.window)
  if (everySeconds === undefined || everySeconds === 0)
    return { wrong: `--every ${values.every}: a time such as 2s` }
  if (windowSeconds === undefined || windowSeconds === 0)
    return { wrong: `--window ${values.window}: a time such as 10m` }
  return { once: values.once, everySeconds, windowSeconds, config: values.config }
}
