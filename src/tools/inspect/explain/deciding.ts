/** From a whole explanation to the few things that decided: what the first screen shows. */
import type { TraceNode } from '../../../server/trace.ts'

export interface Decision {
  /** The command that was answered, or the delivery of an address. */
  readonly command: TraceNode
  readonly outcome: 'refused' | 'discarded' | 'accepted'
  /** The statement that decided; undefined when no ACL did. */
  readonly statement: TraceNode | undefined
  /** Statements of the ACLs that called the one where it was decided, innermost first. */
  readonly calledFrom: readonly TraceNode[]
  /** The conditions of that statement, with what each saw. */
  readonly conditions: readonly SeenCondition[]
  /** Where the statement asks for nothing: those before it that would have accepted, each with what was not met. */
  readonly inVain: readonly { readonly statement: TraceNode; readonly unmet: SeenCondition }[]
  /** Of an address that could not be routed: the routers that were asked. */
  readonly routers: readonly TraceNode[]
  /** Without a statement: what the log says, and the lists of options that matched. */
  readonly evidence: readonly TraceNode[]
}

export interface SeenCondition {
  readonly node: TraceNode
  /** What it looked at, in words. */
  readonly saw: readonly string[]
}

/** What every command of the session came to, where something was decided. */
export function decisions(root: TraceNode): Decision[] {
  const settings = new Settings()
  return (root.children ?? [])
    .filter(({ kind }) => kind === 'command')
    .flatMap((command) => {
      settings.add(command)
      return decisionOf(command, settings)
    })
}

/** The commands that were refused (4xx, 5xx) or whose message is thrown away. */
export function refusals(root: TraceNode): Decision[] {
  return decisions(root).filter(({ outcome }) => outcome !== 'accepted')
}

function decisionOf(command: TraceNode, settings: Settings): Decision[] {
  // A local message has no reply but words.
  const refused = /^(?:[45]|refused)/.test(command.result ?? '')
  const acls = (command.children ?? []).filter(({ kind }) => kind === 'acl')
  const acl = acls.findLast(({ result }) => !(result ?? '').startsWith('accept')) ?? acls.at(-1)
  const discards = acl !== undefined && (acl.result ?? '').startsWith('discard')
  if (!refused && acl === undefined) return []
  // An accepting ACL did not refuse: a control did, or something that is no ACL.
  const aclSays = acl !== undefined && refused === !/^(?:accept|discard)/.test(acl.result ?? '')
  const chain = aclSays || acl === undefined ? deciders(acl) : fakeRefusal(settings.acls)
  const [statement, ...calledFrom] = chain
  const asked = statement === undefined ? [] : conditionsOf(statement)
  const see = (node: TraceNode): SeenCondition => ({ node, saw: sawOf(node, command, settings) })
  return [
    {
      command,
      outcome: refused ? 'refused' : discards ? 'discarded' : 'accepted',
      statement,
      calledFrom,
      conditions: asked.map(see),
      inVain:
        statement !== undefined && refused && !asked.some(asksSomething)
          ? acceptingBefore(statement, command).map((each) => ({ ...each, unmet: see(each.unmet) }))
          : [],
      routers: refused ? all(statement ?? command, 'router') : [],
      evidence: statement === undefined ? evidenceOf(command) : [],
    },
  ]
}

/** The statement that ended an ACL; where the verdict came from an ACL that it called, that one's comes first. */
function deciders(acl: TraceNode | undefined): TraceNode[] {
  const found = acl?.children?.findLast(({ kind, result }) => kind === 'statement' && result !== 'goes on')
  if (acl === undefined || found === undefined) return []
  const statement = placed(found, acl)
  const decisive = conditionsOf(statement).findLast(({ what }) => /^!?\s*acl =/.test(what))
  const inner = decisive?.children?.find(({ kind }) => kind === 'acl')
  // One that accepts says no more than its caller, and of "!acl" the caller decides.
  const isCallers =
    inner === undefined ||
    (inner.result ?? '').startsWith('accept') ||
    decisive?.what.startsWith('!') === true
  const within = isCallers ? [] : deciders(inner)
  return [...within, statement]
}

