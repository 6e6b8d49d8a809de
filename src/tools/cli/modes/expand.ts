/** `-be`, `-bem FILE`: expands arguments or lines of standard input. Source: Exim manual, "-be", "-bem". */
import { isFailure, type Outcome } from '../../../base/outcome.ts'
import { encodeUtf8, textOf, type ByteString, type Text } from '../../../base/text.ts'
import type { ConnectionFacts, Context, MessageFacts } from '../../../ports.ts'
import { newMessage } from '../../../flow/receive/message-facts.ts'
import { newConnection } from '../../../flow/receive/services.ts'
import { MacroScope } from '../macro-scope.ts'
import { readTestMessage, testSender } from '../test-message.ts'
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { lines } from '../terminal.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const file = valueOf(invocation, '-bem')
  let message: MessageFacts | undefined
  if (file !== undefined) {
    const read = await readTestMessage(call, file, has(invocation, '-t', '-ti'))
    if (read.is === 'wrong') {
      terminal.err(`${invocation.calledAs}: ${read.message}\n`)
      return 1
    }
    message = read.message
  }
  const aclC = new Map<string, Text>()
  const aclM = message?.aclM ?? new Map<string, Text>()
  const connection = {
    ...newConnection({
      kind: 'local',
      activeHostname: server.facts.primaryHostname,
      connectionId: '',
      startedAt: Date.now(),
      ident: call.caller.login,
    }),
    authenticatedId: call.caller.login,
    aclC,
  }
  // ACL variables can be set without a message; where there is one they are its own.
  const context = server.context({ connection, message: message ?? { ...emptyMessage(call), aclM } })
  // Macros of the configuration often hold passwords: only admins see them.
  const macros = new MacroScope(call.rights.admin ? server.configuration.macros : [])
  const work = { call, context, connection, aclC, aclM, macros }
  if (invocation.args.length > 0) {
    for (const argument of invocation.args) await one(encodeUtf8(argument), work)
    return 0
  }
  let pending = ''
  terminal.out('> ')
  for await (const line of lines(terminal.input)) {
    const piece = pending === '' ? line : line.replace(/^[ \t]+/, '')
    if (piece.endsWith('\\')) {
      pending += piece.slice(0, -1)
      continue
    }
    await one(pending + piece, work)
    pending = ''
    terminal.out('> ')
  }
  terminal.out('\n')
  return 0
}

function emptyMessage(call: ServerCall): MessageFacts {
  const { login, uid, gid } = call.caller
  const message = newMessage({ receivedAt: Date.now(), local: true, originator: { login, uid, gid } })
  message.sender = testSender(call)
  return message
}

interface Work {
  readonly call: ServerCall
  readonly context: Context
  readonly connection: ConnectionFacts
  readonly aclC: Map<string, Text>
  readonly aclM: Map<string, Text>
  readonly macros: MacroScope
}

async function one(line: ByteString, work: Work): Promise<void> {
  const { terminal, server } = work.call
  const text = line.trim()
  const definition = /^([A-Z][A-Za-z0-9_]*)\s*==?\s*(.*)$/s.exec(text)
  if (definition !== null && work.macros.define(definition[1] ?? '', definition[2] ?? '')) {
    terminal.out(`Defined macro '${definition[1]}'\n`)
    return
  }
  const replaced = work.macros.replace(text)
  const setting = /^set (acl_[cm]\w+)\s*=\s*(.*)$/s.exec(replaced)
  const source = setting?.[2] ?? replaced
  const result: Outcome = await server.ports.expandText(source, { ...work.context, captures: [] })
  if (isFailure(result)) {
    terminal.out(`Failed: ${result.message}\n`)
    return
  }
  const name = setting?.[1]
  if (name === undefined) terminal.out(`${textOf(result)}\n`)
  else (name.startsWith('acl_c') ? work.aclC : work.aclM).set(name.slice('acl_'.length), result)
}
