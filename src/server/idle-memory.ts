/**
 * Gives memory back after a flood. V8 collects what a burst has left only when something new is allocated, so a server
 * that has become quiet would stay as large as it was: in a quiet moment it is asked to collect.
 */
import { getHeapStatistics } from 'node:v8'

const lookEveryMs = 5000
/** Processor time since the last look, below which the process counts as quiet: 2 %. */
const quietMs = 100
/** Not worth a collection. */
const worthBytes = 6 << 20

/** Looks until the returned function is called. Does nothing in a process without `--expose-gc`. */
export function giveBackWhenQuiet(): () => void {
  let floor = getHeapStatistics().total_heap_size
  let usedBefore = process.cpuUsage()
  const collect = globalThis.gc
  if (collect === undefined) return () => undefined
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(usedBefore)
    usedBefore = process.cpuUsage()
    const { total_heap_size: total } = getHeapStatistics()
    floor = Math.min(floor, total)
    if ((user + system) / 1000 > quietMs || total - floor < worthBytes) return
    collect()
    // What is left is in use, by connections that stay: the next collection is worth it when there is more.
    floor = getHeapStatistics().total_heap_size
    usedBefore = process.cpuUsage()
  }, lookEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
