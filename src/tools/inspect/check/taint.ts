/**
 * Data from outside that reaches a file name, a command or a database query: what Exim refuses when mail arrives.
 * Followed through the tree of each text: operators and most items hand taint on, lookups and the `_data` variables
 * do not, `quote_TYPE` clears it for queries of that type. What a match captured is not followed, so nothing is
 * reported that might be clean. Source: Exim manual, "Tainted strings".
 */
import type { Expandable } from '../../../base/expandable.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import type { Node, Template } from '../../../language/expand/tree.ts'
import { parseLookupType } from '../../../language/lookups/parse-type.ts'
import type { Check, OwnedText } from './subject.ts'
import { isList } from './taint-lists.ts'
import { branchesOf, walk } from './walk.ts'

interface Source {
  /** `$local_part`. */
  readonly name: string
  readonly start: number
  readonly end: number
  /** The lookup types for whose queries it has been quoted. */
  readonly quotedFor: readonly string[]
}

/** What to write in place of a variable that comes from outside. */
const trustedCopies: Readonly<Record<string, string>> = {
  local_part: '$local_part_data (set by check_local_user, or by local_parts with a lookup)',
  domain: '$domain_data (set by domains with a list or a lookup that names it)',
  sender_address: '$sender_data (set by senders with a lookup)',
  sender_host_name: '$host_data (set by hosts with a lookup)',
  recipients: '$recipient_data (set by recipients with a lookup)',
}

/** Operators whose result holds nothing of the text they read. */
const harmless = new Set(
  'md5 sha1 sha256 sha3 strlen eval eval10 base62 base36 hexquote mask reverse_ip ipv6norm ipv6denorm listcount time_interval time_eval'.split(
    ' ',
  ),
)
/** Items whose result does not hold their arguments, or whose arguments are not what they give. */
const opaque = new Set(
  'acl certextract dlfunc env fn hash hmac length lookup nhash perl prvs prvscheck readfile readsocket run srs_encode authresults'.split(
    ' ',
  ),
)

interface Sink {
  /** `a file name`. */
  readonly what: string
  /** The query's type, for which quoting clears. */
  readonly query?: string
}

const fileOptions: Readonly<Record<string, readonly string[]>> = {
  appendfile: ['file', 'directory', 'quota_directory', 'create_file'],
  autoreply: ['file', 'log', 'once'],
  queuefile: ['directory'],
  redirect: ['file'],
}
const commandOptions: Readonly<Record<string, readonly string[]>> = {
  pipe: ['command'],
  lmtp: ['command', 'socket'],
  queryprogram: ['command'],
}

