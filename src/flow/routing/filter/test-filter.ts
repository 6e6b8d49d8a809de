/** `-bf` and `-bF`: runs a filter without delivering and tells what it would do. Output as Exim 4.96 writes it. */
import type { ByteString, Text } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { type ListRules, parseList } from '../redirect/parse-list.ts'
import { rewriteAddress } from '../rewrite/rewrite-address.ts'
import { runEximFilter } from './exim/run.ts'
import { filterKind } from './kind.ts'
import type { FilterTester, FilterWorld } from './result.ts'
import { runSieve } from './sieve/run.ts'

export interface FilterTest {
  /** Undefined: no filter of that kind is tested. */
  readonly system: TestedFile | undefined
  readonly user: TestedFile | undefined
}

export interface TestedFile {
  readonly name: string
  readonly text: ByteString
}

/** Where the output goes; `complain` begins with the name the program was called by. */
export interface TestOutput extends FilterTester {
  complain(line: ByteString): void
}

/** @returns whether all went well */
export async function testFilters(test: FilterTest, context: Context, output: TestOutput): Promise<boolean> {
  let now = context
  if (test.system !== undefined) {
    output.out(`Testing Exim filter file "${test.system.name}"`)
    output.out('')
    const changed = await testExim(test.system.text, true, now, output)
    if (changed === undefined) return false
    now = changed
  }
  if (test.user === undefined) return true
  const { name, text } = test.user
  const kind = filterKind(text)
  const what = kind === 'exim' ? 'Exim filter' : kind === 'sieve' ? 'Sieve filter' : 'forward file'
  output.out(`Testing ${what} file "${name}"`)
  output.out('')
  if (kind === 'exim') return (await testExim(text, false, now, output)) !== undefined
  return kind === 'sieve' ? testSieve(text, now, output) : testForward(text, now, output)
}

/** The context as a system filter leaves it; undefined: it is wrong. */
async function testExim(
  text: ByteString,
  system: boolean,
  context: Context,
  output: TestOutput,
): Promise<Context | undefined> {
  const allow = { defer: system, fail: system, freeze: system }
  const { settings, server } = context
  const world: FilterWorld = {
    context,
    tester: output,
    system,
    prependHome: false,
    qualifyDomain: server.qualifyRecipient,
    forbidden: () => undefined,
    rewrite: async (address) =>
      (await rewriteAddress(address, 'F', server.configuration.rewrite, context)).address,
    note: () => Promise.resolve(undefined),
  }
  const result = await runEximFilter(text, { system, allow }, world)
  if (result.is === 'error') {
    output.out(`Filter error: ${result.message}`)
    return undefined
  }
  if (result.is !== 'done') output.out(`Filtering ended by "${result.is}".`)
  else if (result.significant) {
    output.out('Filtering set up at least one significant delivery or other action.')
    output.out('No other deliveries will occur.')
  } else {
    output.out('Filtering did not set up a significant delivery.')
    output.out('Normal delivery will occur.')
  }
  const variables = new Map<string, Text>(context.variables)
  for (const [i, n] of result.counters.entries()) variables.set(`sn${i}`, String(n))
  const { message } = context
  return {
    ...context,
    settings,
    variables,
    ...(message && result.headers && { message: { ...message, headers: result.headers } }),
  }
}

async function testSieve(text: ByteString, context: Context, output: TestOutput): Promise<boolean> {
  const options = {
    inbox: 'inbox',
    vacationDirectory: '',
    notifyOwner: undefined,
    userAddress: undefined,
    subAddress: undefined,
  }
  const result = await runSieve(text, options, context)
  if (result.is === 'error') {
    output.out(result.message)
    // Exim's exit code is 0 here too.
    return true
  }
  for (const one of result.deliveries) {
    if (one.is === 'address') output.explain(`redirect \`${one.address}'`)
    else if (one.is === 'file') output.explain(`fileinto \`${String(one.path)}'`)
    else if (one.is === 'reply') output.explain(`reply to \`${one.reply.to ?? ''}'`)
  }
  output.out(result.implicitKeep ? 'Implicit keep' : 'No implicit keep')
  return true
}

/** A list of addresses: everything that is harmless is allowed in it. */
async function testForward(text: ByteString, context: Context, output: TestOutput): Promise<boolean> {
  const rules: ListRules = {
    allowDefer: false,
    allowFail: false,
    forbidBlackhole: false,
    forbidInclude: false,
    includeDirectory: undefined,
    skipErrors: false,
    allowUtf8Domains: context.settings.allow_utf8_domains,
    include(path) {
      const file = context.ports.files.read(path, 1024 * 1024)
      return 'error' in file ? { error: file.error, missing: file.code === 'ENOENT' } : file
    },
  }
  const list = await parseList(text, rules)
  if (list.is === 'error') {
    output.complain(`error in forward file: ${list.message}`)
    return false
  }
  if (list.is === 'blackhole') output.complain('forwardfile contains ":blackhole:"')
  const items = list.is === 'items' ? list.items : []
  if (items.length === 0) {
    output.complain('no addresses generated from forward file')
    return true
  }
  output.complain('forward file generated:')
  const { qualifyRecipient } = context.server
  for (const item of items.toReversed()) {
    const shownAs =
      item.is === 'special'
        ? item.text
        : `${item.localPart}@${item.domain === '' ? qualifyRecipient : item.domain}`
    output.out(`  ${shownAs}`)
  }
  return true
}