/** A statement that is written into an option stands where that does. */
function placed(statement: TraceNode, { file, line }: TraceNode): TraceNode {
  if (statement.file !== undefined || file === undefined || line === undefined) return statement
  return { ...statement, file, line }
}

/** A modifier is done, whatever the message is like. */
function asksSomething({ what, result }: TraceNode): boolean {
  return !modifier.test(what) && result !== 'done'
}

const modifier =
  /^(?:message|log_message|log_reject_target|logwrite|endpass|delay|add_header|remove_header|set \S+) =/
const mostInVain = 4

/** Statements of its ACL that would have accepted, and the condition that each found not to be so. */
function acceptingBefore(
  statement: TraceNode,
  command: TraceNode,
): { readonly statement: TraceNode; readonly unmet: TraceNode }[] {
  const acl = all(command, 'acl').find(({ children }) => children?.includes(statement))
  const before = acl?.children?.slice(0, acl.children.indexOf(statement)) ?? []
  return before
    .flatMap((each) => {
      const unmet = conditionsOf(each).findLast(({ result }) => !/^(?:true|done)/.test(result ?? ''))
      const accepts = each.kind === 'statement' && /^(?:accept|discard)/.test(each.what)
      return accepts && unmet !== undefined ? [{ statement: each, unmet }] : []
    })
    .slice(-mostInVain)
}

/** What ACLs have left behind so far in the session: variables, and controls of the message. */
class Settings {
  readonly #places = new Map<string, TraceNode>()
  /** Those that have run since MAIL: a control counts for the message. */
  acls: readonly TraceNode[] = []

  add(command: TraceNode): void {
    const acls = (command.children ?? []).filter(({ kind }) => kind === 'acl')
    this.acls = [...(/^MAIL /i.test(command.what) ? [] : this.acls), ...acls]
    for (const node of all(command, 'condition')) {
      const name = /^set (acl_\w+) =/.exec(node.what)?.[1]
      if (name !== undefined && node.result === 'done') this.#places.set(name, node)
    }
  }

  /** ` (set in FILE:LINE)`. */
  of(variable: string): string {
    const { file, line } = this.#places.get(variable.replace(/^\$/, '')) ?? {}
    return file === undefined || line === undefined ? '' : ` (set in ${file}:${line})`
  }
}

/** `control = fakereject` and `fakedefer`: the message is refused in words alone. */
function fakeRefusal(acls: readonly TraceNode[]): TraceNode[] {
  const statements = acls.flatMap((acl) => all(acl, 'statement'))
  const found = statements.find((statement) =>
    conditionsOf(statement).some(
      ({ what, result }) => /^control = fake(?:reject|defer)/.test(what) && result === 'done',
    ),
  )
  return found === undefined ? [] : [found]
}

function conditionsOf(statement: TraceNode): TraceNode[] {
  return (statement.children ?? []).filter(({ kind }) => kind === 'condition')
}

/** A sentence for each thing that a condition looked at. */
function sawOf(condition: TraceNode, command: TraceNode, settings: Settings): string[] {
  return [...saw(condition, settings), ...signaturesOf(condition, command)]
}

/** What `dkim_status` and `dkim_signers` speak of was found out before the ACL. */
function signaturesOf({ what }: TraceNode, command: TraceNode): string[] {
  if (!/^!?\s*dkim_(?:status|signers) =/.test(what)) return []
  const looked = all(command, 'verify').filter((node) => node.what.startsWith('signature '))
  return looked.flatMap((node) => [told(node), ...all(node, 'dns').map(told)]).slice(0, mostValues)
}

