/** `-bt`: shows how addresses are routed. Source: Exim manual, "-bt". */
import type { AddressTestMode } from '../../../flow/routing/index.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { testedConnection } from '../stdin-session.ts'
import { lines } from '../terminal.ts'

export function run(call: ServerCall): Promise<number> {
  return testAddresses(call, 'bt')
}

/** The same walk for `-bt`, `-bv` and `-bvs`; the exit code is the worst of all addresses. */
export async function testAddresses(call: ServerCall, mode: AddressTestMode): Promise<number> {
  const { invocation, server, terminal, caller, rights } = call
  const routing = await server.routing()
  const message = newMessage({
    receivedAt: Date.now(),
    local: true,
    originator: { login: caller.login, uid: caller.uid, gid: caller.gid },
  })
  const given = valueOf(invocation, '-f', '-r')
  message.sender = given === undefined ? `${caller.login}@${server.facts.qualifyDomain}` : sender(given)
  const context = server.context({ message, connection: testedConnection(call) })
  let exitCode = 0
  const seen = new Set<string>()
  const verbose = has(invocation, '-v', '-d')
  const one = async (address: string): Promise<void> => {
    if (address.trim() === '') return
    const tested = await routing.test(address, mode, context, seen, verbose)
    // Details of a failure may hold passwords of databases: only admins see them.
    const shown = rights.admin || tested.exitCode === 0 ? tested.lines : tested.lines.map(withoutDetails)
    terminal.out(shown.map((line) => `${line}\n`).join(''))
    exitCode = Math.max(exitCode, tested.exitCode)
  }
  if (invocation.args.length > 0) {
    for (const address of invocation.args) await one(address)
    return exitCode
  }
  terminal.out('> ')
  for await (const line of lines(terminal.input)) {
    if (line.trim() === '') break
    await one(line.trim())
    terminal.out('> ')
  }
  terminal.out('\n')
  return exitCode

  function sender(text: string): string {
    return text === '' || text === '<>' ? '' : server.qualifySender(text.replace(/^<(.*)>$/, '$1'))
  }
}

function withoutDetails(line: string): string {
  return line.replace(
    /^(\S+ (?:is undeliverable|failed to verify|cannot be resolved at this time)):.*$/s,
    '$1',
  )
}
