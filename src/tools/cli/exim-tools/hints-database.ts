/** What the programs for hints databases share: arguments, opening, times. Source: Exim manual, "Hints database maintenance". */
import { existsSync } from 'node:fs'
import type { HintsDatabase } from '../../../ports.ts'
import { openHints, type SharedHints } from '../../../store/hints/index.ts'

export const databaseNames = 'retry | misc | wait-<transport-name> | callout | ratelimit | tls | seen'
const known: readonly string[] = ['retry', 'misc', 'callout', 'ratelimit', 'tls', 'seen']

export interface OpenedDatabase {
  readonly hints: SharedHints
  readonly name: HintsDatabase
  /** Keys of the database begin with it. */
  readonly prefix: string
  readonly path: string
}

/** @param place spool directory and database name, as all three programs take them; a text is what is wrong */
export async function openDatabase(
  place: readonly string[],
): Promise<OpenedDatabase | 'usage' | { readonly wrong: string }> {
  const [spool, name, ...rest] = place
  if (spool === undefined || name === undefined || rest.length > 0) return 'usage'
  const transport = /^wait-(.+)$/.exec(name)?.[1]
  if (transport === undefined && !known.includes(name)) return 'usage'
  const directory = `${spool}/hints`
  if (!existsSync(directory)) {
    return { wrong: `** Failed to open hints database ${directory}: No such file or directory` }
  }
  return {
    hints: await openHints({ directory }),
    // One of the known names, or the database that all transports share.
    name: (transport === undefined ? name : 'wait') as HintsDatabase,
    prefix: transport === undefined ? '' : `${transport} `,
    path: `${spool}/hints/${name}`,
  }
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `29-Nov-2026 07:22:59`. */
export function hintsTime(milliseconds: number, utc: boolean): string {
  const date = new Date(
    utc ? milliseconds : milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000,
  )
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = `${two(date.getUTCDate())}-${months[date.getUTCMonth()]}-${date.getUTCFullYear()}`
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
}
