/** What expansions of a filter must not do: the `forbid_filter_...` options, with Exim's sentences. */
import type { RedirectSettings } from '../routers/redirect.options.ts'

type Forbids = Pick<
  RedirectSettings,
  | 'forbid_filter_dlfunc'
  | 'forbid_filter_existstest'
  | 'forbid_filter_lookup'
  | 'forbid_filter_perl'
  | 'forbid_filter_readfile'
  | 'forbid_filter_readsocket'
  | 'forbid_filter_run'
>

const rows: readonly (readonly [option: keyof Forbids, name: string, says: string])[] = [
  ['forbid_filter_dlfunc', 'dlfunc', 'dynamically-loaded functions are not permitted'],
  ['forbid_filter_existstest', 'exists', 'File existence tests are not permitted'],
  ['forbid_filter_existstest', 'stat', 'Use of the stat() expansion is not permitted'],
  ['forbid_filter_lookup', 'lookup', 'lookup expansions are not permitted'],
  ['forbid_filter_perl', 'perl', 'Perl calls are not permitted'],
  ['forbid_filter_readfile', 'readfile', 'file insertions are not permitted'],
  ['forbid_filter_readsocket', 'readsocket', 'socket insertions are not permitted'],
  ['forbid_filter_run', 'run', 'running a command is not permitted'],
]

export function forbiddenItems(settings: Forbids): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (const [option, name, says] of rows) if (settings[option]) map.set(name, says)
  return map
}
