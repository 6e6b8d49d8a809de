/** The queue of one configuration: what delivers its messages is asked for when the first of them is to be delivered. */
import { loadavg } from 'node:os'
import { frozenFate } from '../flow/delivery/frozen.ts'
import type { Spool } from '../store/spool/api.ts'
import { type DeliverMessage, DeliveryQueue } from './queue.ts'
import type { Server } from './server.ts'

/** Deliveries of accepted messages at once, and messages of one queue run at once. */
const parallelDeliveries = 60
const parallelInRun = 20

/** @param delivering what delivers; a queue run with nothing to do is over without it */
export function openQueue(
  server: Server,
  spool: Spool,
  delivering: () => Promise<DeliverMessage>,
): DeliveryQueue {
  const { settings, ports, log } = server
  const { debug } = server.context()
  let deliver: DeliverMessage | undefined
  const prepared = async (): Promise<DeliverMessage> => (deliver = await delivering())
  return new DeliveryQueue({
    spool,
    log,
    deliver: (claim, order) =>
      deliver === undefined ? prepared().then((ready) => ready(claim, order)) : deliver(claim, order),
    now: () => ports.now(),
    pid: process.pid,
    parallel: parallelDeliveries,
    parallelInRun: settings.queue_run_in_order ? 1 : parallelInRun,
    inOrder: settings.queue_run_in_order,
    staysFrozen: (row) => frozenFate(row, settings, ports.now()) === 'stays',
    debug: debug === undefined ? undefined : (line) => debug('queue_run', line),
    mostLoad: settings.deliver_queue_load_max,
    load: () => loadavg()[0] ?? 0,
    onFault: (id, error) => server.fault(`delivery of ${id}`, error),
  })
}
