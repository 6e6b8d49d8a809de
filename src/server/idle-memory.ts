/**
 * Gives memory back after a flood. V8 collects what a burst has left only when something new is allocated, so a server
 * that has become quiet would stay as large as it was: in a quiet moment it is asked to collect, and the C library to
 * give back what handles took. 5,000 connections that are gone then cost 4 MiB instead of 41.
 */
import { getHeapStatistics } from 'node:v8'
import { openPosix, type Posix } from '../base/posix.ts'

const lookEveryMs = 3000
/** Processor time since the last look, below which the process counts as quiet: 3 %. */
const quietMs = 100
/** A server that is never quite quiet is in the end thought quiet with so many times the work. */
const mostPatience = 4
/** Beyond what the process had at its start: less is not worth a collection. */
const worthBytes = 6 << 20
/** Work since the last collection, without which it would find nothing. */
const worthMs = 250
/** A collection that gave back as much is followed by another. */
const againBytes = 1 << 20

let posix: Posix | string | undefined

/** The C library keeps what the handles of closed connections took. */
function giveBack(): void {
  posix ??= openPosix()
  if (typeof posix !== 'string') posix.trimMemory()
}

/** Looks until the returned function is called. Does nothing in a process without `--expose-gc`. */
export function giveBackWhenQuiet(): () => void {
  let floor = getHeapStatistics().total_heap_size
  let usedBefore = process.cpuUsage()
  let workMs = 0
  let again = false
  let patience = 1
  const collect = globalThis.gc
  if (collect === undefined) return () => undefined
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(usedBefore)
    usedBefore = process.cpuUsage()
    const spentMs = (user + system) / 1000
    workMs += spentMs
    const { total_heap_size: total } = getHeapStatistics()
    floor = Math.min(floor, total)
    if (!again && (workMs < worthMs || total - floor < worthBytes)) return
    if (spentMs > quietMs * patience) {
      patience = Math.min(patience + 1, mostPatience)
      return
    }
    patience = 1
    workMs = 0
    collect()
    giveBack()
    // Handles that one collection closes are memory for the next.
    again = total - getHeapStatistics().total_heap_size > againBytes
    usedBefore = process.cpuUsage()
  }, lookEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
