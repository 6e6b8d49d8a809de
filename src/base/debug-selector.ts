/** What `-d` takes: which categories of debugging text are wanted. Source: Exim manual, "-d<debug options>". */

const categories = [
  'acl',
  'auth',
  'deliver',
  'dns',
  'dnsbl',
  'exec',
  'expand',
  'filter',
  'hints_lookup',
  'host_lookup',
  'ident',
  'interface',
  'lists',
  'load',
  'local_scan',
  'lookup',
  'memory',
  'noutf8',
  'pid',
  'process_info',
  'queue_run',
  'receive',
  'resolver',
  'retry',
  'rewrite',
  'route',
  'timestamp',
  'tls',
  'transport',
  'uid',
  'verify',
] as const

/** What `-d+all` leaves out: it has to be asked for. Source: Exim manual, "-d<debug options>". */
const notInAll: ReadonlySet<string> = new Set(['memory', 'noutf8'])

/** What `-d` alone leaves out. */
const notByDefault: ReadonlySet<string> = new Set([
  'expand',
  'filter',
  'interface',
  'load',
  'local_scan',
  'memory',
  'noutf8',
  'pid',
  'resolver',
  'timestamp',
])

export type DebugSelection =
  | { readonly is: 'selection'; readonly on: ReadonlySet<string> }
  | { readonly is: 'wrong'; readonly message: string }

/**
 * @param text what follows `-d`: empty, or `+name` and `-name` one after the other; `all` is every name
 * @param begin what is on before the first name: what `-d` alone shows, or nothing
 */
export function readDebugSelector(text: string, begin: 'default' | 'none' = 'default'): DebugSelection {
  const on = new Set<string>(begin === 'none' ? [] : categories.filter((name) => !notByDefault.has(name)))
  // -d implies -v, and so does `all`.
  if (begin === 'default') on.add('v')
  for (let at = 0; at < text.length; ) {
    const sign = text[at]
    if (sign !== '+' && sign !== '-') {
      return wrong(`malformed debug_selector setting: + or - expected but found "${text.slice(at)}"`)
    }
    const name = /^\w*/.exec(text.slice(at + 1))?.[0] ?? ''
    const meant: readonly string[] = name === 'all' ? categories : categories.filter((each) => each === name)
    if (meant.length === 0) return wrong(`unknown debug_selector setting: ${sign}${name}`)
    for (const each of name === 'all' ? [...meant, 'v'] : meant) {
      if (sign === '-') on.delete(each)
      else if (name !== 'all' || !notInAll.has(each)) on.add(each)
    }
    at += name.length + 1
  }
  return { is: 'selection', on }
}

/** @param categories `acl`; `deliver|v`: either; `any`: whatever is on */
export function isDebugged(categories: string, on: ReadonlySet<string>): boolean {
  if (!categories.includes('|')) return on.has(categories) || (categories === 'any' && on.size > 0)
  return categories.split('|').some((one) => on.has(one) || (one === 'any' && on.size > 0))
}

function wrong(message: string): DebugSelection {
  return { is: 'wrong', message }
}