export const taint: Check = {
  name: 'taint',
  doc: 'Data from outside in a file name, a command or a query.',
  run({ texts, configuration }, report) {
    const home = homesOf(texts, configuration)
    const told = new Set<Expandable>()
    for (const owned of texts) {
      const { tree, text } = owned
      if (tree === undefined) continue
      const tell = (source: Source, sink: Sink): void => {
        if (source.name === '$home') return tellHome(source, sink)
        const bare = source.name.replace(/^\$\{?/, '')
        const quoted = sink.query === undefined ? undefined : `\${quote_${sink.query}:${source.name}}`
        report({
          code: sink.query === undefined ? 'taint' : 'taint-query',
          severity: 'warning',
          message: `${source.name} comes from outside and becomes part of ${sink.what}${where(owned)}: Exim's answer when it is used is "tainted ..."`,
          at: text.span(source.start, source.end),
          help:
            quoted === undefined
              ? `write ${trustedCopies[bare] ?? 'the result of a lookup that knows the allowed values'}`
              : `write ${quoted}, or hand the value over apart from the query: \${lookup ${sink.query},params {...$1...}{${source.name}}}`,
        })
      }
      // Exim takes such a home as it is, and refuses what is made of it.
      const tellHome = (use: Source, { what }: Sink): void => {
        for (const { text: made, tree: madeOf } of home(owned)) {
          for (const { name, start, end } of madeOf === undefined ? [] : sourcesOf(madeOf)) {
            if (name === '$home' || told.has(made)) continue
            told.add(made)
            report({
              code: 'taint',
              severity: 'warning',
              message: `${name} comes from outside, and $home, which it is part of, becomes part of ${what}${where(owned)}: Exim's answer when it is used is "tainted ..."`,
              at: made.span(start, end),
              help: `write ${trustedCopies[name.slice(1)] ?? 'the result of a lookup that knows the allowed values'}`,
              also: [{ at: text.span(use.start, use.end), says: '$home is used here' }],
            })
          }
        }
      }
      const sink = sinkOf(owned)
      if (sink !== undefined) for (const source of sourcesOf(tree)) tell(source, sink)
      if (isList(owned))
        for (const source of sourcesOf(tree)) {
          const query = queryOfItem(text.text.slice(0, source.start))
          if (query !== undefined && !source.quotedFor.includes(query))
            tell(source, { what: 'a query', query })
        }
      walk(tree, {
        node(node) {
          for (const [inner, innerSink] of innerSinks(node))
            for (const source of sourcesOf(inner)) {
              if (innerSink.query === undefined || !source.quotedFor.includes(innerSink.query))
                tell(source, innerSink)
            }
        },
      })
    }
  },
}

function where({ owner }: OwnedText): string {
  switch (owner.in) {
    case 'router':
    case 'transport':
    case 'authenticator':
      return ` in ${owner.in} ${owner.instance.name}`
    case 'acl':
      return owner.acl.name === undefined ? '' : ` in ACL ${owner.acl.name}`
    default:
      return ''
  }
}

/** What the whole text becomes. */
function sinkOf({ owner }: OwnedText): Sink | undefined {
  if (owner.in === 'acl' && owner.row === 'queue') return { what: 'the name of a queue' }
  if (owner.in !== 'router' && owner.in !== 'transport') return undefined
  const { driver } = owner.instance
  const isFile = fileOptions[driver]?.includes(owner.option) === true
  if (isFile && !(owner.in === 'transport' && clearsPath(owner.instance, owner.option)))
    return { what: 'a file name' }
  if (commandOptions[driver]?.includes(owner.option) === true) return { what: 'a command' }
  return undefined
}

/** The options that $home of a text comes from. Source: Exim manual, "Current and home directories". */
function homesOf(
  texts: readonly OwnedText[],
  { routers }: Configuration,
): (owned: OwnedText) => readonly OwnedText[] {
  const optionsOf = (instance: object, option: string): OwnedText[] =>
    texts.filter(({ owner }) => 'instance' in owner && owner.instance === instance && owner.option === option)
  return ({ owner }) => {
    if (owner.in === 'router') return optionsOf(owner.instance, 'router_home_directory')
    if (owner.in !== 'transport') return []
    const own = optionsOf(owner.instance, 'home_directory')
    if (own.length > 0) return own
    return routers
      .filter(({ settings }) => settings.transport?.text.trim() === owner.instance.name)
      .flatMap((router) => {
        const forTransport = optionsOf(router, 'transport_home_directory')
        if (forTransport.length > 0) return forTransport
        return router.settings.check_local_user ? [] : optionsOf(router, 'router_home_directory')
      })
  }
}

/** `create_file` looks whether a mailbox is below a folder, and clears its path then. */
function clearsPath({ settings }: { readonly settings: object }, option: string): boolean {
  if (option !== 'file' && option !== 'directory') return false
  const where: unknown = Reflect.get(settings, 'create_file')
  return typeof where === 'string' && (where === 'belowhome' || where.startsWith('/'))
}

/** Arguments of an item that are a file name, a command or a query. */
function* innerSinks(node: Node): Iterable<[Template, Sink]> {
  if (node.kind !== 'item') return
  const [first, second] = node.parts.arguments
  if (node.name === 'readfile' && first !== undefined) yield [first, { what: 'a file name' }]
  if (node.name === 'run' && first !== undefined) yield [first, { what: 'a command' }]
  if (node.name !== 'lookup') return
  const type = parseLookupType(node.parts.word ?? '')
  if ('error' in type) return
  if (type.style === 'single' && second !== undefined) yield [second, { what: 'a file name' }]
  // Redis takes each stretch from outside as one argument, so nothing has to be quoted there: see docs/decisions.
  if (
    type.style === 'query' &&
    first !== undefined &&
    queryTypes.has(type.name) &&
    !/\bparams\b/.test(type.options)
  )
    yield [first, { what: 'a query', query: type.name }]
}

const queryTypes = new Set(['mysql', 'pgsql', 'sqlite', 'ldap', 'ldapdn', 'ldapm'])

/** The type of the query that ends a piece of a list: `+a : mysql;SELECT ... '`. */
function queryOfItem(before: string): string | undefined {
  const type = /(?:^|(?<!:):)\s*!?\s*([a-z]+);(?:[^:]|::)*$/.exec(before)?.[1]
  return type !== undefined && queryTypes.has(type) ? type : undefined
}

/** What from outside can be in the result of a template; `$home` is among them, which may be. */
function sourcesOf(template: Template): Source[] {
  return template.nodes.flatMap(sourcesOfNode)
}

function sourcesOfNode(node: Node): Source[] {
  switch (node.kind) {
    case 'variable':
      return (node.row.tainted && node.row.get !== undefined) || node.name === 'home'
        ? [{ name: `$${node.name}`, start: node.start, end: node.end, quotedFor: [] }]
        : []
    case 'header':
      return [{ name: `$${node.form}_${node.name}:`, start: node.start, end: node.end, quotedFor: [] }]
    case 'operator': {
      if (harmless.has(node.name)) return []
      const quoted = /^quote_(\w+)$/.exec(node.name + (node.suffix === '' ? '' : `_${node.suffix}`))?.[1]
      const inner = sourcesOf(node.body)
      return quoted === undefined
        ? inner
        : inner.map((source) => ({ ...source, quotedFor: [...source.quotedFor, ...kin(quoted)] }))
    }
    case 'item': {
      const branches = branchesOf(node.parts.branches).flatMap(sourcesOf)
      if (node.parts.branches !== undefined) return branches
      return opaque.has(node.name) ? [] : node.parts.arguments.flatMap(sourcesOf)
    }
    case 'text':
    case 'capture':
    case 'fault':
      return []
  }
}

/** ldap, ldapdn and ldapm share their quoting. */
function kin(type: string): readonly string[] {
  return type === 'ldap' || type === 'ldap_dn' ? ['ldap', 'ldapdn', 'ldapm'] : [type]
}
