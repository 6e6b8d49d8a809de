/**
 * Access control lists: reading, checking, running.
 * Source: Exim manual, chapter "Access control lists".
 */
import type { Report, Span } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import { after, type Awaitable } from '../../base/outcome.ts'
import { Recent } from '../../base/recent.ts'
import { asciiLower, encodeUtf8, isTainted, type Text, textOf } from '../../base/text.ts'
import { Turn } from '../../base/turn.ts'
import type { Configuration, AclSource } from '../../language/config/configuration.ts'
import type { AclPlace, AclResult, Context, Ports, Trace } from '../../ports.ts'
import { aclOptions, checkAcls } from './check.ts'
import { fileLines, inlineLines } from './lines.ts'
import { parseAcl, rows } from './parse.ts'
import type { AclCall, Row } from './row.ts'
import { errorResult, runStatements } from './run.ts'
import type { Acl } from './statement.ts'

/** Exim manual, "ACL conditions": the limit catches runaway loops. */
const DEEPEST = 20
const MOST_KEPT = 100
const LARGEST_FILE = 4 * 1024 * 1024

export interface AclEngine {
  /** Parses all ACLs of a configuration and reports what is wrong with them. */
  load(configuration: Configuration, report: Report): void
  readonly runAcl: Ports['runAcl']
  /** Every text in the named ACLs that is expanded when used. */
  texts(configuration: Configuration): Iterable<Expandable>
  /** The named ACLs, taken apart. */
  parsed(configuration: Configuration): Iterable<Acl>
  /** All conditions and modifiers by name. */
  readonly rows: ReadonlyMap<string, Row>
}

export function createAclEngine(): AclEngine {
  const parsed = new WeakMap<AclSource, Acl>()
  const texts = new Recent<string, Acl>(MOST_KEPT)
  const files = new Recent<string, { readonly stamp: string; readonly acl: Acl }>(MOST_KEPT)

  function named(source: AclSource): Acl {
    let acl = parsed.get(source)
    if (acl === undefined) {
      acl = parseAcl(
        source.name,
        source.lines.map((line) => line.text),
      )
      parsed.set(source, acl)
    }
    return acl
  }

  /** By name, from a file, or the text itself. Source: Exim manual, "Finding an ACL to use". */
  function find(text: Text, context: Context): Acl | { readonly error: string } {
    const name = textOf(text).trim()
    const source = /\s/.test(name) ? undefined : context.server.configuration.acls.get(name)
    if (source !== undefined) return named(source)
    if (isTainted(text)) {
      const origin = text.spans[0]?.origin ?? ''
      return { error: `attempt to use tainted ACL text "${name}"${origin === '' ? '' : ` (from ${origin})`}` }
    }
    if (name.startsWith('/')) return fromFile(name, context)
    let acl = texts.get(name)
    if (acl === undefined) {
      acl = parseAcl(undefined, inlineLines(name))
      texts.set(name, acl)
    }
    return acl
  }

  function fromFile(path: string, context: Context): Acl | { readonly error: string } {
    const stat = context.ports.files.stat(path)
    if ('error' in stat) return { error: `failed to open ACL file "${path}": ${stat.error}` }
    const stamp = `${stat.inode} ${stat.size} ${stat.modifiedAt}`
    const kept = files.get(path)
    if (kept?.stamp === stamp) return kept.acl
    const read = context.ports.files.read(path, LARGEST_FILE)
    if ('error' in read) return { error: `failed to open ACL file "${path}": ${read.error}` }
    context.debug?.('acl', `${context.aclDepth === undefined ? '' : ' '}read ACL from file ${path}`)
    const acl = parseAcl(path, fileLines(path, read.bytes))
    files.set(path, { stamp, acl })
    return acl
  }

  function run(
    text: Text,
    place: AclPlace,
    context: Context,
    args: readonly Text[],
    memory: Map<string, unknown>,
    turn: Turn,
  ): Awaitable<AclResult> {
    const depth = context.aclDepth ?? 0
    if (depth > DEEPEST) {
      return errorResult('ACL nested too deep: possible loop', { logReject: undefined })
    }
    const acl = find(text, context)
    if ('error' in acl) return errorResult(acl.error, { logReject: undefined })
    const at = acl.name === undefined && depth === 0 ? optionOf(place, context) : undefined
    const trace = context.trace?.begin('acl', acl.name ?? textOf(text), at)
    const inner: Context = {
      ...context,
      trace,
      aclDepth: depth + 1,
      listCache: context.listCache ?? context.address ?? context.message,
      aclArguments: args.slice(0, 9),
      debug: depth === 0 ? context.debug : indented(context.debug, depth),
    }
    const call: AclCall = {
      place,
      context: inner,
      runNested: (name, values, within) => run(name, place, within, values, memory, turn),
      memory,
      turn,
      logReject: undefined,
    }
    if (acl.name !== undefined) inner.debug?.('acl', `using ACL "${acl.name}"`)
    const result = runStatements(acl, call)
    if (trace === undefined) return result
    return result instanceof Promise ? toldLater(trace, result) : told(trace, result)
  }

  return {
    load(configuration, report) {
      for (const source of configuration.acls.values()) {
        for (const mistake of named(source).mistakes) {
          report({
            code: mistake.code,
            severity: 'error',
            message: `error in ACL: ${mistake.message}`,
            at: mistake.at,
            help: mistake.help,
            fatal: true,
          })
        }
      }
      // What Exim finds only at use is an error of `check` and a warning at start.
      checkAcls(configuration, named, (found) => report({ ...found, fatal: found.fatal ?? false }))
    },
    *parsed(configuration) {
      for (const source of configuration.acls.values()) yield named(source)
    },
    *texts(configuration) {
      for (const source of configuration.acls.values()) {
        for (const { clauses } of named(source).statements) {
          for (const { words, argument } of clauses) yield* words.length > 0 ? words : [argument]
        }
      }
    },
    runAcl(acl, place, context, args = []) {
      lowerLocalPart(place, context)
      // From `${acl{...}}` inside an ACL: an expansion counts as a step for debugging lines.
      const inner = context.aclDepth === undefined ? context : { ...context, debug: stepped(context.debug) }
      return after(run(acl, place, inner, args, new Map(), new Turn()), quietWhenAccepted)
    },
    rows,
  }
}

