/** `metrics_listen`: counts what this process does and tells it, with what its fellow workers count, as `/metrics`. */
import { plainAddress } from '../../base/ip.ts'
import { metricNames, metrics } from '../../mail/metrics.ts'
import type { Bind } from '../../wire/listener.ts'
import type { Channel } from '../privileged/messages.ts'
import type { Server } from '../server.ts'
import { takeCounts } from './beside.ts'
import { Counters, merged, type MetricValues, sum } from './counters.ts'
import { exposition, type Told } from './exposition.ts'
import { isLoopback, listenPlace } from './place.ts'
import { LoopWatch, QueueCount, tellLookups, tellProcess } from './gauges.ts'
import { serveMetrics } from './http.ts'
import { type AllMetrics, askParent } from './keeper.ts'

export interface MetricsOptions {
  /** The configuration in force. */
  server(): Server
  readonly counters: Counters
  sessions(): number
  /** To the parent of several workers. */
  readonly channel: Channel | undefined
  readonly bind: Bind | undefined
}

export interface Metrics {
  /** Others answer from now on; what this process goes on to count still goes into the sums. */
  retire(): void
  close(): Promise<void>
}

/** What processes beside the daemon left is taken so often, or when somebody asks. */
const takeEveryMs = 15_000

export async function startMetrics(options: MetricsOptions): Promise<Metrics> {
  const { counters } = options
  const beside = (options.server().store.beside ??= new Counters())
  const loop = new LoopWatch()
  const queue = new QueueCount()

  /** Of this process; the queue belongs to none. */
  const own = async (): Promise<readonly MetricValues[]> => {
    counters.set('sessions', options.sessions())
    loop.tell(counters)
    tellProcess(counters)
    tellLookups(counters, options.server().lookupCounts())
    const values = counters.values().filter(({ name }) => !name.startsWith('queue_'))
    return merged([values, beside.values()])
  }
  const takeOthers = (): void => {
    try {
      takeCounts(options.server().facts.spoolDirectory, beside)
    } catch (error) {
      options
        .server()
        .log.main(undefined, `metrics: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  const taking = setInterval(takeOthers, takeEveryMs)
  taking.unref()
  const ofQueue = async (): Promise<readonly MetricValues[]> => {
    const server = options.server()
    await queue.tell(counters, await server.spool('write'), server.ports.now())
    return counters.values().filter(({ name }) => name.startsWith('queue_'))
  }
  const all: AllMetrics =
    options.channel === undefined
      ? {
          ask: async () => [{ worker: '0', values: await own() }],
          leave: async () => undefined,
          close: () => undefined,
        }
      : askParent(options.channel, own)

  const page = async (path: string): Promise<string | undefined> => {
    if (path !== '/metrics' && path !== '/metrics/workers') return undefined
    takeOthers()
    const told = await all.ask()
    const workers = told.filter(({ worker }) => worker !== undefined)
    if (path === '/metrics/workers') return exposition(workers)
    const total: Told = {
      worker: undefined,
      values: [...sum(told.map(({ values }) => values)), ...(await ofQueue())],
    }
    return exposition([total, ...workers.map(apart)])
  }

  const { settings, log, ports } = options.server()
  const at = listenPlace(settings.metrics_listen ?? '')
  const served =
    'wrong' in at
      ? at
      : await serveMetrics({
          ...at,
          bind: options.bind,
          page,
          async allowed(peer) {
            const address = plainAddress(peer)
            if (address === undefined) return false
            const server = options.server()
            const list = server.settings.metrics_hosts
            if (list === undefined) return isLoopback(address)
            return (await ports.matchList('host', list, { address }, server.context())).is === 'match'
          },
          onError: (problem) => log.main(undefined, `metrics: ${problem}`),
        })
  // Mail goes on without.
  if ('wrong' in served)
    log.panic(undefined, `metrics_listen = ${settings.metrics_listen ?? ''}: ${served.wrong}`)
  let listening = 'close' in served
  const retire = (): void => {
    clearInterval(taking)
    if (listening && 'close' in served) served.close()
    listening = false
  }
  return {
    retire,
    async close() {
      retire()
      await all.leave()
      all.close()
      loop.close()
    },
  }
}

/** Only what is told of each process by itself. */
function apart({ worker, values }: Told): Told {
  return { worker, values: values.filter(({ name }) => ownNames.has(name)) }
}

const ownNames: ReadonlySet<string> = new Set(metricNames.filter((name) => metrics[name].perWorker === true))
