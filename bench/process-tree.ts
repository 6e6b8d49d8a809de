/** A started server and the processes below it: what they hold. */
import { readdirSync, readFileSync } from 'node:fs'
import type { StartedServer } from '../test/support/server.ts'

/** The server and all below it. */
export function processes(server: Pick<StartedServer, 'process'>): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = /\) \S (\d+)/.exec(read(`/proc/${name}/stat`))?.[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const found = [server.process.pid ?? 0]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

export function memoryKiB(server: Pick<StartedServer, 'process'>): number {
  return processes(server).reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0),
    0,
  )
}

export function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
