/** The list of public suffixes in force: the administrator's file, read anew when it changes, or the embedded one. */
import { constants } from 'node:os'
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { parseSuffixes, type SuffixList } from '../../../mail/public-suffix.ts'
import type { Context, ServerFacts } from '../../../ports.ts'

export type Mode =
  | { readonly is: 'rfc9989' }
  | { readonly is: 'rfc7489'; readonly suffixes: SuffixList }
  /** `dmarc_tld_file` is set and empty. */
  | { readonly is: 'off' }
  | { readonly is: 'failure'; readonly message: string }

const LARGEST_FILE = 32 * 1024 * 1024
const OLD_MS = 365 * 86_400_000

interface Kept {
  readonly stamp: string
  readonly list: SuffixList
}
/** What was read for one configuration in force. */
const kept = new WeakMap<ServerFacts, Kept>()
let embedded: Promise<SuffixList> | undefined

/** Which standard counts for this message, by `dmarc_mode` and `dmarc_tld_file`: requirement D15. */
export async function modeOf(context: Context): Promise<Mode> {
  const { dmarc_mode, dmarc_tld_file } = context.settings
  let path: string | undefined
  if (dmarc_tld_file !== undefined) {
    const value = await context.ports.expand(dmarc_tld_file, context)
    if (!isFailure(value)) path = textOf(value)
    else if (value.kind !== 'forced') {
      return { is: 'failure', message: `failed to expand dmarc_tld_file: ${value.message}` }
    }
    if (path === '') return { is: 'off' }
  }
  const old = dmarc_mode === 'rfc7489' || (dmarc_mode === 'auto' && path !== undefined)
  if (!old) return { is: 'rfc9989' }
  if (path === undefined) return { is: 'rfc7489', suffixes: await embeddedList() }
  return fromFile(path, context)
}

/** The list that came with the program. */
export function embeddedList(): Promise<SuffixList> {
  embedded ??= import('../../../mail/public-suffix-list.ts').then(({ suffixRules }) =>
    parseSuffixes(suffixRules),
  )
  return embedded
}

function fromFile(path: string, { ports, server }: Context): Mode {
  const stat = ports.files.stat(path)
  if ('error' in stat) return unreadable(path, stat)
  const stamp = `${path} ${stat.device} ${stat.inode} ${stat.size} ${stat.modifiedAt}`
  const known = kept.get(server)
  if (known?.stamp === stamp) return { is: 'rfc7489', suffixes: known.list }
  const read = ports.files.read(path, LARGEST_FILE)
  if ('error' in read) return unreadable(path, read)
  const list = parseSuffixes(read.bytes)
  kept.set(server, { stamp, list })
  if (ports.now() - stat.modifiedAt > OLD_MS) {
    const day = new Date(stat.modifiedAt).toISOString().slice(0, 10)
    ports.log.main(undefined, `DMARC: dmarc_tld_file ${path} is of ${day}: more than a year old`, {
      event: 'dmarc:old-list',
    })
  }
  return { is: 'rfc7489', suffixes: list }
}

function unreadable(path: string, trouble: { readonly code: string; readonly error: string }): Mode {
  const numbers: Readonly<Record<string, number>> = constants.errno
  const number = numbers[trouble.code] ?? 0
  return {
    is: 'failure',
    message: `DMARC failure to load tld list ${path}: ${number} (${trouble.error})`,
  }
}