/** The `log_message` of an accept is for an ACL that called this one: its refusal may repeat it. */
function quietWhenAccepted(result: AclResult): AclResult {
  return result.verdict === 'accept' && result.logMessage !== undefined
    ? { ...result, logMessage: undefined }
    : result
}

function toldLater(trace: Trace, result: Promise<AclResult>): Promise<AclResult> {
  return result.then((settled) => told(trace, settled))
}

function told(trace: Trace, result: AclResult): AclResult {
  trace.end(`${result.verdict}${result.userMessage === undefined ? '' : `: ${result.userMessage}`}`)
  return result
}

/** In ACLs `$domain` and `$local_part` are in lower case; `control = caseful_local_part` brings the client's case back. */
function lowerLocalPart(place: AclPlace, { address }: Context): void {
  if (place !== 'rcpt' || address === undefined || address.casedLocalPart !== undefined) return
  address.casedLocalPart = address.localPart
  address.localPart = asciiLower(address.localPart)
  address.domain = asciiLower(address.domain)
}

function stepped(debug: Context['debug']): Context['debug'] {
  return debug === undefined ? undefined : (category, line) => debug(category, ` ${line}`)
}

/** Debugging lines of an ACL that another one called stand further to the right; each fourth step has a mark. */
function indented(debug: Context['debug'], depth: number): Context['debug'] {
  if (debug === undefined) return undefined
  const step = depth % 4 === 0 ? encodeUtf8('╎') : ' '
  return (category, line) => debug(category, `${step}${line}`)
}

/** Where the option stands that names the ACL of a place, for explanations of one that is written into it. */
function optionOf(place: AclPlace, { trace, server }: Context): Span | undefined {
  if (trace === undefined) return undefined
  const { mainSetAt } = server.configuration
  const option = Object.entries(aclOptions).find(([name, of]) => of === place && mainSetAt.has(name))?.[0]
  return option === undefined ? undefined : mainSetAt.get(option)
}
