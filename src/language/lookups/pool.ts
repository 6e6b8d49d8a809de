/** A bounded number of connections to one database server, lent for one query at a time. */

export interface PoolLimits {
  /** Most connections. */
  readonly most: number
  /** Most queries that wait for a connection. */
  readonly mostWaiting: number
  /** A connection that nobody used for so long is closed. */
  readonly idleMs: number
}

export const usualPool: PoolLimits = { most: 10, mostWaiting: 1_000, idleMs: 60_000 }

export interface PoolDoor<C> {
  open(): Promise<C>
  close(connection: C): void
  /** Whether an idle connection may be lent again. */
  usable(connection: C): boolean
  /** Idle connections do not keep the process alive. */
  hold(connection: C, busy: boolean): void
}

export interface Pool<C> {
  /** Runs `use` with a connection; one that `use` did not bring to an end in order is closed. */
  with<T>(use: (connection: C) => Promise<T>, waitMs: number): Promise<T>
  close(): void
}

/** Thrown when no connection came free: the client library's errors and this one are caught in the same place. */
export class PoolFull extends Error {}

interface Idle<C> {
  readonly connection: C
  readonly timer: NodeJS.Timeout
}

export function createPool<C>(door: PoolDoor<C>, limits: PoolLimits = usualPool): Pool<C> {
  const idle: Idle<C>[] = []
  const waiting: (() => void)[] = []
  let lent = 0
  let closed = false

  function giveBack(connection: C, good: boolean): void {
    lent--
    if (!good || closed || !door.usable(connection)) door.close(connection)
    else {
      const timer = setTimeout(() => {
        idle.splice(
          idle.findIndex((each) => each.timer === timer),
          1,
        )
        door.close(connection)
      }, limits.idleMs)
      timer.unref()
      door.hold(connection, false)
      idle.push({ connection, timer })
    }
    waiting.shift()?.()
  }

  function takeIdle(): C | undefined {
    for (;;) {
      const last = idle.pop()
      if (last === undefined) return undefined
      clearTimeout(last.timer)
      if (door.usable(last.connection)) {
        door.hold(last.connection, true)
        return last.connection
      }
      door.close(last.connection)
    }
  }

  async function turn(waitMs: number): Promise<void> {
    if (lent < limits.most) {
      lent++
      return
    }
    if (waiting.length >= limits.mostWaiting) throw new PoolFull('too many queries wait for a connection')
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer)
        lent++
        resolve()
      }
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(go), 1)
        reject(new PoolFull('all connections were busy for too long'))
      }, waitMs)
      waiting.push(go)
    })
  }

  return {
    async with(use, waitMs) {
      await turn(waitMs)
      let connection: C
      try {
        connection = takeIdle() ?? (await door.open())
      } catch (error) {
        lent--
        waiting.shift()?.()
        throw error
      }
      let good = false
      try {
        const result = await use(connection)
        good = true
        return result
      } finally {
        giveBack(connection, good)
      }
    },
    close() {
      closed = true
      for (const { connection, timer } of idle.splice(0)) {
        clearTimeout(timer)
        door.close(connection)
      }
    },
  }
}
