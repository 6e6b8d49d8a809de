/**
 * Writes of hints, all those of one turn of the event loop in one transaction. LMDB's own background writer is not
 * used: it cannot be told how much room there is before it writes (`lmdb-room.ts`), and a full disk would stop it for good.
 */
import type { Database, RootDatabase } from 'lmdb'
import { type LmdbRoom, writeTransaction } from '../lmdb-room.ts'

/** A value with the time it was written. */
export type Row = [writtenAt: number, value: unknown]

export type Written = { readonly is: 'written'; readonly row: Row | undefined } | { readonly is: 'refused' }

interface Change {
  readonly database: Database<Row, string>
  readonly key: string
  /** Of the pending row that this writes. */
  readonly place: string | undefined
  /** Undefined removes. */
  readonly make: (old: Row | undefined) => Row | undefined
  readonly done: (written: Written) => void
}

/** Changes in one transaction: it holds up the event loop and the other processes for as long as it takes. */
const batchLimit = 200

export class BatchWriter {
  readonly #root: RootDatabase<unknown, string>
  readonly #room: LmdbRoom
  readonly #complain: (why: string) => void
  /** Rows put and not written yet, by database and key: a process sees its own at once. Undefined: removed. */
  readonly pending = new Map<string, Row | undefined>()
  #changes: Change[] = []
  #scheduled = false
  #trouble = false

  /** @param complain takes the reason when writing fails, once until it succeeds again */
  constructor(root: RootDatabase<unknown, string>, room: LmdbRoom, complain: (why: string) => void) {
    this.#root = root
    this.#room = room
    this.#complain = complain
  }

  /** Puts or removes a row. What cannot be written is lost, as hints may be. */
  write(database: Database<Row, string>, place: string, key: string, row: Row | undefined): void {
    this.pending.set(place, row)
    const done = (): void => {
      if (this.pending.get(place) === row) this.pending.delete(place)
    }
    this.#add({ database, key, place, make: () => row, done })
  }

  /** Makes a row from the one that is there, before any other process can change it. */
  change(
    database: Database<Row, string>,
    key: string,
    make: (old: Row | undefined) => Row | undefined,
  ): Promise<Written> {
    return new Promise((resolve) => {
      this.#add({ database, key, place: undefined, make, done: resolve })
    })
  }

  /** Writes what waits, where some of it is for this database: others may go on gathering theirs. */
  flushFor(database: Database<Row, string>): void {
    if (this.#changes.some((change) => change.database === database)) this.flush()
  }

  /** Writes all that waits. */
  flush(): void {
    while (this.#changes.length > 0) this.#writeBatch()
  }

  #add(change: Change): void {
    this.#changes.push(change)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    this.#writeBatch()
    if (this.#changes.length === 0) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #writeBatch(): void {
    const batch = this.#changes.splice(0, batchLimit)
    if (batch.length === 0) return
    try {
      const rows = writeTransaction(this.#root, this.#room, () => batch.map((change) => this.#apply(change)))
      this.#trouble = false
      for (const [i, change] of batch.entries()) change.done(rows[i] ?? { is: 'refused' })
    } catch (error) {
      if (!this.#trouble) this.#complain(error instanceof Error ? error.message : String(error))
      this.#trouble = true
      for (const change of batch) change.done({ is: 'refused' })
    }
  }

  #apply({ database, key, make }: Change): Written {
    let row: Row | undefined
    try {
      row = make(database.get(key))
    } catch {
      // The caller's own mistake is no matter of the others: it meets it again outside the transaction.
      return { is: 'refused' }
    }
    this.#room.add(row === undefined ? key.length : key.length + roughSize(row[1], 0))
    if (row === undefined) database.removeSync(key)
    else database.putSync(key, row)
    return { is: 'written', row }
  }
}

/** At least the bytes of a value as it is stored. */
function roughSize(value: unknown, depth: number): number {
  if (typeof value === 'string') return 8 + 2 * value.length
  if (typeof value !== 'object' || value === null || depth > 20) return 16
  if (value instanceof Uint8Array) return 16 + value.length
  let bytes = 16
  for (const [name, part] of Object.entries(value)) bytes += 8 + 2 * name.length + roughSize(part, depth + 1)
  return bytes
}