function saw(condition: TraceNode, settings: Settings): string[] {
  return (condition.children ?? []).flatMap((child) => {
    switch (child.kind) {
      case 'list':
        return [`${child.what}: ${child.result ?? ''}`]
      case 'expansion':
        return [...valuesIn(child, settings), ...expandsTo(child)]
      case 'verify':
      case 'lookup':
        return [
          told(child),
          ...(child.children ?? []).flatMap(({ kind, what, result = '' }) =>
            kind === 'variable' ? [`${what} ${result}`] : [],
          ),
          ...new Set(
            [...all(child, 'dns'), ...hostListsOf(child), ...all(child, 'host'), ...all(child, 'sent')].map(
              told,
            ),
          ),
        ].slice(0, mostValues)
      case 'dns':
        return [told(child)]
      case 'acl':
        return [`ACL ${told(child)}`]
      case 'variable':
        return [`${child.what} ${child.result ?? ''}`]
      default:
        return []
    }
  })
}

function told(node: TraceNode): string {
  return `${node.what} -> ${resultOf(node)}`
}

function expandsTo({ result }: TraceNode): string[] {
  if (result === undefined) return []
  const why = /^(?:defer|failure|forced): (.*)$/s.exec(result)?.[1]
  return [why === undefined ? `expands to "${result}"` : `cannot be expanded: ${why}`]
}

/** An ACL that an expansion ran, with the statement that decided there. */
function calledAcl(acl: TraceNode): string {
  const [statement] = deciders(acl)
  const { file, line } = statement ?? {}
  return `ACL ${told(acl)}${file === undefined || line === undefined ? '' : ` (${file}:${line})`}`
}

/** The variables that an expansion read, each once, and what it looked up. */
function valuesIn(expansion: TraceNode, settings: Settings): string[] {
  const seen = (expansion.children ?? []).flatMap((node) => {
    const { kind, what, result = '' } = node
    if (kind === 'variable') return [`${what} is "${result}"${settings.of(what)}`]
    if (kind === 'acl') return [calledAcl(node)]
    return kind === 'lookup' || kind === 'list' || kind === 'dns' ? [told(node)] : []
  })
  return [...new Set(seen)].slice(0, mostValues)
}

/** Addresses that a router leaves out, or takes for this host: `ignore_target_hosts`. */
function hostListsOf(verify: TraceNode): TraceNode[] {
  return all(verify, 'router')
    .flatMap(({ children = [] }) => children)
    .filter(
      ({ kind, what, result = '' }) =>
        kind === 'list' && what.includes(' in host list ') && result.startsWith('yes'),
    )
}

const mostValues = 12
/** What is written down of a question to which the DNS has no answer for now. */
const again = 'again'

/** What came of a step, for people. */
export function resultOf({ kind, result = '' }: TraceNode): string {
  return kind === 'dns' && result === again ? 'no answer for now' : result
}

function evidenceOf(command: TraceNode): TraceNode[] {
  return (command.children ?? []).filter(
    ({ kind, result, children }) =>
      kind === 'log' ||
      // One that is not set.
      (kind === 'acl' && children === undefined) ||
      (kind === 'list' && (result ?? '').startsWith('yes')) ||
      (kind === 'dns' && result === again),
  )
}

export function all(node: TraceNode, kind: TraceNode['kind']): TraceNode[] {
  return (node.children ?? []).flatMap((child) => [
    ...(child.kind === kind ? [child] : []),
    ...all(child, kind),
  ])
}

/** `deny hosts = 192.0.2.0/24`: the verb with its first condition, or with the one that was not met. */
export function statementText(statement: TraceNode): string {
  const conditions = conditionsOf(statement).filter(({ what }) => !modifier.test(what))
  const unmet = conditions.findLast(({ result }) => result?.startsWith('true') !== true && result !== 'done')
  const refuses = /^(?:deny|drop|defer)/.test(statement.result ?? '')
  const shown = refuses ? (unmet ?? conditions[0]) : conditions[0]
  return shown === undefined ? statement.what : `${statement.what} ${shown.what}`
}

/** The router that settled what becomes of an address, and where it stands; undefined: none did. */
export function settlingRouter(address: TraceNode): TraceNode | undefined {
  const routers = (address.children ?? []).filter(({ kind }) => kind === 'router')
  return routers.findLast(({ result = '' }) => !/ router(?: skipped|: (?:decline|pass)\b)/.test(result))
}
