/** Checks a Sieve script as a whole, then runs it. Source: RFC 5228 sections 2.10 and 3. */
import type { ByteString } from '../../../../base/text.ts'
import type { Context } from '../../../../ports.ts'
import { deliveryLimit, type FilterDelivery } from '../result.ts'
import { compileAction, save, type SieveAction, type SieveRun } from './actions.ts'
import { readArguments, stringLists } from './arguments.ts'
import { parseSieve, SieveError, type SieveNode } from './grammar.ts'
import { type SieveOptions, SieveScript } from './script.ts'
import { compileTest, type SieveTest } from './tests.ts'

export type SieveResult =
  | {
      readonly is: 'done'
      readonly deliveries: readonly FilterDelivery[]
      /** Nothing took the place of the inbox, which is among the deliveries then. */
      readonly implicitKeep: boolean
    }
  | { readonly is: 'error'; readonly message: string }

export async function runSieve(
  script: ByteString,
  options: SieveOptions,
  context: Context,
): Promise<SieveResult> {
  try {
    const state = new SieveScript(context, options)
    const statements = compileAll(parseSieve(script), state)
    const run: SieveRun = { deliveries: [], implicitKeep: true }
    await obey(statements, run)
    const { implicitKeep } = run
    if (implicitKeep) {
      context.trace?.note('filter', 'keep', 'nothing else was done')
      save(options.inbox, false, run)
    }
    return { is: 'done', deliveries: run.deliveries, implicitKeep }
  } catch (error) {
    if (error instanceof SieveError) {
      return { is: 'error', message: `Sieve error: ${error.message} in line ${error.line}` }
    }
    throw error
  }
}

type Statement =
  | { readonly is: 'action'; readonly act: SieveAction }
  | { readonly is: 'stop' }
  | { readonly is: 'if'; readonly branches: readonly Branch[] }

interface Branch {
  /** Undefined: else. */
  readonly test: SieveTest | undefined
  readonly statements: readonly Statement[]
}

/** RFC 5228 section 3.2: `require` stands before all else. */
function compileAll(nodes: readonly SieveNode[], script: SieveScript): Statement[] {
  let first = 0
  for (; nodes[first]?.name === 'require'; first++) {
    const node = nodes[first]
    if (node === undefined) break
    const [names = []] = stringLists(node, readArguments(node, {}), ['capability string list'])
    for (const name of names) script.require(name, node.line)
  }
  return compileList(nodes.slice(first), script)
}

function compileList(nodes: readonly SieveNode[], script: SieveScript): Statement[] {
  const statements: Statement[] = []
  let open: Branch[] | undefined
  for (const node of nodes) {
    if (node.name === 'if' || node.name === 'elsif' || node.name === 'else') {
      const branch = compileBranch(node, script)
      if (node.name === 'if') {
        open = [branch]
        statements.push({ is: 'if', branches: open })
        continue
      }
      if (open === undefined) throw new SieveError('syntax error', node.line)
      open.push(branch)
      if (node.name === 'else') open = undefined
      continue
    }
    open = undefined
    if (node.name === 'stop' && node.arguments.length === 0 && node.block === undefined) {
      statements.push({ is: 'stop' })
      continue
    }
    const act = compileAction(node, script)
    if (act === undefined) throw new SieveError('syntax error', node.line)
    statements.push({ is: 'action', act: explained(act, node, script) })
  }
  return statements
}

/** For explanations: the action as it is obeyed. What a vacation says is not needed there. */
function explained(act: SieveAction, node: SieveNode, { context: { trace } }: SieveScript): SieveAction {
  if (trace === undefined) return act
  const strings = node.name === 'fileinto' || node.name === 'redirect' ? node.arguments : []
  const told = strings.flatMap((each) =>
    each.is === 'strings' ? each.values.map((text) => ` "${text}"`) : [],
  )
  return (run) => {
    trace.note('filter', `${node.name}${told.join('')}`, `line ${node.line} of the filter`)
    act(run)
  }
}

function compileBranch(node: SieveNode, script: SieveScript): Branch {
  if (node.block === undefined || node.arguments.length > 0)
    throw new SieveError('expecting command block', node.line)
  const [test] = node.tests
  if (node.tests.length > 1 || (test === undefined) !== (node.name === 'else')) {
    throw new SieveError('missing test', node.line)
  }
  return {
    test: test === undefined ? undefined : compileTest(test, script),
    statements: compileList(node.block, script),
  }
}

/** False: `stop` was met. */
async function obey(statements: readonly Statement[], run: SieveRun): Promise<boolean> {
  for (const statement of statements) {
    if (statement.is === 'stop') return false
    if (statement.is === 'action') {
      if (run.deliveries.length >= deliveryLimit) throw new SieveError('too many actions', 0)
      statement.act(run)
      continue
    }
    const branch = await chosen(statement.branches)
    if (branch !== undefined && !(await obey(branch.statements, run))) return false
  }
  return true
}

/** The first whose test is true. */
async function chosen(branches: readonly Branch[]): Promise<Branch | undefined> {
  for (const branch of branches) if (branch.test === undefined || (await branch.test())) return branch
  return undefined
}
