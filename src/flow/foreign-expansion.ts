/**
 * Expansions that a user wrote (filters, files of automatic answers), as long as this process is not that user.
 * Exim runs them in a process of the user's; here they run in ours, so that whatever would read files or start
 * commands with our rights is refused. See docs/decisions/filters.md.
 */
import type { Context, Ports } from '../ports.ts'

/** Items, operators and conditions that act with the rights of the process. */
const withOurRights = ['dlfunc', 'exists', 'perl', 'readfile', 'readsocket', 'run', 'stat']

/** Lookups that open a file by name. */
const fileLookups = new Set([
  'cdb',
  'dbm',
  'dbmjz',
  'dbmnz',
  'dsearch',
  'iplsearch',
  'json',
  'lmdb',
  'lsearch',
  'nwildlsearch',
  'spf',
  'sqlite',
  'wildlsearch',
])

/** Undefined uid: the run-time user's, which is ours. */
export function isForeign(uid: number | undefined): boolean {
  return uid !== undefined && process.geteuid !== undefined && uid !== process.geteuid()
}

/** The context in which text of a user may be expanded. */
export function contextOfUser(context: Context, uid: number | undefined): Context {
  if (!isForeign(uid)) return context
  const forbidden = new Map<string, string>()
  for (const name of withOurRights) {
    forbidden.set(name, `"${name}" is not permitted in a file of another user`)
  }
  for (const [name, says] of context.forbidden ?? []) forbidden.set(name, says)
  return { ...context, forbidden, ports: portsOfUser(context.ports) }
}

/** Lists go through `lookup` too. */
function portsOfUser(ports: Ports): Ports {
  const lookup: Ports['lookup'] = (request, context) =>
    fileLookups.has(request.type)
      ? { is: 'failure', message: `"${request.type}" lookups are not permitted in a file of another user` }
      : ports.lookup(request, context)
  const restricted: Ports = Object.create(ports, { lookup: { value: lookup } })
  return restricted
}
