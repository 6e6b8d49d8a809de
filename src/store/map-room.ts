/**
 * Address space for LMDB. It asks for all that a file may ever come to, and ends the process when it does not get it: where the
 * process is limited (`ulimit -v`, LimitAS of systemd) it is to ask for less. A door: it reads /proc.
 */
import { readFileSync, statSync } from 'node:fs'
import { SpoolError } from './spool/api.ts'

const pageBytes = 4096
const mebibyte = 2 ** 20
/** Two environments at most are open in a process; what it may take beside them grows. */
const share = 1 / 4
/** What must be left to write into. */
const leastSpare = 16 * mebibyte

/**
 * How many bytes an environment may be mapped with.
 * @param file its data; it may not be there yet
 * @param wanted where there is no limit
 * @throws SpoolError when the limit leaves too little
 */
export function mapBytesFor(file: string, wanted: number): number {
  const limit = addressLimit()
  if (limit === undefined) return wanted
  const room = Math.floor(((limit - addressesTaken()) * share) / mebibyte) * mebibyte
  const needed = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) + leastSpare
  if (room < needed) {
    const [allowed, missing] = [limit, (needed - room) / share].map((bytes) => Math.ceil(bytes / mebibyte))
    throw new SpoolError(
      'io',
      `${file} needs ${missing} MiB more of address space than the ${allowed} MiB that this process is allowed (ulimit -v, LimitAS)`,
    )
  }
  return Math.min(wanted, room)
}

/** Bytes; undefined: there is none, or nobody knows. */
function addressLimit(): number | undefined {
  const found = /^Max address space\s+(\d+)/m.exec(readProc('limits'))
  return found === null ? undefined : Number(found[1])
}

function addressesTaken(): number {
  return Number(readProc('statm').split(' ')[0]) * pageBytes
}

function readProc(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8')
  } catch {
    return ''
  }
}
